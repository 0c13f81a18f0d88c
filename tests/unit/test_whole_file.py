"""A file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipeval.whole_file import replace_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_the_parts_are_written_one_after_the_other_and_replace_what_was_there(
    tmp_path: Path, durable: bool
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old and longer")
    replace_whole(path, (part for part in (b"ne", b"w")), durable=durable)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


def test_a_part_that_cannot_be_made_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        assert len(names(tmp_path)) == 2  # the half is under another name
        raise KeyboardInterrupt

    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        replace_whole(path, parts())
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.bin"])


def test_the_content_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (order.append("sync"), sync(file))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("name"), replace(self, to))[1])
    replace_whole(tmp_path / "a.bin", [b"x"], durable=True)
    assert order[:2] == ["sync", "name"]
    order.clear()
    replace_whole(tmp_path / "a.bin", [b"x"])
    assert order == ["name"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize(("mode", "expected"), [(None, 0o604), (0o640, 0o640)])
def test_permissions_are_those_of_a_new_file_unless_named(
    tmp_path: Path, mode: int | None, expected: int
) -> None:
    before = os.umask(0o062)
    try:
        replace_whole(tmp_path / "a.bin", [b"x"], mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == expected


def test_a_leftover_under_the_named_temporary_name_is_overwritten(tmp_path: Path) -> None:
    left = tmp_path / "a.bin.part"
    left.write_bytes(b"what a killed job left")
    replace_whole(tmp_path / "a.bin", [b"x"], temporary=left)
    assert names(tmp_path) == ["a.bin"]
