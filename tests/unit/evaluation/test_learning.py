"""Bridges learn from training pairs, once, and are never scored on what they have learned from."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval import evaluate, load_dataset, load_encoder
from clipeval.core.bridges.fit import Wish, fit_bridge
from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.encoders.bridge_file import bridge_content
from clipeval.encoders.learned import LearnedPreClip, UnlearnedPreClip
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.learning import learn, learned, save_bridge
from clipeval.evaluation.unseen import SeenItemsError

WIDTHS = (6, 5)


def rows_of(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two noisy views of the same hidden rows: one picture and two captions each."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 3))
    maps = [np.random.default_rng(9).normal(size=(3, width)) for width in WIDTHS]
    images = hidden @ maps[0] + 0.05 * rng.normal(size=(n, WIDTHS[0]))
    texts = np.repeat(hidden, 2, axis=0) @ maps[1] + 0.05 * rng.normal(size=(2 * n, WIDTHS[1]))
    return images.astype(np.float32), texts.astype(np.float32)


def picture(folder: Path, name: str, colour: tuple[int, int, int], **how: Any) -> None:
    Image.new("RGB", (6, 4), colour).save(folder / name, **how)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Forty training pictures in ``train``, twelve others in ``test``, and one file of rows for both."""
    images, texts = rows_of(52)
    ids = {"images": [], "texts": []}
    for part, span in (("train", range(40)), ("test", range(40, 52))):
        folder = tmp_path / part
        folder.mkdir()
        entries = []
        for n in span:
            picture(folder, f"{part}{n}.png", (n, 7, 90))
            entries.append({"image": f"{part}{n}.png", "captions": [f"number {n}", f"thing {n}"]})
            ids["images"].append(f"{part}{n}.png")
            ids["texts"] += [f"{part}{n}.png#0", f"{part}{n}.png#1"]
        (folder / "metadata.json").write_text(json.dumps(entries))
    np.savez(
        tmp_path / "rows.npz", images=images, texts=texts, image_ids=ids["images"], caption_ids=ids["texts"]
    )
    return tmp_path


def spec_of(world: Path, kind: str = "procrustes", *, fit: str = "train", more: str = "") -> str:
    rows = f"frozen:{world}/rows.npz"
    return f"preclip:{rows}+{rows}?projection={kind}&fit={world}/{fit}{more}"


def test_an_evaluation_learns_from_the_training_pairs_and_scores_the_others(world: Path) -> None:
    test = load_dataset(world / "test")
    found = evaluate(load_encoder(spec_of(world)), test)
    images, texts = rows_of(52)
    owner = np.repeat(np.arange(40), 2)
    slow = fit_bridge(Wish("procrustes"), images[:40], texts[:80], owner)
    assert np.array_equal(found.images, slow.images(images[40:]))
    assert np.array_equal(found.texts, slow.texts(texts[80:]))
    assert found.learned is not None
    assert (found.learned.name, found.learned.n_images, found.learned.n_captions) == ("train", 40, 80)
    assert found.ranks.t2i.hit_rate(1) > 0.5


def test_the_training_rates_are_those_of_the_training_pairs_among_each_other(world: Path) -> None:
    from clipeval import rank_retrieval

    encoder = learned(load_encoder(spec_of(world)))
    assert isinstance(encoder, LearnedPreClip)
    images, texts = rows_of(52)
    ranks = rank_retrieval(
        encoder.bridge_images(images[:40]), encoder.bridge_texts(texts[:80]), np.repeat(np.arange(40), 2)
    )
    rates = encoder.training.rates
    assert rates["t2i"]["hit_rate@1"].value == ranks.t2i.hit_rate(1)
    assert rates["i2t"]["hit_rate@5"].value == ranks.i2t.hit_rate(5)
    assert rates["t2i"]["hit_rate@1"].chance == pytest.approx(1 / 40)
    assert rates["t2i"]["hit_rate@1"].low < rates["t2i"]["hit_rate@1"].value


@pytest.mark.parametrize("kind", ["procrustes", "ridge", "cca", "relative", "asif"])
def test_a_bridge_from_its_file_gives_the_same_rows_to_the_bit(world: Path, kind: str) -> None:
    loaded = load_encoder(spec_of(world, kind))
    assert isinstance(loaded, UnlearnedPreClip)
    first = learn(loaded)
    save_bridge(world / "kept" / "bridge.safetensors", first, loaded.wish)
    again = load_encoder(spec_of(world, kind, fit="kept/bridge.safetensors"))
    images, texts = rows_of(52)
    assert np.array_equal(first.bridge_images(images), again.bridge_images(images))
    assert np.array_equal(first.bridge_texts(texts), again.bridge_texts(texts))
    assert first.fingerprint == again.fingerprint
    assert bridge_content(first, loaded.wish) == bridge_content(learn(loaded), loaded.wish)


def test_a_second_run_takes_the_bridge_from_the_cache(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = EmbeddingCache(world / "cache")
    first = learned(load_encoder(spec_of(world, "ridge")), cache=cache)
    monkeypatch.setattr("clipeval.evaluation.learning.fit_bridge", None)  # would not be callable
    again = learned(load_encoder(spec_of(world, "ridge")), cache=cache)
    images, _ = rows_of(3)
    assert np.array_equal(first.bridge_images(images), again.bridge_images(images))
    with pytest.raises(TypeError):
        learned(load_encoder(spec_of(world, "ridge", more="&strength=0.5")), cache=cache)


def test_a_damaged_file_in_the_cache_is_learned_again(world: Path) -> None:
    cache = EmbeddingCache(world / "cache")
    learned(load_encoder(spec_of(world)), cache=cache)
    (kept,) = (world / "cache" / "bridges").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert isinstance(learned(load_encoder(spec_of(world)), cache=cache), LearnedPreClip)
    assert kept.read_bytes() == whole


def test_the_training_dataset_itself_is_refused_with_the_way_out(world: Path) -> None:
    with pytest.raises(SeenItemsError) as refusal:
        evaluate(load_encoder(spec_of(world)), load_dataset(world / "train"))
    text = str(refusal.value)
    assert "learned from 40 of the 40 items" in text
    assert "'train0.png' (the same picture)" in text
    assert "part=train" in text
    assert "train#test" in text


def test_the_two_parts_of_one_dataset_may_be_learned_from_and_scored(world: Path) -> None:
    encoder = load_encoder(spec_of(world, more="&part=train"))
    found = evaluate(encoder, load_dataset(f"{world}/train#test"))
    assert found.learned is not None
    assert found.learned.name == "train#train"
    assert found.learned.n_images + found.dataset.n_images == 40
    with pytest.raises(SeenItemsError, match=f"from {found.learned.n_images} of the 40 items"):
        evaluate(encoder, load_dataset(world / "train"))


def test_a_picture_in_two_files_in_both_parts_is_refused_with_what_to_do(world: Path) -> None:
    whole = f"{world}/train"
    learned, held = (load_dataset(f"{whole}#{part}").ids[0] for part in ("train", "test"))
    colour = (int(learned.removeprefix("train").removesuffix(".png")), 7, 90)
    picture(world / "train", held, colour, compress_level=0)
    with pytest.raises(SeenItemsError, match="the same pixels") as refusal:
        evaluate(load_encoder(spec_of(world, more="&part=train")), load_dataset(f"{whole}#test"))
    assert "delete one of each two files that show the same picture" in str(refusal.value)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda train, name: picture_copy(train / "train3.png", name), "the same picture"),
        (
            lambda train, name: picture(name.parent, name.name, (3, 7, 90), compress_level=0),
            "the same pixels",
        ),
        (lambda train, name: picture(name.parent, name.name, (3, 7, 90), format="BMP"), "the same pixels"),
    ],
)
def test_a_training_picture_is_known_in_any_file(world: Path, make: Callable[..., None], why: str) -> None:
    make(world / "train", world / "test" / "test45.png")
    with pytest.raises(SeenItemsError, match=rf"1 of the 12 items.*'test45.png' \({why}\)"):
        evaluate(load_encoder(spec_of(world)), load_dataset(world / "test"))


def picture_copy(old: Path, new: Path) -> None:
    new.write_bytes(old.read_bytes())


def test_an_id_that_two_datasets_share_is_no_training_item(world: Path) -> None:
    """Numbers as names are common: with pictures on both sides the pictures decide."""
    train = load_dataset(world / "train")
    other = [
        dataclasses.replace(item, id=train.ids[n], captions=(f"new {n}",))
        for n, item in enumerate(load_dataset(world / "test").items)
    ]
    rows = world / "rows.npz"
    spec = f"preclip:frozen:{rows}+frozen:{rows}?projection=procrustes&fit={world}/train"
    found = evaluate(load_encoder(spec), only_first_caption(Dataset("other", tuple(other))))
    assert found.learned is not None


def only_first_caption(data: Dataset) -> Dataset:
    return Dataset(
        data.name, tuple(dataclasses.replace(one, captions=one.captions[:1]) for one in data.items)
    )


def test_without_pictures_the_id_and_a_caption_stand_for_them(world: Path) -> None:
    train = load_dataset(world / "train")
    bare = Dataset("bare", tuple(dataclasses.replace(item, picture=None) for item in train.items[:5]))
    with pytest.raises(SeenItemsError, match=r"5 of the 5 items.*the same id and caption"):
        evaluate(load_encoder(spec_of(world)), bare)


def test_equal_captions_of_other_pictures_are_counted_and_not_refused(world: Path) -> None:
    test = load_dataset(world / "test")
    items = [
        dataclasses.replace(item, captions=("number 3", item.captions[1])) if n < 4 else item
        for n, item in enumerate(test.items)
    ]
    found = evaluate(load_encoder(spec_of(world)), Dataset("test", tuple(items)))
    assert found.learned is not None
    assert found.learned.equal_captions == 4


def test_a_saved_bridge_remembers_what_it_has_seen(world: Path) -> None:
    loaded = load_encoder(spec_of(world))
    assert isinstance(loaded, UnlearnedPreClip)
    save_bridge(world / "b.safetensors", learn(loaded), loaded.wish)
    kept = load_encoder(spec_of(world, fit="b.safetensors"))
    with pytest.raises(SeenItemsError, match="40 of the 40"):
        evaluate(kept, load_dataset(world / "train"))
    assert str(world) not in (world / "b.safetensors").read_bytes().decode("latin-1").replace(
        kept.fingerprint["image: model"], ""
    )


def test_a_bridge_that_has_not_learned_encodes_nothing(world: Path) -> None:
    with pytest.raises(EncoderError, match="has not learned"):
        load_encoder(spec_of(world)).bridge_images(np.eye(6, dtype=np.float32))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "cannot read the bridge"),
        (lambda path: path.write_bytes(b""), "cannot read the bridge"),
        (lambda path: path.unlink(), "there is no file"),
        (lambda path: alter(path, "image_mean", lambda a: a * np.nan), "'image_mean' holds NaN"),
        (lambda path: alter(path, "image_mean", lambda a: a[:4]), "does not fit the image tower"),
        (lambda path: alter(path, "seen_pictures", None), "cannot read the bridge"),
        (lambda path: other_file(path), "the file is no bridge"),
        (lambda path: other_facts(path, wish=None), "cannot read the bridge"),
        (lambda path: other_facts(path, towers={}), "cannot read the bridge"),
        (lambda path: other_facts(path, training={"rates": {"i2t": {"a": {"value": "x"}}}}), "cannot read"),
    ],
)
def test_a_broken_bridge_file_is_refused_by_name(
    world: Path, damage: Callable[[Path], None], words: str
) -> None:
    loaded = load_encoder(spec_of(world))
    assert isinstance(loaded, UnlearnedPreClip)
    path = world / "b.safetensors"
    save_bridge(path, learn(loaded), loaded.wish)
    damage(path)
    with pytest.raises((EncoderError, NotAvailableError), match=words) as refusal:
        load_encoder(spec_of(world, fit="b.safetensors"))
    assert "b.safetensors" in str(refusal.value)


def alter(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray] | None) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    if change is None:
        del tensors[name]
    else:
        tensors[name] = np.ascontiguousarray(change(tensors[name]))
    save_file(tensors, path, metadata)


def other_facts(path: Path, **changes: Any) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["clipeval"])
    save_file(load_file(path), path, {"clipeval": json.dumps(facts | changes)})


def other_file(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"images": np.eye(2)}, path)


def test_a_bridge_of_another_kind_or_other_networks_is_refused(world: Path) -> None:
    loaded = load_encoder(spec_of(world))
    assert isinstance(loaded, UnlearnedPreClip)
    first = learn(loaded)
    save_bridge(world / "b.safetensors", first, loaded.wish)
    with pytest.raises(EncoderError, match="of the kind 'procrustes', not 'ridge'"):
        load_encoder(spec_of(world, "ridge", fit="b.safetensors"))

    class Network:
        width = 6
        fingerprint = {"family": "preclip", "model": "resnet50", "weights": "aa"}  # noqa: RUF012

    class Other(Network):
        fingerprint = {"family": "preclip", "model": "resnet50", "weights": "bb"}  # noqa: RUF012

    from clipeval.encoders.bridge_file import read_bridge
    from clipeval.encoders.towers import Towers

    of_network = dataclasses.replace(first, image=Network())
    save_bridge(world / "n.safetensors", of_network, loaded.wish)
    assert read_bridge(world / "n.safetensors", Towers("x", Network(), first.text))
    with pytest.raises(EncoderError, match="another image tower: its weights is aa, here it is bb"):
        read_bridge(world / "n.safetensors", Towers("x", Other(), first.text))


def test_too_few_pairs_to_choose_a_parameter_say_so(world: Path) -> None:
    entries = json.loads((world / "train" / "metadata.json").read_text())[:6]
    (world / "train" / "metadata.json").write_text(json.dumps(entries))
    with pytest.raises(EncoderError, match="6 independent pairs are too few"):
        learned(load_encoder(spec_of(world, "ridge")))
    assert learned(load_encoder(spec_of(world, "ridge", more="&strength=0.1")))


def test_offline_fetches_no_training_pairs(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a socket was opened"))
    spec = spec_of(world, "ridge").replace(f"fit={world}/train", "fit=https://host/train")
    assert "https://" in spec
    with pytest.raises(NotAvailableError, match="which --offline closes"):
        learned(load_encoder(spec, offline=True))


def test_networks_learn_through_batches_and_the_cache(
    world: Path, counting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The towers' rows of training pairs are kept like all others: another bridge encodes nothing."""
    image, text = counting(width=6, words={"tower": "i"}), counting(width=5, words={"tower": "t"})
    encoder = UnlearnedPreClip("x:y", image, text, Wish("procrustes"), f"{world}/train")
    cache = EmbeddingCache(world / "cache")
    steps: list[str] = []
    learned(encoder, cache=cache, progress=lambda what, done, total: steps.append(f"{what} {done}/{total}"))
    assert len(image.images) == 40
    assert len(text.texts) == 80
    assert {"training pictures 40/40", "training captions 80/80", "learning 1/1"} <= set(steps)
    learned(dataclasses.replace(encoder, wish=Wish("relative")), cache=cache)
    assert len(image.images) == 40
    assert len(text.texts) == 80


def test_a_picture_that_cannot_be_decoded_has_no_pixels_to_compare() -> None:
    from clipeval.evaluation.pixels import pixel_hashes

    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    items = [
        Item("good", ("a",), PictureSource("good", buffer.getvalue)),
        Item("bad", ("b",), PictureSource("bad", lambda: b"no picture")),
    ]
    good, bad = pixel_hashes(Dataset("two", tuple(items)))
    assert len(good) == 64
    assert bad == ""
