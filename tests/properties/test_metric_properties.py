from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipeval import at_chance, rank_scores, unit_rows
from clipeval.core.diagonal import diagonal_statistics, dominance
from clipeval.core.metrics import average_precision_at_r, ndcg, r_precision, recall
from clipeval.core.ranks import DirectionRanks


@st.composite
def rows(draw: st.DrawFn, *, most: int = 8) -> tuple[np.ndarray, list[int]]:
    """Scores of one query's candidates, full of ties, and the right ones among them."""
    n = draw(st.integers(1, most))
    scores = draw(hnp.arrays(np.int64, n, elements=st.integers(0, draw(st.sampled_from([0, 1, 2, 9])))))
    positives = draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    return scores.astype(float), positives


def ranked(row: np.ndarray, positives: list[int], ties: str = "expected") -> DirectionRanks:
    return rank_scores([row], [[]] * len(row), captions_of_image=[positives], ties=ties).i2t  # type: ignore[arg-type]


def metrics(ranks: DirectionRanks) -> dict[str, float]:
    found = {"r_precision": r_precision(ranks)[0], "ap": average_precision_at_r(ranks)[0]}
    for k in range(1, ranks.n_candidates + 1):
        found |= {f"recall{k}": recall(ranks, k=k)[0], f"ndcg{k}": ndcg(ranks, k=k)[0]}
    return found


def of_list(right: list[bool]) -> dict[str, float]:
    r = sum(right)
    found = {
        "r_precision": sum(right[:r]) / r,
        "ap": sum(sum(right[: i + 1]) / (i + 1) for i in range(r) if right[i]) / r,
    }
    for k in range(1, len(right) + 1):
        ideal = sum(1 / math.log2(i + 2) for i in range(min(k, r)))
        found[f"recall{k}"] = sum(right[:k]) / r
        found[f"ndcg{k}"] = sum(1 / math.log2(i + 2) for i in range(k) if right[i]) / ideal
    return found


@given(rows(most=5))
def test_expected_metrics_are_the_mean_over_every_tie_break(drawn: tuple[np.ndarray, list[int]]) -> None:
    row, positives = drawn
    lists = [
        of_list([c in positives for c in sorted(order, key=lambda c: -row[c])])
        for order in permutations(range(len(row)))
    ]
    for name, value in metrics(ranked(row, positives)).items():
        assert math.isclose(value, math.fsum(one[name] for one in lists) / len(lists), abs_tol=1e-14), name


@given(rows())
def test_metrics_stay_between_zero_and_one_and_follow_the_tie_rule(
    drawn: tuple[np.ndarray, list[int]],
) -> None:
    kind, even, harsh = (metrics(ranked(*drawn, ties)) for ties in ("optimistic", "expected", "pessimistic"))
    for name, value in even.items():
        assert 1 + 1e-14 >= kind[name] >= value - 1e-14 >= harsh[name] - 2e-14 >= -2e-14, name


@given(rows())
def test_recall_never_falls_with_k_and_ends_at_one(drawn: tuple[np.ndarray, list[int]]) -> None:
    ranks = ranked(*drawn)
    values = [recall(ranks, k=k)[0] for k in range(1, ranks.n_candidates + 1)]
    assert all(b >= a - 1e-15 for a, b in pairwise(values))
    assert values[-1] == 1.0


@given(rows())
def test_recall_is_at_most_the_hit_and_the_hit_at_most_the_expected_number_found(
    drawn: tuple[np.ndarray, list[int]],
) -> None:
    ranks = ranked(*drawn)
    for k in range(1, ranks.n_candidates + 1):
        found = recall(ranks, k=k)[0] * ranks.n_positives[0]
        assert recall(ranks, k=k)[0] - 1e-14 <= ranks.hits(k)[0] <= found + 1e-14


@given(rows(), st.integers(1, 1000), st.integers(-1000, 1000), st.randoms(use_true_random=False))
def test_metrics_ignore_scale_shift_and_the_order_of_candidates(
    drawn: tuple[np.ndarray, list[int]], factor: int, shift: int, random: object
) -> None:
    row, positives = drawn
    order = list(range(len(row)))
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = ranked(row[order] * factor + shift, [order.index(p) for p in positives])
    assert metrics(moved) == metrics(ranked(row, positives))


@given(rows())
def test_equal_scores_are_at_chance(drawn: tuple[np.ndarray, list[int]]) -> None:
    row, positives = drawn
    assert metrics(ranked(np.zeros(len(row)), positives)) == metrics(at_chance(ranked(row, positives)))


Matrix = st.integers(2, 6).flatmap(lambda n: hnp.arrays(np.int64, (n, n), elements=st.integers(-3, 3)))


@given(Matrix)
def test_dominance_is_the_pessimistic_hit_at_one(scores: np.ndarray) -> None:
    ranks = rank_scores(scores, ties="pessimistic")
    assert dominance(ranks) == (ranks.i2t.hit_rate(1), ranks.t2i.hit_rate(1))


@given(Matrix, Matrix)
def test_auroc_is_the_share_of_positive_negative_pairs_won(images: np.ndarray, texts: np.ndarray) -> None:
    n = min(len(images), len(texts))
    left, right = unit_rows(images[:n, :2]).astype(float), unit_rows(texts[:n, :2]).astype(float)
    scores = [[math.fsum(x * y) for y in right] for x in left]
    negatives = [scores[a][b] for a in range(n) for b in range(n) if a != b]
    wins = [
        0.5 if abs(scores[i][i] - other) <= 1e-12 else float(scores[i][i] > other)
        for i in range(n)
        for other in negatives
    ]
    found = diagonal_statistics(images[:n, :2], texts[:n, :2])
    assert math.isclose(found.auroc, sum(wins) / len(wins), abs_tol=1e-14)
    assert math.isclose(found.mean, math.fsum(scores[i][i] for i in range(n)) / n, abs_tol=1e-14)
    assert math.isclose(found.off_mean, math.fsum(negatives) / len(negatives), abs_tol=1e-14)
