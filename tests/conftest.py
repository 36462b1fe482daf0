"""Long campaigns run if the environment says LONG=1. All processes of a run share the small records of sections."""

import os
import tempfile

import pytest

LONGEST = ("test_pages", "test_sweep", "test_build")  # files of minutes


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the workers have the environment of the process that starts them
        folder = tempfile.TemporaryDirectory(prefix="smoke-records-", ignore_cleanup_errors=True)
        os.environ["SMOKE_RECORDS"] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONGEST)  # so that no worker is left with one of them at the end
    if os.environ.get("LONG") != "1":
        skip = pytest.mark.skip(reason="a campaign of minutes: LONG=1 runs it")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
