"""Loaded first in every worker process of this machine: it ends with the process that started it, whatever it does."""

import ctypes
import multiprocessing
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def dask_setup(worker) -> None:
    """Ask the system for SIGKILL when the parent dies, which no lock of the interpreter holds up; ignore Ctrl-C.

    Ctrl-C in a terminal reaches every process; the parent ends its workers itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":  # elsewhere Dask's own watch ends it, once the interpreter's lock is free
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != multiprocessing.parent_process().pid:  # it died before
            os._exit(1)
