"""Stores of the first schema, as an earlier clipeval made them, are read, finished and appended to."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.encoders.base import JointEncoder
from clipeval.errors import DatasetError, EncoderError, NotAvailableError
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.evaluation.store import embed_to_store

# made by the last version that wrote this schema, of `numbered(range(40))`, 32 rows in a shard of pictures
MADE_BEFORE = Path(__file__).resolve().parents[3] / "fixtures" / "store-version-1"
SETTINGS = {"batch size": "32"}


def numbered(numbers: Iterable[int], *, name: str = "numbered") -> Dataset:
    """Items of these numbers: 36 distinct pictures, bytes that depend on no library, one common caption."""
    return Dataset(
        name,
        tuple(
            Item(
                f"item{n}.bmp",
                (f"caption {n}", "the same"),
                PictureSource(f"item{n}.bmp", lambda n=n: bitmap(n % 36)),
            )
            for n in numbers
        ),
    )


def bitmap(number: int) -> bytes:
    """A BMP of one pixel, red by the number."""
    head = struct.pack("<2sIHHI", b"BM", 58, 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    return head + info + bytes([2, 1, number, 0])


class ReadsNumbers(JointEncoder):
    """Rows that tell their input and, in the last bits, their place in the batch."""

    name = "numbers:encoder"
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def encode_images(self, pictures: Sequence[Any]) -> np.ndarray:
        return self._placed([[picture.getpixel((0, 0))[0], 1, 2] for picture in pictures])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._placed([[len(text), sum(map(ord, text)), 3] for text in texts])

    @staticmethod
    def _placed(rows: list[list[int]]) -> np.ndarray:
        place = np.arange(len(rows), dtype=np.float32)[:, None]
        return np.array(rows, dtype=np.float32) + place / np.float32(4096)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MADE_BEFORE, tmp_path / "store"))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_it_is_read(store: Path) -> None:
    played, data = load_encoder(f"frozen:{store}"), numbered(range(40))
    assert played.play_images(data.ids).tobytes() == embed_images(ReadsNumbers(), data).rows.tobytes()
    assert played.play_texts(data.caption_ids).tobytes() == embed_texts(ReadsNumbers(), data).rows.tobytes()


def test_the_same_job_leaves_it_as_it_is(store: Path) -> None:
    done = embed_to_store(ReadsNumbers(), numbered(range(40)), store, settings=SETTINGS)
    assert (done.made, done.kept, content(store)) == (0, 3, content(MADE_BEFORE))


@pytest.mark.parametrize("name", ["images-00001.safetensors", "texts-00000.safetensors"])
def test_what_is_missing_is_made_as_it_was(store: Path, name: str) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    side = document[name.partition("-")[0]]
    side["shards"] = [shard for shard in side["shards"] if shard["file"] != name]
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    (store / name).unlink()
    with pytest.raises(NotAvailableError, match="it holds 2 of 3 shards"):
        load_encoder(f"frozen:{store}")
    done = embed_to_store(ReadsNumbers(), numbered(range(40)), store, settings=SETTINGS)
    assert (done.made, content(store)) == (1, content(MADE_BEFORE))


def test_it_is_appended_to_and_knows_its_items_from_then_on(store: Path) -> None:
    grown = numbered([70, *range(20), 60, 61, *range(20, 40)])
    done = embed_to_store(ReadsNumbers(), grown, store, append=True, settings=SETTINGS)
    # the pictures of 60, 61 and 70 are those of 24, 25 and 34
    assert (done.appended, done.encoded, done.made, done.kept) == (3, 3, 1, 3)
    before = {name: data for name, data in content(MADE_BEFORE).items() if name != "manifest.json"}
    assert {name: content(store)[name] for name in before} == before
    played = load_encoder(f"frozen:{store}")
    assert played.play_images(["item70.bmp"]).tobytes() == played.play_images(["item34.bmp"]).tobytes()
    old = numbered(range(40))
    assert played.play_texts(old.caption_ids).tobytes() == embed_texts(ReadsNumbers(), old).rows.tobytes()
    assert embed_to_store(ReadsNumbers(), grown, store, settings=SETTINGS).made == 0

    turned = numbered([90, *reversed(range(40)), 61, 60, 70])
    assert embed_to_store(ReadsNumbers(), turned, store, append=True, settings=SETTINGS).appended == 1
    items = (replace(item, captions=("else",)) if item.id == "item9.bmp" else item for item in turned.items)
    with pytest.raises(DatasetError, match=r"the item 'item9\.bmp' has other captions"):
        embed_to_store(ReadsNumbers(), Dataset("else", tuple(items)), store, append=True, settings=SETTINGS)
    assert {name: content(store)[name] for name in before} == before


def test_a_shard_of_it_that_is_damaged_after_an_append_is_made_again_as_it_was(store: Path) -> None:
    grown = numbered(range(45))
    embed_to_store(ReadsNumbers(), grown, store, append=True, settings=SETTINGS)
    before = content(store)
    (store / "images-00000.safetensors").write_bytes(b"broken")
    done = embed_to_store(ReadsNumbers(), grown, store, settings=SETTINGS)
    assert (done.mended, content(store)) == (("images-00000.safetensors",), before)


def test_an_append_that_is_stopped_leaves_it_readable_and_goes_on(store: Path, tmp_path: Path) -> None:
    grown = Dataset("grown", (*numbered(range(40)).items, item_with_picture_of(200)))
    encoder = ReadsNumbers()
    encoder.encode_images = stop  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        embed_to_store(encoder, grown, store, append=True, settings=SETTINGS)
    assert (store / "manifest.json").read_bytes() == (MADE_BEFORE / "manifest.json").read_bytes()
    assert load_encoder(f"frozen:{store}").play_images(["item3.bmp"]).shape == (1, 3)
    embed_to_store(ReadsNumbers(), grown, store, append=True, settings=SETTINGS)
    whole = Path(shutil.copytree(MADE_BEFORE, tmp_path / "whole"))
    embed_to_store(ReadsNumbers(), grown, whole, append=True, settings=SETTINGS)
    assert content(store) == content(whole)


def item_with_picture_of(number: int) -> Item:
    return Item(f"item{number}", (f"caption {number}",), PictureSource("x", lambda: bitmap(number)))


def stop(_: object) -> None:
    raise KeyboardInterrupt


def test_what_has_changed_is_refused_though_it_cannot_be_named(store: Path) -> None:
    grown = numbered(range(41))
    for items, words in (
        (
            (grown.items[1], grown.items[0], *grown.items[2:]),
            "something of the 40 items in the store has changed",
        ),
        (
            (replace(grown.items[0], captions=("else", "the same")), *grown.items[1:]),
            "something of the 40 items",
        ),
        ((replace(grown.items[0], picture=grown.items[1].picture), *grown.items[1:]), "something of the 40"),
        (grown.items[2:], "2 of the 40 items in the store are not in this dataset, the first is 'item"),
    ):
        for append in (True, False):
            with pytest.raises(DatasetError, match=words):
                embed_to_store(ReadsNumbers(), Dataset("x", items), store, append=append, settings=SETTINGS)
    with pytest.raises(DatasetError, match="has grown") as refusal:
        embed_to_store(ReadsNumbers(), grown, store, settings=SETTINGS)
    assert "--append" in str(refusal.value.fix)
    assert content(store) == content(MADE_BEFORE)


def test_a_damaged_one_is_to_be_mended_with_its_own_dataset_first(store: Path) -> None:
    (store / "images-00001.safetensors").write_bytes(b"broken")
    with pytest.raises(EncoderError, match="truncated") as refusal:
        embed_to_store(ReadsNumbers(), numbered(range(41)), store, append=True, settings=SETTINGS)
    assert "(DATA: the dataset 'numbered') makes it again" in str(refusal.value.fix)
    embed_to_store(ReadsNumbers(), numbered(range(40)), store, settings=SETTINGS)
    assert content(store) == content(MADE_BEFORE)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("dataset",), [], "this is a list, not a JSON object"),
        (("dataset", "images"), 35, "36 distinct images of 35"),
        (("dataset", "sha256"), "x", "'sha256' must be a SHA-256"),
        (("images", "rows"), 0, "'rows' must be a whole number from 1"),
        (("images", "rows"), 35, "'images-00001.safetensors' must have 3 rows"),
        (("images", "shards", 0, "file"), "../x.safetensors", "is no name of a shard of this store"),
        (("schema",), "clipeval-store/2", "there is no 'portions'"),
    ],
    ids=lambda part: str(part)[:30],
)
def test_a_hostile_one_is_a_clear_error(
    store: Path, place: tuple[Any, ...], value: object, words: str
) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=words):
        load_encoder(f"frozen:{store}")
