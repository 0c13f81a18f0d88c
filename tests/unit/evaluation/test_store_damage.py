"""Stores that are broken or hostile: each is refused with its name, and what can be mended is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipeval import load_encoder
from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.encoders.base import JointEncoder
from clipeval.encoders.store_shard import shard_bytes
from clipeval.errors import ClipevalError, EncoderError, NotAvailableError
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.evaluation.store import embed_to_store


@pytest.fixture
def sixty(coloured):
    """Sixty distinct pictures: two shards of pictures and one of captions."""
    return coloured(*[(n, f"caption {n}") for n in range(60)])


@pytest.fixture
def store(counting, sixty, tmp_path: Path) -> Path:
    embed_to_store(counting(), sixty, tmp_path / "store", shard_size=32)
    shutil.copytree(tmp_path / "store", tmp_path / "sound")
    return tmp_path / "store"


SHARD = "images-00001.safetensors"


def absent(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def of_other_rows(path: Path) -> None:
    rows = np.ones((28, 8), dtype=np.float32)
    parts = shard_bytes(rows, [[f"x{n}"] for n in range(28)], kind="images", plan="other", number=1)
    path.write_bytes(b"".join(parts))


def no_shard(path: Path) -> None:
    path.write_bytes(b"\xff" * 500)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [absent, truncated, cut_in_the_header, empty, one_bit, of_other_rows, no_shard]


@pytest.mark.parametrize("damage", [*DAMAGES, a_folder])
def test_a_damaged_shard_is_named_and_nothing_is_read(store: Path, damage: Callable[[Path], None]) -> None:
    damage(store / SHARD)
    with pytest.raises(EncoderError) as refusal:
        load_encoder(f"frozen:{store}")
    assert f"shard '{SHARD}'" in str(refusal.value.where)
    assert "makes it again" in str(refusal.value.fix)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_job_mends_a_damaged_shard_and_encodes_nothing_else(
    store: Path, counting, sixty, damage: Callable[[Path], None]
) -> None:
    damage(store / SHARD)
    there = (store / SHARD).exists()
    encoder = counting()
    done = embed_to_store(encoder, sixty, store)
    assert (len(encoder.images), encoder.texts, done.made) == (28, [], 1)
    assert done.mended == ((SHARD,) if there or damage is absent else ())
    for path in (store.parent / "sound").iterdir():
        assert (store / path.name).read_bytes() == path.read_bytes()


def test_a_shard_of_another_store_is_not_taken_over(store: Path, counting, sixty, tmp_path: Path) -> None:
    other = counting(words={"name": "another model"})
    embed_to_store(other, sixty, tmp_path / "other", shard_size=32)
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"]["shards"] = document["images"]["shards"][:1]
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    shutil.copy(tmp_path / "other" / SHARD, store / SHARD)
    assert embed_to_store(counting(), sixty, store).mended == (SHARD,)
    for path in (tmp_path / "sound").iterdir():
        assert (store / path.name).read_bytes() == path.read_bytes()


def test_an_id_in_two_rows_is_refused(store: Path) -> None:
    path = store / SHARD
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    ids = [[f"x{n}"] for n in range(27)] + [["x0"]]
    rows = np.ones((28, 8), dtype=np.float32)
    plan = header["__metadata__"]["plan"]
    _replaced(store, b"".join(shard_bytes(rows, ids, kind="images", plan=plan, number=1)))
    with pytest.raises(EncoderError, match="the id 'x0' is used twice"):
        load_encoder(f"frozen:{store}")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([["a"]] * 3, "not a list of ids for each of 28 rows"),
        ([[]] * 28, "not a list of ids for each of 28 rows"),
        (
            [[f"x{n}"] for n in range(27)] + [["y", "z"]],
            "the shards hold 61 ids of images, the manifest says 60",
        ),
    ],
)
def test_ids_that_do_not_fit_the_rows_are_refused(store: Path, ids: list[list[str]], words: str) -> None:
    rows = np.ones((28, 8), dtype=np.float32)
    _replaced(store, b"".join(shard_bytes(rows, ids, kind="images", plan="", number=1)))
    with pytest.raises(EncoderError, match=words):
        load_encoder(f"frozen:{store}")


def test_rows_that_are_not_finite_are_refused_when_played(store: Path, sixty) -> None:
    rows = np.full((28, 8), np.nan, dtype=np.float32)
    data = (store / SHARD).read_bytes()
    ids = json.loads(data[data.rindex(b"[[") :])
    _replaced(store, b"".join(shard_bytes(rows, ids, kind="images", plan="", number=1)))
    with pytest.raises(EncoderError, match="NaN or infinity"):
        load_encoder(f"frozen:{store}").play_images(sixty.ids)


def _replaced(store: Path, shard: bytes) -> None:
    """Put a shard in place as a forger would: with its hash in the manifest."""
    import hashlib

    (store / SHARD).write_bytes(shard)
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"]["shards"][1]["sha256"] = hashlib.sha256(shard).hexdigest()
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")


HOSTILE: list[tuple[tuple[Any, ...], Any, str]] = [
    (("schema",), "clipeval-store/9", "the store's schema is 'clipeval-store/9'"),
    (("schema",), 1, "'schema' must be text"),
    (("dtype",), "float8", "the rows are float8"),
    (("width",), -1, "'width' must be a whole number from 1"),
    (("width",), 10**30, "'width' must be a whole number from 1"),
    (("width",), None, "there are shards, but 'width' is null"),
    (("width",), 9, "the shard is 32 x 8, the manifest says 32 x 9"),
    (("model",), ["a"], "'model' must be text"),
    (("fingerprint",), {"a": 1}, "'fingerprint' must be an object of texts"),
    (("portions",), [], "'portions' must hold 1 to 1,048,576 entries"),
    (("portions",), {}, "'portions' is not a list"),
    (("portions", 0), None, "this is a NoneType, not a JSON object"),
    (("portions", 0, "dataset"), [], "this is a list, not a JSON object"),
    (("portions", 0, "dataset", "images"), True, "'images' must be a whole number"),
    (("portions", 0, "dataset", "images"), 59, "60 distinct images of 59"),
    (("portions", 0, "dataset", "sha256"), "../../etc/passwd", "'sha256' must be a SHA-256"),
    (("portions", 0, "items", "file"), "../secret.safetensors", "'file' must be 'items-00000.safetensors'"),
    (("portions", 0, "items", "sha256"), "x", "'sha256' must be a SHA-256"),
    (("portions", 0, "plan"), "x", "'plan' must be a SHA-256"),
    (("portions", 0, "rows", "images"), 1e9, "'images' must be a whole number"),
    (("portions", 0, "rows", "images"), 0, "'images' must be a whole number from 1"),
    (("images",), None, "this is a NoneType, not a JSON object"),
    (("images", "rows_per_shard"), 0, "'rows_per_shard' must be a whole number from 1"),
    (("images", "shards"), {}, "'shards' is not a list"),
    (("images", "shards", 0), "x", "this is a str, not a JSON object"),
    (("images", "shards", 0, "file"), "../secret.safetensors", "is no name of a shard of this store"),
    (("images", "shards", 0, "file"), "/etc/passwd", "is no name of a shard of this store"),
    (("images", "shards", 0, "file"), "images-00007.safetensors", "is no name of a shard of this store"),
    (("images", "shards", 0, "file"), "images-00001.safetensors", "must have 28 rows"),
    (("images", "shards", 1, "rows"), 32, "'images-00001.safetensors' must have 28 rows"),
    (("images", "shards", 1, "sha256"), "0" * 64, "the shard was altered"),
]


@pytest.mark.parametrize(("place", "value", "words"), HOSTILE, ids=lambda part: str(part)[:40])
def test_a_hostile_manifest_is_a_clear_error(
    store: Path, place: tuple[Any, ...], value: object, words: str
) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=words) as refusal:
        load_encoder(f"frozen:{store}")
    assert str(refusal.value.where).startswith("store")


def test_a_shard_that_is_listed_twice_is_refused(store: Path) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"]["shards"][1] = document["images"]["shards"][0]
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"'images-00000\.safetensors' is listed twice"):
        load_encoder(f"frozen:{store}")


def test_more_shards_than_anybody_has_are_not_counted_out(store: Path) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"]["rows_per_shard"] = 1
    document["portions"][0]["rows"]["images"] = document["portions"][0]["dataset"]["images"] = 2**39
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match="shards are more than the"):
        load_encoder(f"frozen:{store}")


@pytest.mark.parametrize("key", ["schema", "model", "images", "texts", "portions", "width", "recipe"])
def test_an_entry_that_is_missing_is_named(store: Path, key: str) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    del document[key]
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=f"there is no '{key}'"):
        load_encoder(f"frozen:{store}")


@pytest.mark.parametrize(
    "text", [b"", b"[", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000], ids=lambda t: str(t[:4])
)
def test_a_manifest_that_is_no_json_is_refused(store: Path, text: bytes) -> None:
    (store / "manifest.json").write_bytes(text)
    with pytest.raises(EncoderError, match="the manifest cannot be read"):
        load_encoder(f"frozen:{store}")


def test_a_manifest_that_lists_fewer_shards_is_a_part(store: Path) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"]["shards"] = document["images"]["shards"][:1]
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(NotAvailableError, match="it holds 2 of 3 shards"):
        load_encoder(f"frozen:{store}")


def test_a_manifest_with_other_numbers_of_rows_is_not_gone_on_with(store: Path, counting, sixty) -> None:
    document = json.loads((store / "manifest.json").read_bytes())
    document["images"] |= {"rows_per_shard": 33, "shards": []}
    (store / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match="the manifest was altered"):
        embed_to_store(counting(), sixty, store)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_byte_is_changed_other_rows_are_never_played(one_store: tuple[Path, Any], data) -> None:
    store, dataset = one_store
    path = data.draw(st.sampled_from(sorted(p for p in store.iterdir() if p.name != ".lock")))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    try:
        encoder = load_encoder(f"frozen:{store}")
        images, texts = encoder.play_images(dataset.ids), encoder.play_texts(dataset.caption_ids)
    except ClipevalError:
        assert path.read_bytes() != whole
    else:
        # what the first items were is read by an append only
        assert path.name in ("manifest.json", "items-00000.safetensors") or path.read_bytes() == whole
        assert images.tobytes() == embed_images(Counting(), dataset).rows.tobytes()
        assert texts.tobytes() == embed_texts(Counting(), dataset).rows.tobytes()
    finally:
        path.write_bytes(whole)


class Counting(JointEncoder):
    """Rows that tell their input, wherever it stands in a batch."""

    name = "counting"
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def encode_images(self, pictures):
        return np.array([picture.getpixel((0, 0)) for picture in pictures], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(text), int(text.split()[1]), 1] for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    import io

    from PIL import Image

    items = []
    for n in range(40):
        file = io.BytesIO()
        Image.new("RGB", (2, 2), (n, 1, 2)).save(file, "BMP")
        items.append(Item(f"{n}.bmp", (f"caption {n}",), PictureSource(str(n), file.getvalue)))
    dataset = Dataset("forty", tuple(items))
    store = tmp_path_factory.mktemp("one") / "store"
    embed_to_store(Counting(), dataset, store, shard_size=32)
    twin = Item("twin.bmp", ("caption 3", "caption 77"), items[3].picture)
    grown = Dataset("grown", (twin, *dataset.items))
    embed_to_store(Counting(), grown, store, append=True)
    return store, grown
