"""The cache of compiled kernels: what others could have written is not loaded, and a compiler that hangs is given up."""

import shutil
import subprocess
import time

import pytest

from lib.kernels import native

FAKE = 'case "$*" in *--version*) {version};; *) {build};; esac'


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and `_open` that returns the path instead of loading it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("SPLINE_BACKEND", "CXX", "CC"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(native, "_open", lambda path: path)
    yield native.cache_folder()


def compiler(folder, version="echo 1.0", build="exit 1"):
    """A compiler that is a shell script; the last of its arguments but one is the file to make."""
    path = folder / "compiler"
    path.write_text("#!/bin/sh\n" + FAKE.format(version=version, build=build) + "\n")
    path.chmod(0o755)
    return str(path)


COUNTS = 'for last; do previous=$out; out=$last; done; echo built >> "$(dirname "$0")/count"; echo code > "$out"'


@pytest.fixture
def counting(cache, monkeypatch, tmp_path):
    """A compiler that writes a file and counts; returns how often it was called."""
    monkeypatch.setenv("CXX", compiler(tmp_path, build=COUNTS))
    return lambda: len((tmp_path / "count").read_text().split())


def test_second_process_finds_the_library(counting):
    path = native.compiled()
    assert native.compiled() == path and counting() == 1
    assert path.stat().st_mode & 0o777 == 0o700 and path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["truncated", "other bytes", "writable", "link", "empty"])
def test_what_is_damaged_or_open_to_others_is_built_again(counting, damage, tmp_path):
    path = native.compiled()
    if damage == "writable":
        path.chmod(0o722)
    elif damage == "link":
        shutil.move(path, tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes({"truncated": path.read_bytes()[:-1], "other bytes": b"\xff" * 5000, "empty": b""}[damage])
    again = native.compiled()
    assert again.read_bytes() == b"code\n" and not again.is_symlink() and counting() == 2
    assert list(again.parent.iterdir()) == [again]


def test_library_of_another_user_is_not_loaded(counting, monkeypatch):
    folder = native.compiled().parent
    monkeypatch.setattr(native, "_user", lambda: folder.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        native.compiled()


def test_folder_that_others_may_write_to_is_closed(counting):
    folder = native.compiled().parent
    folder.chmod(0o777)
    native.compiled()
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("hangs", ["version", "build"])
def test_compiler_that_hangs_is_given_up_and_not_tried_again_at_once(cache, monkeypatch, tmp_path, caplog, hangs):
    monkeypatch.setenv("CXX", compiler(tmp_path, **{hangs: "sleep 60 & wait"}))  # and so does what it started
    monkeypatch.setattr(native, "VERSION_SECONDS", 0.5)
    monkeypatch.setattr(native, "BUILD_SECONDS", 0.5)
    monkeypatch.setattr(native, "SAID_AFTER", 0.1)
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        native.compiled()
    assert time.monotonic() - start < 30
    assert caplog.messages == [f"spline kernels: still waiting for {tmp_path / 'compiler'}"]
    with pytest.raises(RuntimeError, match="gave no answer 0 minutes ago; to try again, delete"):
        native.compiled()
    (stuck,) = cache.iterdir()
    stuck.unlink()
    monkeypatch.setenv("CXX", compiler(tmp_path, build=COUNTS))
    assert native.compiled().exists()


def test_cc_compiles_cpp_too(cache, monkeypatch):
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    monkeypatch.undo()  # load it
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("CC", "gcc")
    monkeypatch.setattr(native, "BASE_FLAGS", ["-O0", *native.BASE_FLAGS[1:]])
    assert native.compiled(([],)).spline_backend() == b"cpp"
    monkeypatch.setenv("CC", "/nonexistent/cc")
    with pytest.raises(FileNotFoundError, match="nonexistent"):
        native.compiled(([],))
