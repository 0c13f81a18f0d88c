from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from clipeval import rank_retrieval, rank_scores, unit_rows
from clipeval.core import pair_moments, pair_pass, pairs_won
from clipeval.core.block_budget import Budget
from clipeval.core.diagonal import diagonal_statistics, diagonal_statistics_by_part, dominance
from clipeval.errors import InvalidInputError


def slow_pairs(
    images: np.ndarray, texts: np.ndarray, owners: list[list[int]], rows: list[int]
) -> tuple[list[float], list[float]]:
    left, right = unit_rows(images).astype(np.float64), unit_rows(texts).astype(np.float64)
    positive, negative = [], []
    for i in rows:
        for j in range(len(right)):
            score = math.fsum(a * b for a, b in zip(left[i], right[j], strict=True))
            (positive if i in owners[j] else negative).append(score)
    return positive, negative


def slow_auroc(positive: list[float], negative: list[float]) -> float:
    wins = sum(0.5 if abs(p - n) <= 1e-12 else float(p > n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


OWNERS = [[0], [0, 3], [1], [], [2], [4, 5], [3]]


@pytest.mark.parametrize("rows", [None, [0, 3], [5, 1, 2]])
def test_every_statistic_equals_loops_over_pairs_with_many_ties(rows: list[int] | None) -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.integers(-1, 2, size=(6, 3)), rng.integers(-1, 2, size=(7, 3))
    positive, negative = slow_pairs(images, texts, OWNERS, rows or list(range(6)))
    found = diagonal_statistics(images, texts, OWNERS, rows=None if rows is None else np.array(rows))
    assert (found.n_positive, found.n_negative) == (len(positive), len(negative))
    mu, off = math.fsum(positive) / len(positive), math.fsum(negative) / len(negative)
    sd = math.sqrt(math.fsum((v - mu) ** 2 for v in positive) / len(positive))
    off_sd = math.sqrt(math.fsum((v - off) ** 2 for v in negative) / len(negative))
    assert found.mean == pytest.approx(mu, abs=1e-14)
    assert found.off_mean == pytest.approx(off, abs=1e-14)
    assert found.sd == pytest.approx(sd, abs=1e-14)
    assert found.off_sd == pytest.approx(off_sd, abs=1e-14)
    assert found.d_prime == pytest.approx((mu - off) / math.sqrt((sd**2 + off_sd**2) / 2), rel=1e-12)
    assert found.auroc == pytest.approx(slow_auroc(positive, negative), abs=1e-14)


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (3, 8), (7, 1000)])
@pytest.mark.parametrize("workers", [1, 2])
def test_block_size_and_threads_change_nothing(
    rows: int, columns: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    images, texts = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    texts[10:] = texts[3]
    expected = diagonal_statistics(images, texts)
    monkeypatch.setattr(pair_pass, "plan", lambda *_, **__: Budget(rows, columns, True, columns, workers))
    assert diagonal_statistics(images, texts) == expected
    monkeypatch.setattr(pair_pass, "_ROWS", rows)
    monkeypatch.setattr(pair_pass, "_COLUMNS", columns)
    found = diagonal_statistics(images, texts)
    assert (found.auroc, found.n_negative) == (expected.auroc, expected.n_negative)
    assert found.off_mean == pytest.approx(expected.off_mean, abs=1e-15)
    assert found.off_sd == pytest.approx(expected.off_sd, rel=1e-14)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-6])
def test_moments_of_many_pairs_equal_those_of_their_scores(
    spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    images, texts = (1 + spread * rng.normal(size=(n, 16)) for n in (60, 90))
    owners = [rng.choice(60, size=rng.integers(0, 4), replace=False).tolist() for _ in range(90)]
    for rows in (None, np.array([4, 9, 33])):
        expected = diagonal_statistics(images, texts, owners, rows=rows)
        with monkeypatch.context() as few:
            few.setattr(pair_moments, "_FEW", 0)
            found = diagonal_statistics(images, texts, owners, rows=rows, auroc=False)
        assert found.off_mean == pytest.approx(expected.off_mean, rel=1e-13)
        assert found.off_sd == pytest.approx(expected.off_sd, rel=1e-6, abs=1e-15)
        assert found.n_negative == expected.n_negative


@pytest.mark.parametrize("auroc", [False, True])
def test_moments_of_many_pairs_of_a_constant_encoder_have_no_spread(
    auroc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_moments, "_FEW", 0)
    rows = np.full((50, 7), 0.1)
    found = diagonal_statistics(rows, rows, auroc=auroc)
    assert found.off_mean == pytest.approx(1.0, abs=1e-7)
    assert found.off_sd < 1e-12
    assert math.isnan(found.d_prime)


@pytest.mark.parametrize("auroc", [False, True])
@pytest.mark.parametrize("wrong", [1, 3])
def test_moments_of_the_few_negative_pairs_among_many_positive_ones_do_not_cancel(
    wrong: int, auroc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(10)
    images, texts = rng.normal(size=(80, 6)), rng.normal(size=(80, 6))
    owners = [list(range(80)) for _ in range(80)]
    for caption in range(wrong):
        owners[caption].remove(7)
    expected = diagonal_statistics(images, texts, owners)
    monkeypatch.setattr(pair_moments, "_FEW", 0)
    monkeypatch.setattr(pair_pass, "_ROWS", 6)
    found = diagonal_statistics(images, texts, owners, auroc=auroc)
    assert found.off_mean == pytest.approx(expected.off_mean, rel=1e-14)
    assert found.off_sd == pytest.approx(expected.off_sd, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("auroc", [False, True])
@pytest.mark.parametrize("classes", [2, 10])
def test_moments_of_many_pairs_of_an_encoder_that_knows_only_classes_have_no_spread(
    classes: int, auroc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = np.arange(120) % classes
    rows = np.eye(classes)[label]
    owners = [np.flatnonzero(label == mine).tolist() for mine in label]
    monkeypatch.setattr(pair_moments, "_FEW", 0)
    monkeypatch.setattr(pair_pass, "_ROWS", 6)
    found = diagonal_statistics(rows, rows, owners, auroc=auroc)
    assert (found.off_mean, found.off_sd) == (0.0, 0.0)
    assert math.isnan(found.d_prime)


@pytest.mark.parametrize("n_rows", [1, 3, 64])
def test_parts_and_the_whole_of_one_pass_are_what_each_of_them_is_alone(
    n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_pass, "_ROWS", n_rows)
    monkeypatch.setattr(pair_pass, "_COLUMNS", 4 * n_rows)
    rng = np.random.default_rng(11)
    images, texts = rng.integers(-1, 2, size=(40, 4)), rng.integers(-1, 2, size=(90, 4))
    owners = [rng.choice(40, size=rng.integers(1, 4), replace=False).tolist() for _ in range(90)]
    number = rng.integers(-1, 3, size=40)
    whole, parts = diagonal_statistics_by_part(images, texts, owners, part_of_image=number)
    alone = [diagonal_statistics(images, texts, owners, rows=np.flatnonzero(number == at)) for at in range(3)]
    for found, expected in zip(
        (whole, *parts), (diagonal_statistics(images, texts, owners), *alone), strict=True
    ):
        numbers = [
            dataclasses.astuple(dataclasses.replace(one, auroc_interval=None)) for one in (found, expected)
        ]
        assert numbers[0][:-1] == pytest.approx(numbers[1][:-1], rel=1e-12)
        assert (found.n_negative, found.auroc) == (expected.n_negative, expected.auroc)


def test_all_parts_are_multiplied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scored = []

    def look(stretch: Any, left: np.ndarray, columns: np.ndarray, first: int) -> None:
        scored.append(len(stretch.part.rows[stretch.start : stretch.start + pair_pass._ROWS]) * len(columns))

    monkeypatch.setattr(pair_pass._Stretch, "look", look)
    diagonal_statistics_by_part(np.eye(30), np.eye(30), part_of_image=np.arange(30) % 4 - 1)
    assert sum(scored) == 30 * 30


@pytest.mark.parametrize("part", [[0, 1], [0.0, 1.0, 0.0], [0, -2, 0], [[0, 0, 0]]])
def test_parts_are_one_number_for_each_image(part: Any) -> None:
    with pytest.raises(InvalidInputError, match="one for each image"):
        diagonal_statistics_by_part(np.eye(3), np.eye(3), part_of_image=part)


def test_a_part_without_images_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no positive pair"):
        diagonal_statistics_by_part(np.eye(3), np.eye(3), part_of_image=[0, 2, 0])


@pytest.mark.parametrize("n", [1, 30, 40_000])
def test_a_table_of_any_number_of_positive_scores_gives_what_a_search_gives(n: int) -> None:
    rng = np.random.default_rng(n)
    positive = np.concatenate([rng.uniform(-1, 1, n), [-1.0, 1.0, 1.0 + 2e-16]])
    scores = np.concatenate([rng.uniform(-1.0, 1.0, 1000), positive[:50], positive[:50] + 2e-12, [-1.0, 1.0]])
    higher = np.array([(positive > score + 1e-12).sum() for score in scores])
    level = np.array([(np.abs(positive - score) <= 1e-12).sum() for score in scores])
    lower, upper = pairs_won.PositiveScores(positive).places(scores)
    assert np.array_equal(upper - lower, level)
    assert np.array_equal(len(positive) - upper, higher)


def test_without_the_auroc_every_other_statistic_is_the_same() -> None:
    rng = np.random.default_rng(9)
    images, texts = rng.normal(size=(20, 5)), rng.normal(size=(20, 5))
    whole, quick = diagonal_statistics(images, texts), diagonal_statistics(images, texts, auroc=False)
    assert math.isnan(quick.auroc)
    assert dataclasses.replace(quick, auroc=whole.auroc, auroc_interval=whole.auroc_interval) == whole


def test_auroc_equals_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(2)
    images = rng.normal(size=(30, 4))
    texts = images + rng.normal(size=(30, 4))
    scores = unit_rows(images).astype(float) @ unit_rows(texts).astype(float).T
    own = np.eye(30, dtype=bool)
    u = stats.mannwhitneyu(scores[own], scores[~own]).statistic
    assert diagonal_statistics(images, texts).auroc == pytest.approx(u / (30 * 30 * 29), abs=1e-14)


# the table of reference values on clip-coco500, as printed
PAIRS = {
    "clip": (".3099", ".0324", ".1616", ".0483"),
    "clip_random": (".0285", ".0264", ".0278", ".0268"),
    "convirt": (".2552", ".1260", ".1099", ".2060"),
}


@pytest.mark.parametrize("model", sorted(PAIRS))
def test_pair_means_and_sds_on_clip_coco500_are_as_published(model: str, reference_data: Path) -> None:
    images, texts = np.load(reference_data / "clip-coco500" / f"features_{model}.npy", allow_pickle=False)
    found = diagonal_statistics(images, texts)
    printed = [f"{v:.4f}".lstrip("0") for v in (found.mean, found.sd, found.off_mean, found.off_sd)]
    assert printed == list(PAIRS[model])
    assert (found.n_positive, found.n_negative) == (500, 500 * 499)


def test_a_constant_encoder_has_auroc_one_half_and_no_d_prime() -> None:
    for seed in range(5):
        same = np.tile(np.random.default_rng(seed).normal(size=300), (37, 1))
        found = diagonal_statistics(same, same)
        assert found.auroc == 0.5
        assert math.isnan(found.d_prime)
        assert found.sd == pytest.approx(0, abs=1e-12)
        assert found.off_sd == pytest.approx(0, abs=1e-12)


def test_perfect_separation_has_auroc_one_and_reversal_zero() -> None:
    assert diagonal_statistics(np.eye(4), np.eye(4)).auroc == 1.0
    assert diagonal_statistics(np.eye(4), -np.eye(4)).auroc == 0.0


def test_without_negatives_their_statistics_are_missing() -> None:
    found = diagonal_statistics([[1, 2]], [[1, 2], [2, 1]], [0, 0])
    assert (found.n_positive, found.n_negative) == (2, 0)
    assert all(math.isnan(v) for v in (found.off_mean, found.off_sd, found.d_prime, found.auroc))


def test_zero_rows_have_similarity_zero() -> None:
    found = diagonal_statistics(np.zeros((2, 3)), np.eye(3)[:2])
    assert (found.mean, found.off_mean, found.auroc) == (0.0, 0.0, 0.5)


def test_no_positive_pair_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="no positive pair"):
        diagonal_statistics(np.eye(2), np.eye(2), [[], []])
    with pytest.raises(InvalidInputError, match="no positive pair"):
        diagonal_statistics(np.eye(2), np.eye(2), rows=np.array([], dtype=int))


@pytest.mark.parametrize(
    "rows",
    [
        np.array([-1]),
        np.array([0, 3]),
        np.array([False, True, True]),
        np.array([0.7]),
        np.array([[0, 1]]),
    ],
)
def test_rows_must_be_indices_of_images(rows: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="rows"):
        diagonal_statistics(np.eye(3), np.eye(3), rows=rows)


@pytest.mark.parametrize("side", ["images", "texts"])
def test_nan_is_refused_with_side_and_row(side: str) -> None:
    sides = {"images": np.eye(3), "texts": np.eye(3)}
    sides[side][2, 0] = np.nan
    with pytest.raises(InvalidInputError, match=rf"{side} holds NaN(.|\n)*row 2"):
        diagonal_statistics(**sides)


def test_dominance_counts_rows_and_columns_whose_positive_beats_every_negative() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 6, size=(40, 40)) + 3.0 * np.eye(40)
    rows = sum(all(scores[i, i] > scores[i, j] for j in range(40) if j != i) for i in range(40))
    columns = sum(all(scores[j, j] > scores[i, j] for i in range(40) if i != j) for j in range(40))
    for ties in ("optimistic", "expected", "pessimistic"):
        assert dominance(rank_scores(scores, ties=ties)) == (rows / 40, columns / 40)  # type: ignore[arg-type]
    assert 0 < rows < 40


def test_a_tie_does_not_dominate() -> None:
    assert dominance(rank_retrieval(np.ones((3, 2)), np.ones((3, 2)))) == (0.0, 0.0)
