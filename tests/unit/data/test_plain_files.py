"""Pipes are never waited for: found in a folder they are passed over, named they are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import load_dataset, read_coco, read_csv, read_pairs, read_parquet, read_webdataset
from clipeval.errors import DatasetError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")

NAMES = ("captions.csv", "metadata.json", "captions_val.json", "x.json", "x-000.tar", "x.parquet", "1.txt")


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_in_a_folder_is_passed_over(
    name: str, tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png", "2.png")
    os.mkfifo(tmp_path / name)

    if name == "1.txt":
        (tmp_path / "2.txt").write_text("a dog")
        with pytest.raises(DatasetError, match=r"the picture has no captions file '1\.txt'"):
            load_dataset(tmp_path)
        return
    for stem in ("1", "2"):
        (tmp_path / f"{stem}.txt").write_text("a cat")
    assert load_dataset(tmp_path).ids == ("1.png", "2.png")


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.tar", "a.parquet"])
def test_a_pipe_that_is_named_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DatasetError, match="not a plain file") as caught:
        load_dataset(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value.where)


@pytest.mark.parametrize("read", [read_csv, read_coco, read_pairs, read_webdataset])
def test_each_reader_refuses_a_pipe(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="not a plain file"):
        read(tmp_path / "pipe")


def test_the_reader_of_parquet_refuses_a_pipe(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs clipeval[datasets]")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="not a plain file"):
        read_parquet(tmp_path / "pipe")
