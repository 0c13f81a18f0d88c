"""Gallery rows 14 and 15: the scores are of other pictures than the captions, or of a part of them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipeval import evaluate, load_dataset, load_encoder
from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.file import load_baseline, save_baseline
from clipeval.baseline.snapshot import take_snapshot
from clipeval.core.verdict import Verdict
from clipeval.encoders.base import JointEncoder
from clipeval.errors import DatasetError, EncoderError, NotAvailableError, PictureError
from clipeval.evaluation.embed import embed_images
from clipeval.evaluation.store import embed_to_store


def png(colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 40, 90)).save(file, "PNG")
    return file.getvalue()


def test_row_14_rows_shift_behind_a_corrupt_file(captioned, tmp_path: Path) -> None:
    data = captioned(8)
    rows = np.eye(8, dtype=np.float32)
    kept = [0, 1, 2, 4, 5, 6, 7]  # picture 3 was corrupt, and the embedder went on without a word
    shifted = np.vstack([rows[kept], rows[:1]])
    np.savez(tmp_path / "shifted.npz", images=shifted, texts=rows)
    assert evaluate(load_encoder(f"frozen:{tmp_path}/shifted.npz"), data).ranks.i2t.hit_rate(1) < 0.5
    # with ids the gap is seen ...
    ids = {"caption_ids": np.array(data.caption_ids)}
    np.savez(tmp_path / "gap.npz", images=rows[kept], texts=rows, image_ids=np.array(data.ids)[kept], **ids)
    with pytest.raises(EncoderError, match=r"the first is 'pic003\.jpg'"):
        evaluate(load_encoder(f"frozen:{tmp_path}/gap.npz"), data)
    # ... without ids the count is, and in any order ids find their rows
    np.savez(tmp_path / "short.npz", images=rows[kept], texts=rows)
    with pytest.raises(EncoderError, match="7 rows without ids"):
        evaluate(load_encoder(f"frozen:{tmp_path}/short.npz"), data)
    order = np.random.default_rng(0).permutation(8)
    np.savez(
        tmp_path / "right.npz", images=rows[order], texts=rows, image_ids=np.array(data.ids)[order], **ids
    )
    assert evaluate(load_encoder(f"frozen:{tmp_path}/right.npz"), data).ranks.i2t.hit_rate(1) == 1


def test_row_14_a_corrupt_picture_is_named_and_nothing_goes_on_without_it(tmp_path: Path) -> None:
    class MeanColour(JointEncoder):
        name = "colour"
        fingerprint = {"weights": "none"}  # noqa: RUF012

        def encode_images(self, pictures):
            return np.array([np.asarray(picture).mean(axis=(0, 1)) for picture in pictures], dtype=np.float32)

        def encode_texts(self, texts):
            return np.ones((len(texts), 3), dtype=np.float32)

    rows = [{"image": f"{n}.png", "captions": [f"colour {n}"]} for n in range(4)]
    (tmp_path / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    for n in range(4):
        (tmp_path / f"{n}.png").write_bytes(png(60 * n))
    whole = embed_images(MeanColour(), load_dataset(tmp_path)).rows
    assert whole[:, 0].tolist() == [0, 60, 120, 180]
    (tmp_path / "1.png").write_bytes(png(60)[:40])
    with pytest.raises(PictureError, match=r"1\.png"):
        embed_images(MeanColour(), load_dataset(tmp_path))


def shard(path: Path, keys: range) -> None:
    with tarfile.open(path, "w") as tar:
        for key in keys:
            for name, data in (
                (f"{key:03}.png", png(key)),
                (f"{key:03}.txt", f"caption {key}".encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def test_row_15_one_shard_of_many_evaluated_as_the_whole(tmp_path: Path) -> None:
    for number in range(3):
        shard(tmp_path / f"val-{number:03}.tar", range(4 * number, 4 * number + 4))
    assert load_dataset(tmp_path).n_images == 12
    with pytest.warns(UserWarning, match="one of 3 shards"):
        part = load_dataset(tmp_path / "val-000.tar")
    assert (part.n_images, part.name) == (4, "val-000")  # the name says which part it is
    (tmp_path / "val-001.tar").unlink()
    with pytest.raises(DatasetError, match="shard 1 of the series 'val' is missing"):
        load_dataset(tmp_path)


class Colour(JointEncoder):
    """Rows without weights, and a stop after so many batches."""

    name = "colour"
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def __init__(self, batches: int = 1000) -> None:
        self.left = batches

    def encode_images(self, pictures):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return np.array([np.asarray(picture)[0, 0] for picture in pictures], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(text), int(text.split()[1]), 1] for text in texts], dtype=np.float32)


def test_row_15_the_last_shards_are_absent(tmp_path: Path) -> None:
    """Shards 0 and 1 of 3 look whole: only a manifest, here that of a baseline, can tell."""
    folder, kept = tmp_path / "shards", tmp_path / "kept.json"
    folder.mkdir()
    for number in range(3):
        shard(folder / f"val-{number:03}.tar", range(4 * number, 4 * number + 4))

    def verdict() -> tuple[Verdict, int]:
        evaluation = evaluate(Colour(), load_dataset(folder))
        new = take_snapshot(evaluation, fingerprint=Colour.fingerprint, data=str(folder))
        if not kept.exists():
            save_baseline(kept, new)
        result = compare_snapshots(load_baseline(kept), new)
        return result.verdict, len(result.data.removed)

    assert verdict() == (Verdict.HOLDS, 0)
    (folder / "val-002.tar").unlink()
    assert load_dataset(folder).n_images == 8  # nothing looks wrong
    assert verdict() == (Verdict.NOT_RUN, 4)


def test_row_15_the_last_shards_of_an_embedding_store_are_absent(tmp_path: Path) -> None:
    """The shards that are there look whole; the manifest says how many there are to be."""
    for number in range(3):
        shard(tmp_path / f"val-{number:03}.tar", range(32 * number, 32 * number + 32))
    data = load_dataset(tmp_path)
    for batches in range(3):
        with pytest.raises(KeyboardInterrupt):
            embed_to_store(Colour(batches), data, tmp_path / f"part{batches}", shard_size=32)
        with pytest.raises(NotAvailableError, match=f"it holds {1 + batches} of 4 shards"):
            load_encoder(f"frozen:{tmp_path}/part{batches}")
    store = tmp_path / "store"
    embed_to_store(Colour(), data, store, shard_size=32)
    assert len(evaluate(load_encoder(f"frozen:{store}"), data).images) == 96
    (store / "images-00002.safetensors").unlink()
    with pytest.raises(EncoderError, match="the shard is absent"):
        load_encoder(f"frozen:{store}")
