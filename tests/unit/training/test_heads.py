"""Heads over rows: torch's and numpy's arithmetic agree, and they beat chance on real features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.encoders.heads import Head, head_from  # noqa: E402
from clipeval.errors import EncoderError, InvalidInputError  # noqa: E402
from clipeval.training import TrainingSettings, train_heads  # noqa: E402
from clipeval.training.trainable_heads import carried, frozen_head, new_head, standardisation  # noqa: E402


def related(n: int, *, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 6))
    maps = np.random.default_rng(99)
    return tuple(
        hidden @ maps.normal(size=(6, width)) + 0.1 * rng.normal(size=(n, width)) for width in (20, 12)
    )


@pytest.mark.parametrize("hidden", [0, 9])
def test_a_head_that_is_saved_computes_what_was_trained(hidden: int) -> None:
    rows = np.random.default_rng(1).normal(size=(30, 7)).astype(np.float32)
    centre, spread = standardisation(rows)
    layers = new_head(7, 5, hidden=hidden, dropout=0.4).eval()
    head = frozen_head(layers, centre, spread)
    with torch.inference_mode():
        trained = carried(layers, torch.from_numpy(head.standardised(rows))).numpy()
    np.testing.assert_allclose(head(rows), trained, rtol=1e-4, atol=1e-5)
    again = head_from(head.tensors("text"), "text")
    assert again(rows).tobytes() == head(rows).tobytes()


def test_many_rows_give_the_bits_of_few() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(9000, 7)).astype(np.float32)
    head = frozen_head(new_head(7, 5, hidden=3, dropout=0.0), *standardisation(rows))
    np.testing.assert_allclose(head(rows)[4000:4200], head(rows[4000:4200]), rtol=1e-6, atol=1e-7)
    assert head(rows[:0]).shape == (0, 5)


def test_rows_of_another_width_are_refused() -> None:
    head = Head(np.zeros(3), np.ones(3), np.ones((3, 2)), np.zeros(2))
    with pytest.raises(EncoderError, match="3 columns, these have 4"):
        head(np.ones((2, 4)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"centre": np.zeros(2)}, "'centre' of a head has shape"),
        ({"bias": np.array([np.nan, 0])}, "not finite"),
        ({"hidden": np.ones((3, 4))}, "two-layer head needs"),
    ],
)
def test_heads_that_do_not_fit_together_are_refused(change: dict[str, Any], words: str) -> None:
    parts = {"centre": np.zeros(3), "spread": np.ones(3), "weight": np.ones((3, 2)), "bias": np.zeros(2)}
    with pytest.raises(InvalidInputError, match=words):
        Head(**(parts | change))


def test_heads_find_pairs_that_they_have_not_seen() -> None:
    x, y = related(600)
    settings = TrainingSettings(epochs=15, batch_size=128, dim=16, learning_rate=0.01, held_out=0.2)
    heads = train_heads(x, y, settings=settings)
    last = heads.history[-1]
    assert last["held_out_hit1_t2i"] > 0.6 > 20 * last["held_out_chance1_t2i"]
    new_x, new_y = related(100, seed=5)
    scores = heads.images(new_x) @ heads.texts(new_y).T
    norms = np.linalg.norm(heads.images(new_x), axis=1)[:, None] * np.linalg.norm(heads.texts(new_y), axis=1)
    assert (np.argmax(scores / norms, axis=1) == np.arange(100)).mean() > 0.6


def test_a_seed_gives_the_same_bits_and_another_seed_others() -> None:
    x, y = related(80)
    settings = TrainingSettings(epochs=2, batch_size=16, dim=4, dropout=0.2, hidden=(5, 0))
    one, two = (train_heads(x, y, settings=settings).images(x).tobytes() for _ in range(2))
    other = train_heads(x, y, settings=TrainingSettings(**{**settings.__dict__, "seed": 1})).images(x)
    assert one == two != other.tobytes()


def test_only_rows_that_are_trained_on_decide_the_standardisation() -> None:
    x, y = related(200)
    settings = TrainingSettings(epochs=1, batch_size=32, dim=4, held_out=0.3)
    from clipeval.data.held_out import held_out

    out = held_out([str(n) for n in range(200)], np.arange(200), share=0.3)
    moved = x.copy()
    moved[out] = moved[out][::-1] * 7
    assert (
        train_heads(x, y, settings=settings).image.centre.tobytes()
        == train_heads(moved, y, settings=settings).image.centre.tobytes()
    )


@pytest.mark.parametrize(
    ("owner", "words"),
    [([0, 1], "one picture number for each"), ([0] * 7 + [8], "numbers go from 0 to 8")],
)
def test_picture_numbers_that_do_not_fit_are_refused(owner: list[int], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        train_heads(np.ones((8, 3)), np.ones((8, 2)), owner)


def test_heads_on_real_features_of_coco_beat_chance_by_far(reference_data: Path) -> None:
    images, texts = np.load(reference_data / "clip-coco500" / "features_convirt.npy")
    settings = TrainingSettings(epochs=20, batch_size=128, dim=64, held_out=0.3, clip=0.0)
    last = train_heads(images, texts, settings=settings).history[-1]
    assert last["held_out_hit1_t2i"] > 3 * last["held_out_chance1_t2i"]


def test_the_second_layer_has_a_dropout_of_its_own() -> None:
    x = torch.ones(200, 4)
    layers = new_head(4, 3, hidden=50, dropout=0.0, hidden_dropout=0.9).train()
    linear = layers["linear"](x)
    bent = carried(layers, x) - linear
    assert len(torch.unique(bent, dim=0)) > 150  # other masks in every row
    same = new_head(4, 3, hidden=50, dropout=0.0).train()
    assert torch.equal(carried(same, x), carried(same, x))
