"""A picture's source is sent to another process by its place, and reads the same bytes there."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from clipeval.data.load import load_dataset


def png(row: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), (row, 0, 0)).save(file, "PNG")
    return file.getvalue()


def folder(at: Path) -> Path:
    for row in range(3):
        (at / f"{row}.png").write_bytes(png(row))
        (at / f"{row}.txt").write_text(f"number {row}\n", encoding="utf-8")
    return at


def shard(at: Path) -> Path:
    with tarfile.open(at / "all.tar", "w") as archive:
        for row in range(3):
            for name, data in (
                (f"{row}.png", png(row)),
                (f"{row}.json", json.dumps({"caption": "one"}).encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return at / "all.tar"


def parquet(at: Path) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = {"image": [png(row) for row in range(3)], "caption": ["one", "two", "three"]}
    pq.write_table(pa.table(rows), at / "all.parquet", row_group_size=2)
    return at / "all.parquet"


@pytest.mark.parametrize("make", [folder, shard, parquet])
def test_a_source_that_has_travelled_reads_the_same_bytes(make, tmp_path: Path) -> None:
    sources = [item.picture for item in load_dataset(make(tmp_path)).items]
    sent = pickle.dumps(sources)
    assert all(png(row) not in sent for row in range(3))
    assert len(sent) < 2000
    assert [source.read() for source in pickle.loads(sent)] == [png(row) for row in range(3)]  # noqa: S301
