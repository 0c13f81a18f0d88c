"""A whole run: towers by name, frozen or trained, the folder it writes, and the encoder that reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval import evaluate, load_encoder, unit_rows  # noqa: E402
from clipeval.data.dataset import Dataset  # noqa: E402
from clipeval.data.load import load_dataset  # noqa: E402
from clipeval.data.parts import part_of  # noqa: E402
from clipeval.encoders.options import LoadOptions  # noqa: E402
from clipeval.errors import ClipevalError, EncoderError, NotAvailableError, SpecError  # noqa: E402
from clipeval.evaluation.unseen import SeenItemsError  # noqa: E402
from clipeval.training.job import train  # noqa: E402
from clipeval.training.pairs import pairs_of  # noqa: E402
from clipeval.training.settings import TrainingSettings  # noqa: E402

RANDOM = LoadOptions(allow_random_init=True, offline=True)
SMALL = TrainingSettings(epochs=2, batch_size=6, dim=8, held_out=0.3)


class Killed(BaseException):
    pass


def kill(what: str, done: int, total: int) -> None:
    """A run's progress that ends it in its second epoch."""
    if what.startswith("epoch 2"):
        raise Killed


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def frozen_pair(embedded: Dataset, tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.npz"
    np.savez(
        path,
        images=rng.normal(size=(embedded.n_images, 12)).astype(np.float32),
        texts=rng.normal(size=(embedded.n_captions, 12)).astype(np.float32),
        image_ids=np.array(embedded.ids),
        caption_ids=np.array(embedded.caption_ids),
    )
    return f"frozen:{path}"


@pytest.mark.parametrize(
    ("image", "text"),
    [("tiny-resnet", "tiny-bert"), ("tiny-vit", "tiny-gpt2"), ("random:timm:test_vit", "tiny-bert")],
)
def test_networks_that_were_trained_give_the_rows_of_training(
    embedded: Dataset, tmp_path: Path, image: str, text: str
) -> None:
    settings = TrainingSettings(epochs=1, batch_size=6, dim=8, held_out=0.3)
    out = tmp_path / "run"
    trained = train(embedded, image_tower=image, text_tower=text, out=out, settings=settings, options=RANDOM)
    encoder = load_encoder(f"dual:{out}")
    found = evaluate(encoder, embedded, seen_too=True)
    assert found.images.shape == (20, 8)
    # what the run said about its held-out items, again from the saved folder alone
    from clipeval.training.retrieval import retrieval_of

    pairs = pairs_of(embedded, share=0.3)
    images, owner = np.unique(pairs.image_of_text[pairs.held_out], return_inverse=True)
    again = retrieval_of(found.images[images], found.texts[pairs.held_out], owner)
    assert again.document()["mrr"] == pytest.approx(trained.history[0]["held_out_mrr"], abs=1e-5)
    assert encoder.fingerprint["weights"] == json.loads((out / "dual.json").read_text())["weights"]


def test_heads_over_stored_rows_need_no_pictures(embedded: Dataset, tmp_path: Path, frozen_pair: str) -> None:
    bare = Dataset("bare", tuple(replace(item, picture=None) for item in embedded.items))
    out = tmp_path / "run"
    train(bare, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=SMALL)
    assert evaluate(load_encoder(f"dual:{out}"), bare, seen_too=True).texts.shape == (20, 8)


def test_a_frozen_tower_can_be_replaced_by_the_rows_of_other_items(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    out, other = tmp_path / "run", tmp_path / "other.npz"
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=SMALL)
    stored = dict(np.load(tmp_path / "rows.npz"))
    np.savez(other, val=stored["images"][:, ::-1], image_ids=stored["image_ids"])
    here = load_encoder(f"dual:{out}")
    there = load_encoder(f"dual:{out}?image=frozen:{other}&image_tensor=val")
    rows = [evaluate(encoder, embedded, seen_too=True).images for encoder in (here, there)]
    assert not np.allclose(rows[0], rows[1])
    np.savez(other, val=stored["images"][:, :5], image_ids=stored["image_ids"])
    with pytest.raises(EncoderError, match="trained on 12"):
        load_encoder(f"dual:{out}?image=frozen:{other}&image_tensor=val")


def test_a_network_that_is_frozen_keeps_its_weights_and_one_that_is_partly_frozen_its_first_blocks(
    embedded: Dataset, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    def weights(name: str, freeze: tuple[str, ...], epochs: int) -> dict[str, Any]:
        settings = TrainingSettings(
            epochs=epochs, batch_size=6, dim=8, held_out=0.0, tower_learning_rate=0.01
        )
        train(
            embedded,
            image_tower="tiny-resnet",
            text_tower="tiny-bert",
            out=tmp_path / name,
            settings=settings,
            options=RANDOM,
            freeze=freeze,
        )
        return load_file(tmp_path / name / "weights.safetensors")

    one, two = (weights(f"frozen{n}", ("image", "text:1"), n) for n in (1, 2))
    moved = {name for name in one if not np.array_equal(one[name], two[name])}
    assert not any(name.startswith("image.tower") for name in moved)
    assert not any(name.startswith(("text.tower.embeddings", "text.tower.encoder.layer.0")) for name in moved)
    assert any(name.startswith("text.tower.encoder.layer.1") for name in moved)
    assert "image.head.weight" in moved


def test_a_whole_run_that_goes_on_writes_the_same_bytes(embedded: Dataset, tmp_path: Path) -> None:
    def run(name: str, **more: Any) -> Path:
        train(
            embedded,
            image_tower="tiny-resnet",
            text_tower="tiny-gpt2",
            out=tmp_path / name,
            settings=SMALL,
            options=RANDOM,
            **more,
        )
        return tmp_path / name

    whole = run("whole")
    with pytest.raises(Killed):
        run("parts", progress=kill)
    assert not (tmp_path / "parts" / "dual.json").exists()
    with pytest.raises(NotAvailableError, match="not finished"):
        load_encoder(f"dual:{tmp_path / 'parts'}")
    assert files(run("parts", resume=True)) == files(whole)


def test_a_run_does_not_go_on_over_other_weights_of_the_same_name(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    import transformers

    folder = tmp_path / "vit"
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.ViTConfig(image_size=32, patch_size=16, **sizes)

    def run(name: str, **more: Any) -> None:
        towers = {"image_tower": f"hf:{folder}", "text_tower": frozen_pair}
        train(embedded, **towers, out=tmp_path / name, settings=SMALL, freeze=("image",), **more)

    for seed in (0, 1):
        torch.manual_seed(seed)
        transformers.ViTModel(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text('{"size": 32}', encoding="utf-8")
        with pytest.raises(Killed):
            run(f"run{seed}", progress=kill)
    run("run1", resume=True)
    with pytest.raises(ClipevalError, match="image weights"):
        run("run0", resume=True)


def test_a_folder_that_holds_a_run_is_not_overwritten(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=tmp_path / "run", settings=SMALL)
    with pytest.raises(ClipevalError, match=r"holds a training run already"):
        train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=tmp_path / "run", settings=SMALL)


def test_random_weights_need_the_users_word(embedded: Dataset, tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match="no weights"):
        train(embedded, image_tower="tiny-vit", text_tower="tiny-bert", out=tmp_path / "run", settings=SMALL)


@pytest.mark.parametrize(
    ("image", "text", "freeze", "words"),
    [
        ("tiny-vti", "tiny-bert", (), "did you mean 'tiny-vit'"),
        ("tiny-bert", "tiny-bert", (), "no image network"),
        ("hf:some/vit+resnet50", "tiny-bert", (), "only towers that stay as they are"),
        ("tiny-vit", "tiny-bert", ("images",), "did you mean 'image'"),
        ("tiny-vit", "tiny-bert", ("image:x",), "no number of blocks"),
        ("tiny-vit", "tiny-bert", ("image:9",), "has 4 blocks"),
        ("tiny-vit", "timm:vit", (), "knows no text networks"),
        ("random:tiny-vit", "tiny-bert", (), "names no network"),
    ],
)
def test_wrong_names_are_refused_with_what_to_write(
    embedded: Dataset, tmp_path: Path, image: str, text: str, freeze: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        train(
            embedded,
            image_tower=image,
            text_tower=text,
            out=tmp_path / "run",
            settings=SMALL,
            options=RANDOM,
            freeze=freeze,
        )


def test_stored_rows_that_are_no_more_those_of_training_are_refused(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    out = tmp_path / "run"
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=SMALL)
    stored = dict(np.load(tmp_path / "rows.npz"))
    np.savez(tmp_path / "rows.npz", **stored | {"images": stored["images"][:, ::-1]})
    with pytest.raises(
        EncoderError, match=r"(?s)has other rows than when the head was trained.*image=frozen:"
    ):
        load_encoder(f"dual:{out}")


def test_a_run_does_not_go_on_with_rows_that_another_file_of_ids_gives_to_other_items(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    stored = dict(np.load(tmp_path / "rows.npz"))
    np.save(tmp_path / "image.npy", stored["images"])
    ids = tmp_path / "ids.json"
    ids.write_text(json.dumps(stored["image_ids"].tolist()), encoding="utf-8")
    tower = f"frozen:{tmp_path / 'image.npy'}?ids={ids}"

    def run(*, resume: bool) -> None:
        train(
            embedded,
            image_tower=tower,
            text_tower=frozen_pair,
            out=tmp_path / "run",
            settings=SMALL,
            resume=resume,
        )

    run(resume=False)
    (tmp_path / "run" / "dual.json").unlink()  # as if the run had been stopped
    ids.write_text(json.dumps(stored["image_ids"].tolist()[::-1]), encoding="utf-8")
    with pytest.raises(ClipevalError, match="another run: image tower was"):
        run(resume=True)


def test_the_same_pixels_in_another_file_are_on_one_side(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        picture = Image.effect_noise((9, 9), number + 1)
        for level in (0, 9):
            picture.save(tmp_path / f"{number}-{level}.png", compress_level=level)
            rows.append({"image": f"{number}-{level}.png", "caption": f"caption {level} of {number}"})
    (tmp_path / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    pairs = pairs_of(load_dataset(tmp_path), share=0.2)
    assert len(np.unique(pairs.image_labels)) == 40
    assert not {row // 2 for row in pairs.held_out} & {row // 2 for row in pairs.train}


@pytest.mark.parametrize("damage", ["weights", "description", "schema", "head", "name"])
def test_a_damaged_folder_is_refused(
    embedded: Dataset, tmp_path: Path, frozen_pair: str, damage: str
) -> None:
    out = tmp_path / "run"
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=SMALL)
    description = out / "dual.json"
    if damage == "weights":
        weights = out / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    elif damage == "description":
        description.write_text("{", encoding="utf-8")
    else:
        words = json.loads(description.read_text())
        changes = {
            "schema": {"schema": "other/1"},
            "head": {"image": {}},
            "name": {"image": {"kind": "kept"}},
        }
        words.update(changes[damage])
        description.write_text(json.dumps(words), encoding="utf-8")
    with pytest.raises(EncoderError):
        load_encoder(f"dual:{out}")


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match="clipeval train"):
        load_encoder(f"dual:{tmp_path / 'nothing'}")


def test_a_model_is_not_scored_on_what_it_was_trained_on(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    out = tmp_path / "run"
    part = part_of(embedded, "train")
    settings = replace(SMALL, held_out=0.0)
    train(part, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=settings)
    encoder = load_encoder(f"dual:{out}")
    with pytest.raises(SeenItemsError, match=r"(?s)the model has learned from 16 of the 20 items.*#train"):
        evaluate(encoder, embedded)
    found = evaluate(encoder, part_of(embedded, "test"))
    assert found.learned is not None
    assert (found.learned.n_images, found.learned.seen_items) == (16, 0)
    assert set(found.learned.training.rates) == {"i2t", "t2i"}
    counted = evaluate(encoder, embedded, seen_too=True).learned
    assert counted is not None
    assert counted.seen_items == 16


def test_what_the_run_held_out_may_be_scored(embedded: Dataset, tmp_path: Path, frozen_pair: str) -> None:
    out = tmp_path / "run"
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=SMALL)
    pairs = pairs_of(embedded, share=SMALL.held_out)
    rows = np.unique(pairs.image_of_text[pairs.held_out])
    rest = replace(embedded, items=tuple(embedded.items[row] for row in rows))
    assert evaluate(load_encoder(f"dual:{out}"), rest).dataset.n_images == len(rows)


def test_the_training_rates_are_those_of_the_saved_model(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    out = tmp_path / "run"
    settings = replace(SMALL, held_out=0.0, epochs=4, ensemble=2)
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=settings)
    found = evaluate(load_encoder(f"dual:{out}"), embedded, seen_too=True)
    assert found.learned is not None
    for way in ("i2t", "t2i"):
        told = found.learned.training.rates[way]["hit_rate@1"].value  # type: ignore[index]
        assert told == pytest.approx(found.direction(way).hit_rate(1))  # type: ignore[arg-type]


def test_an_ensemble_averages_the_cosines_of_its_heads(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    out = tmp_path / "run"
    settings = replace(SMALL, ensemble=3, hidden=(5, 0), dropout=0.2)
    train(embedded, image_tower=frozen_pair, text_tower=frozen_pair, out=out, settings=settings)
    encoder = load_encoder(f"dual:{out}")
    rows = np.random.default_rng(1).normal(size=(6, 12)).astype(np.float32)
    images, texts = encoder.bridge_images(rows), encoder.bridge_texts(rows)
    assert images.shape == (6, 24)
    cosines = [
        unit_rows(one(rows)) @ unit_rows(two(rows)).T
        for one, two in zip(encoder.image_head.members, encoder.text_head.members, strict=True)  # type: ignore[attr-defined]
    ]
    assert not np.allclose(cosines[0], cosines[1], atol=0.05)
    np.testing.assert_allclose(
        unit_rows(images) @ unit_rows(texts).T, np.mean(cosines, axis=0), rtol=1e-5, atol=1e-6
    )
    assert "3 heads, cosines averaged" in encoder.fingerprint["image head"]


def test_joined_image_towers_are_their_unit_rows_side_by_side(
    embedded: Dataset, tmp_path: Path, frozen_pair: str
) -> None:
    stored = dict(np.load(frozen_pair.removeprefix("frozen:")))
    other = tmp_path / "other.npz"
    more = np.random.default_rng(4).normal(size=(20, 5)).astype(np.float32)
    np.savez(other, val=more, image_ids=stored["image_ids"])
    out, by_hand = tmp_path / "run", tmp_path / "hand.npz"
    joined = f"{frozen_pair}?tensor=images+frozen:{other}?tensor=val"
    train(embedded, image_tower=joined, text_tower=frozen_pair, out=out, settings=SMALL)
    np.savez(
        by_hand,
        images=np.concatenate([unit_rows(stored["images"]), unit_rows(more)], axis=1),
        image_ids=stored["image_ids"],
    )
    train(
        embedded,
        image_tower=f"frozen:{by_hand}",
        text_tower=frozen_pair,
        out=tmp_path / "hand",
        settings=SMALL,
    )
    specs = [f"dual:{out}", f"dual:{tmp_path / 'hand'}"]
    found = [evaluate(load_encoder(spec), embedded, seen_too=True).images for spec in specs]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    with pytest.raises(SpecError, match="trained on 2 towers, and 1 are named"):
        load_encoder(f"dual:{out}?image={frozen_pair}")
    replaced = load_encoder(f"dual:{out}?image={frozen_pair}+frozen:{other}")
    assert evaluate(replaced, embedded, seen_too=True).images.tobytes() == found[0].tobytes()
