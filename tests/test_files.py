"""Atomic writes: old or new content, never a part, and nothing left behind."""

import os
import stat
import threading

import pytest

from lib.files import write_atomically


def test_writes_new_files_into_new_folders(tmp_path):
    path = tmp_path / "a" / "b" / "c.json"
    write_atomically(str(path), b"{}\n")
    assert path.read_bytes() == b"{}\n" and list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_replaces_in_one_step(tmp_path):
    path = tmp_path / "x"
    write_atomically(path, b"long old content")
    with path.open("rb") as reader:  # has the old file open while the new one takes its place
        write_atomically(path, b"new")
        assert reader.read() == b"long old content"
    assert path.read_bytes() == b"new"
    write_atomically(path, b"")
    assert path.read_bytes() == b""


@pytest.mark.parametrize("failing", ["replace", "chmod"])
def test_a_failure_keeps_the_old_content_and_leaves_no_temporary_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_text_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="bytes"):
        write_atomically(tmp_path / "x", "text")
    assert list(tmp_path.iterdir()) == []


def test_readers_never_see_a_part_while_writers_compete(tmp_path):
    path, contents = tmp_path / "x", [bytes([letter]) * 200_000 for letter in b"abc"]
    write_atomically(path, contents[0])

    def write(content):
        for _ in range(20):
            write_atomically(path, content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        seen.append(path.read_bytes())
    for writer in writers:
        writer.join()
    assert seen and set(seen) <= set(contents)
    assert path.read_bytes() in contents and list(tmp_path.iterdir()) == [path]
