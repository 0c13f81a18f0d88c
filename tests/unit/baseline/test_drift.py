"""(3) How far the embeddings moved."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.drift import cosine_distance, drift_tolerance, embedding_drift
from clipeval.baseline.fingerprint import NOT_SHOWN

CPU = {"dtype": "float32", "device": "cpu"}


def as_bfloat16(rows: np.ndarray) -> np.ndarray:
    """Round float32 to 8 significant bits, ties to even."""
    bits = rows.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def slow_distance(one: np.ndarray, other: np.ndarray) -> float:
    """1 - cosine with 60 digits."""
    from decimal import Decimal, getcontext

    getcontext().prec = 60
    u, v = ([Decimal(float(x)) for x in row] for row in (one, other))
    dot = sum((a * b for a, b in zip(u, v, strict=True)), Decimal(0))
    lengths = [sum((a * a for a in row), Decimal(0)).sqrt() for row in (u, v)]
    if not all(lengths):
        return 0.0 if not any(lengths) else 1.0
    return float(1 - dot / (lengths[0] * lengths[1]))


@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-5, 1e-3, 1.0])
def test_cosine_distances_agree_with_arithmetic_of_sixty_digits(size: float) -> None:
    rng = np.random.default_rng(3)
    old = rng.normal(size=(20, 24))
    new = 3.0 * (old + size * rng.normal(size=old.shape))
    expected = [slow_distance(*rows) for rows in zip(old, new, strict=True)]
    np.testing.assert_allclose(cosine_distance(old, new), expected, rtol=1e-6, atol=1e-30)


def test_a_distance_of_one_in_a_billion_is_seen() -> None:
    angle = math.sqrt(2e-9)
    turned = np.array([[math.cos(angle), math.sin(angle)]])
    assert cosine_distance(np.array([[1.0, 0.0]]), turned)[0] == pytest.approx(1e-9, rel=1e-6)


def test_a_zero_row_has_cosine_zero_with_all_but_another_zero_row() -> None:
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    assert cosine_distance(rows, rows[[0, 2, 1]]).tolist() == [0.0, 1.0, 1.0]


def test_opposite_rows_are_two_apart_and_the_length_of_a_row_does_not_count() -> None:
    assert cosine_distance(np.array([[1e-30, 0], [3, 4]]), np.array([[-1e30, 0], [30, 40]])) == pytest.approx(
        [2.0, 0.0]
    )


def test_the_same_rows_are_identical_with_and_without_rows(snapshot, pairs) -> None:
    kept = snapshot(*pairs(5))
    bare = replace(kept, images=None, texts=None)
    for one, other in ((kept, kept), (kept, bare), (bare, bare)):
        assert [drift.kind for drift in embedding_drift(one, other)] == ["identical", "identical"]


def test_the_order_of_the_dataset_moves_no_row(snapshot, pairs) -> None:
    images, texts = pairs(30, per_image=2)
    order = np.random.default_rng(1).permutation(30)
    found = embedding_drift(
        snapshot(images, texts, per_image=2), snapshot(images, texts, per_image=2, order=order)
    )
    assert [(drift.modality, drift.kind, drift.n) for drift in found] == [
        ("pictures", "identical", 30),
        ("captions", "identical", 60),
    ]


def test_rows_rounded_to_bfloat16_are_noise_if_the_fingerprint_says_so_and_drift_if_not(
    snapshot, pairs
) -> None:
    images, texts = pairs(40, width=512)
    old = snapshot(images, texts)
    rounded = (as_bfloat16(images), as_bfloat16(texts))
    said = snapshot(*rounded, fingerprint={"dtype": "bfloat16", "device": "cpu"})
    unsaid = snapshot(*rounded)
    assert [drift.kind for drift in embedding_drift(old, said)] == ["noise", "noise"]
    assert [drift.kind for drift in embedding_drift(old, unsaid)] == ["drift", "drift"]


def test_one_caption_that_moved_is_drift_and_is_named_first(snapshot, pairs) -> None:
    images, texts = pairs(12, per_image=2)
    moved = texts.copy()
    moved[7] = moved[7][::-1]
    moved[3] += 0.01
    pictures, captions = embedding_drift(
        snapshot(images, texts, per_image=2), snapshot(images, moved, per_image=2)
    )
    assert pictures.kind == "identical"
    assert (captions.kind, captions.n_beyond, captions.n) == ("drift", 2, 24)
    assert [(row.item, row.caption) for row in captions.worst] == [
        ("0003.jpg", "caption 1 of 0003"),
        ("0001.jpg", "caption 1 of 0001"),
    ]
    assert captions.worst[0].cosine == pytest.approx(1 - slow_distance(texts[7], moved[7]), abs=1e-9)


def test_at_most_five_rows_are_named_and_equal_ones_by_their_id(snapshot) -> None:
    images = np.tile(np.array([[1.0, 0.0, 0.0]]), (8, 1))
    images[0] = [0, 0, 1]
    turned = np.tile(np.array([[1.0, 1.0, 0.0]]), (8, 1))
    turned[0] = [0, 0, 1]
    for order in (range(8), range(7, -1, -1)):
        pictures, _ = embedding_drift(snapshot(images, images, order=order), snapshot(turned, images))
        assert [row.item for row in pictures.worst] == [f"000{number}.jpg" for number in range(1, 6)]


@pytest.mark.parametrize("seed", range(3))
def test_median_worst_and_count_agree_with_the_slow_reference(snapshot, pairs, seed: int) -> None:
    images, texts = pairs(15, seed=seed)
    rng = np.random.default_rng(seed)
    moved = (images + rng.normal(size=images.shape) * 10.0 ** rng.uniform(-6, 0, size=(15, 1))).astype("f4")
    found, _ = embedding_drift(snapshot(images, texts), snapshot(moved, texts))
    slow = [slow_distance(*rows) for rows in zip(images, moved, strict=True)]
    assert found.median == pytest.approx(1 - float(np.median(slow)), abs=1e-12)
    assert found.n_beyond == sum(distance > found.tolerance for distance in slow)
    by_distance = sorted(range(15), key=lambda row: -slow[row])
    assert [row.item for row in found.worst] == [f"{row:04}.jpg" for row in by_distance[:5]]


def test_another_width_and_an_unrelated_space_are_a_different_model(snapshot, pairs) -> None:
    old = snapshot(*pairs(20))
    assert {drift.kind for drift in embedding_drift(old, snapshot(*pairs(20, width=8)))} == {
        "different model"
    }
    unrelated = embedding_drift(old, snapshot(*pairs(20, seed=9)))
    assert {drift.kind for drift in unrelated} == {"different model"}
    assert all(abs(drift.median) < 0.5 for drift in unrelated)


def test_without_rows_the_scores_say_how_far_things_moved(snapshot, pairs) -> None:
    images, texts = pairs(20)
    old = replace(snapshot(images, texts), images=None, texts=None)
    new = snapshot(images + 0.1, texts)
    pictures, captions = embedding_drift(old, new)
    assert (pictures.kind, captions.kind) == ("not compared", "identical")
    assert pictures.median is None
    assert pictures.worst == ()
    moved = [
        abs(getattr(a, score) - getattr(b, score))
        for side in ("i2t", "t2i")
        for a, b in zip(getattr(old, side).queries, getattr(new, side).queries, strict=True)
        for score in ("score", "rival_score")
    ]
    assert "the old embeddings were not kept" in pictures.why
    assert f"{max(moved):.2g} at most" in pictures.why
    both = embedding_drift(old, replace(new, images=None))
    assert "the old and new embeddings were not kept" in both[0].why


@pytest.mark.parametrize(
    ("old", "new", "distance"),
    [
        (CPU, CPU, 1e-4),
        ({}, {}, 1e-4),
        (CPU, {"dtype": "float32", "device": "cuda (NVIDIA H100)"}, 2e-3),
        (CPU, {"dtype": "float16", "device": "cpu"}, 1e-2),
        ({"dtype": "bfloat16", "device": "cpu"}, CPU, 5e-2),
        (CPU, {"image: dtype": "float32", "text: dtype": "bfloat16", "text: device": "cpu"}, 5e-2),
    ],
)
def test_the_coarser_side_sets_the_tolerance(old, new, distance: float) -> None:
    assert drift_tolerance(old, new)[0] == pytest.approx(distance**2 / 2)
    assert drift_tolerance(new, old)[0] == drift_tolerance(old, new)[0]


def test_a_float64_encoder_is_allowed_the_last_bit_of_the_float32_rows_that_are_kept(snapshot, pairs) -> None:
    words = {"dtype": "float64", "device": "cpu"}
    images, texts = pairs(30, width=256)
    up = np.nextafter(images, np.float32(np.inf))
    found = embedding_drift(
        snapshot(images, texts, fingerprint=words), snapshot(up, texts, fingerprint=words)
    )
    assert found[0].kind == "noise"


def test_what_an_encoder_does_not_show_is_taken_for_float32_on_a_cpu_and_never_printed() -> None:
    usual = drift_tolerance(CPU, CPU)
    for hidden in ({"device": NOT_SHOWN}, {"dtype": NOT_SHOWN}, dict.fromkeys(CPU, NOT_SHOWN)):
        assert drift_tolerance({**CPU, **hidden}, CPU) == usual
