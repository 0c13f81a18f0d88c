from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipeval import at_chance, rank_retrieval, rank_scores, unit_rows
from clipeval.core.metrics import (
    average_precision_at_r,
    median_rank,
    ndcg,
    r_precision,
    recall,
    select_queries,
)
from clipeval.core.ranks import DirectionRanks
from clipeval.errors import InvalidInputError

# ---- metrics of one sorted list of right (True) and wrong (False), written from their definitions


def list_recall(right: list[bool], k: int) -> float:
    return sum(right[:k]) / sum(right)


def list_r_precision(right: list[bool]) -> float:
    return sum(right[: sum(right)]) / sum(right)


def list_average_precision_at_r(right: list[bool]) -> float:
    r = sum(right)
    return sum(sum(right[:i]) / i for i in range(1, r + 1) if right[i - 1]) / r


def list_ndcg(right: list[bool], k: int) -> float:
    gain = sum(1 / math.log2(place + 1) for place in range(1, k + 1) if right[place - 1])
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, sum(right)) + 1))


def over_tie_breaks(row: np.ndarray, positives: list[int], metric: Callable[[list[bool]], float]) -> float:
    """Mean of the metric over every order of the candidates, ties taken in that order."""
    values = []
    for order in permutations(range(len(row))):
        ranked = sorted(order, key=lambda c: -row[c])
        values.append(metric([c in positives for c in ranked]))
    return math.fsum(values) / len(values)


def broken(row: np.ndarray, positives: list[int], ties: str) -> np.ndarray:
    """Scores whose ties are already decided for or against the positives."""
    if ties == "expected":
        return row
    nudge = 0.25 if ties == "optimistic" else -0.25
    return row + nudge * np.isin(np.arange(len(row)), positives)


def matrices() -> list[tuple[np.ndarray, list[list[int]]]]:
    rng = np.random.default_rng(0)
    cases = []
    for levels in (1, 2, 4):
        for n in (1, 2, 4, 6):
            scores = rng.integers(0, levels, size=(3, n)).astype(float)
            chosen = [rng.choice(n, size=rng.integers(1, n + 1), replace=False).tolist() for _ in range(3)]
            cases.append((scores, chosen))
    return cases


@pytest.mark.parametrize("ties", ["optimistic", "expected", "pessimistic"])
@pytest.mark.parametrize(("scores", "positives"), matrices())
def test_every_metric_equals_its_mean_over_all_tie_breaks(
    scores: np.ndarray, positives: list[list[int]], ties: Any
) -> None:
    n = scores.shape[1]
    ranks = rank_scores(scores, [[]] * n, captions_of_image=positives, ties=ties).i2t

    def slow(metric: Callable[[list[bool]], float]) -> list[float]:
        return [
            over_tie_breaks(broken(row, mine, ties), mine, metric)
            for row, mine in zip(scores, positives, strict=True)
        ]

    def check(found: np.ndarray, metric: Callable[[list[bool]], float]) -> None:
        np.testing.assert_allclose(found, slow(metric), rtol=0, atol=1e-14)

    check(r_precision(ranks), list_r_precision)
    check(average_precision_at_r(ranks), list_average_precision_at_r)
    check(ranks.reciprocal(), lambda right: 1 / (1 + right.index(True)))
    for k in {1, 2, n} & set(range(1, n + 1)):
        check(recall(ranks, k=k), lambda right, k=k: list_recall(right, k))  # type: ignore[misc]
        check(ndcg(ranks, k=k), lambda right, k=k: list_ndcg(right, k))  # type: ignore[misc]
        check(ranks.hits(k), lambda right, k=k: float(any(right[:k])))  # type: ignore[misc]


def test_every_metric_equals_sorting_on_eccv_caption(reference_data: Path) -> None:
    def truth(name: str) -> dict[int, list[int]]:
        text = (reference_data / "eccv-caption" / f"{name}.json").read_text(encoding="utf-8")
        return {int(key): values for key, values in json.loads(text).items()}

    forward = truth("eccv_image_to_caption")
    names = sorted(forward)[::4]
    captions = sorted({c for mine in forward.values() for c in mine})
    place = {c: at for at, c in enumerate(captions)}
    positives = [[place[c] for c in forward[name]] for name in names]
    rng = np.random.default_rng(1)
    images, texts = rng.normal(size=(len(names), 24)), rng.normal(size=(len(captions), 24))
    # captions lean towards their pictures, so that the first places hold right and wrong ones
    for image, mine in zip(images, positives, strict=True):
        texts[mine] += image
    ranks = rank_retrieval(images, texts, [[]] * len(captions), captions_of_image=positives).i2t
    scores = unit_rows(images).astype(float) @ unit_rows(texts).astype(float).T
    lists = []
    for row, mine in zip(scores, positives, strict=True):
        own = np.zeros(len(row), dtype=bool)
        own[mine] = True
        lists.append(own[np.argsort(-row)].tolist())
    for k in (1, 5, 10):
        np.testing.assert_allclose(recall(ranks, k=k), [list_recall(right, k) for right in lists], atol=1e-14)
        np.testing.assert_allclose(ndcg(ranks, k=k), [list_ndcg(right, k) for right in lists], atol=1e-14)
    np.testing.assert_allclose(r_precision(ranks), [list_r_precision(right) for right in lists], atol=1e-14)
    np.testing.assert_allclose(
        average_precision_at_r(ranks), [list_average_precision_at_r(right) for right in lists], atol=1e-14
    )
    assert 0.1 < ranks.mean(r_precision(ranks)) < 0.9


def test_with_one_positive_recall_is_the_hit() -> None:
    scores = np.random.default_rng(2).integers(0, 4, size=(30, 30))
    for ties in ("optimistic", "expected", "pessimistic"):
        ranks = rank_scores(scores, ties=ties).t2i  # type: ignore[arg-type]
        for k in (1, 5, 30):
            np.testing.assert_allclose(recall(ranks, k=k), ranks.hits(k), rtol=0, atol=1e-15)


def test_recall_and_hit_rate_differ_with_several_positives() -> None:
    ranks = rank_scores([[3.0, 2.0, 1.0]], [[0], [], [0]]).i2t
    assert (ranks.hit_rate(1), ranks.mean(recall(ranks, k=1))) == (1.0, 0.5)


def test_perfect_and_worst_orders_reach_the_bounds() -> None:
    owners = np.repeat(np.arange(4), 5)
    right = np.equal.outer(np.arange(4), owners).astype(float)
    best, worst = rank_scores(right, owners).i2t, rank_scores(-right, owners).i2t
    assert r_precision(best).tolist() == average_precision_at_r(best).tolist() == [1.0] * 4
    np.testing.assert_allclose(ndcg(best, k=20), 1.0, rtol=1e-15)
    assert ndcg(best, k=3).tolist() == [1.0] * 4
    assert recall(best, k=1).tolist() == [0.2] * 4
    assert r_precision(worst).tolist() == average_precision_at_r(worst).tolist() == [0.0] * 4
    assert ndcg(worst, k=15).tolist() == recall(worst, k=15).tolist() == [0.0] * 4


def test_the_median_rank_is_the_median_of_the_ranks_of_its_rule() -> None:
    scores = np.random.default_rng(3).integers(0, 3, size=(8, 8))
    for ties in ("optimistic", "expected", "pessimistic"):
        ranks = rank_scores(scores, ties=ties).i2t  # type: ignore[arg-type]
        by_size = sorted(getattr(ranks, ties).tolist())
        assert median_rank(ranks) == (by_size[3] + by_size[4]) / 2


# ---- chance


def chances(n: int, positives: int) -> DirectionRanks:
    scores = np.random.default_rng(n).normal(size=(1, n))
    return at_chance(rank_scores(scores, [[0]] * positives + [[]] * (n - positives)).i2t)


@pytest.mark.parametrize(("n", "positives"), [(1, 1), (7, 1), (40, 5), (40, 39), (500, 1), (25000, 5)])
def test_chance_of_a_hit_is_the_hypergeometric_formula(n: int, positives: int) -> None:
    ranks = chances(n, positives)
    for k in {1, 2, 5, 10, n} & set(range(1, n + 1)):
        chance = 1 - math.comb(n - positives, k) / math.comb(n, k)
        assert ranks.hit_rate(k) == pytest.approx(chance, abs=1e-15)
        assert recall(ranks, k=k)[0] == pytest.approx(k / n, rel=1e-14)


def test_chance_of_every_other_metric_equals_trying_all_orders() -> None:
    ranks = chances(6, 2)
    row = np.zeros(6)
    assert r_precision(ranks)[0] == pytest.approx(over_tie_breaks(row, [0, 1], list_r_precision))
    assert average_precision_at_r(ranks)[0] == pytest.approx(
        over_tie_breaks(row, [0, 1], list_average_precision_at_r)
    )
    assert ndcg(ranks, k=3)[0] == pytest.approx(over_tie_breaks(row, [0, 1], lambda r: list_ndcg(r, 3)))
    assert ranks.expected[0] == pytest.approx(over_tie_breaks(row, [0, 1], lambda r: 1 + r.index(True)))


def test_chance_ignores_scores_and_the_tie_rule() -> None:
    rng = np.random.default_rng(4)
    owners = rng.integers(0, 9, size=30)
    levels = {
        ties: at_chance(rank_scores(rng.normal(size=(9, 30)), owners, ties=ties).t2i)  # type: ignore[arg-type]
        for ties in ("optimistic", "expected", "pessimistic")
    }
    assert [ranks.hit_rate(3) for ranks in levels.values()] == pytest.approx([3 / 9] * 3)
    assert all(np.isnan(ranks.positive_score).all() for ranks in levels.values())


def test_a_constant_encoder_is_at_chance_in_every_metric() -> None:
    owners = [[0], [0, 1], [1], [], [2, 0]]
    ranks = rank_retrieval(np.full((3, 4), 0.1), np.full((5, 4), -0.3), owners)
    for found in (ranks.i2t, ranks.t2i):
        chance = at_chance(found)
        np.testing.assert_array_equal(found.expected, chance.expected)
        np.testing.assert_array_equal(found.reciprocal(), chance.reciprocal())
        np.testing.assert_array_equal(r_precision(found), r_precision(chance))
        np.testing.assert_array_equal(average_precision_at_r(found), average_precision_at_r(chance))
        for k in (1, 2, 3):
            assert found.hit_rate(k) == chance.hit_rate(k)
            np.testing.assert_array_equal(recall(found, k=k), recall(chance, k=k))
            np.testing.assert_array_equal(ndcg(found, k=k), ndcg(chance, k=k))


# ---- a part of the queries


def test_a_part_of_the_queries_keeps_their_values_and_all_candidates() -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 4, size=(12, 9)).astype(float)
    owners = [rng.choice(12, size=rng.integers(0, 4), replace=False).tolist() for _ in range(9)]
    whole = rank_scores(scores, owners).i2t
    keep = rng.random(whole.n_queries) < 0.5
    part = select_queries(whole, keep)
    assert part.n_candidates == 9
    for name in ("queries", "n_positives", "better", "tied", "positives_tied", "best_rival", "rival_score"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[keep])
    np.testing.assert_array_equal(average_precision_at_r(part), average_precision_at_r(whole)[keep])
    np.testing.assert_array_equal(ndcg(part, k=4), ndcg(whole, k=4)[keep])
    np.testing.assert_array_equal(recall(part, k=4), recall(whole, k=4)[keep])


def test_categories_add_up_to_the_whole() -> None:
    ranks = rank_scores(np.random.default_rng(6).integers(0, 5, size=(20, 20))).i2t
    category = np.arange(20) % 3
    parts = [select_queries(ranks, category == c) for c in range(3)]
    total = sum(part.hit_rate(5) * part.n_queries for part in parts)
    assert total / 20 == pytest.approx(ranks.hit_rate(5))


def test_keeping_no_query_leaves_nothing_to_average() -> None:
    none = select_queries(rank_scores(np.eye(3)).i2t, np.zeros(3, dtype=bool))
    with pytest.raises(InvalidInputError, match="no query has a right answer"):
        none.hit_rate(1)
    with pytest.raises(InvalidInputError, match="no query has a right answer"):
        median_rank(none)


@pytest.mark.parametrize("keep", [[0, 2, 1], np.array([0, 2]), [True, False], [[True, False, True]]])
def test_keep_must_be_one_boolean_for_each_ranked_query(keep: Any) -> None:
    with pytest.raises(InvalidInputError, match="keep must be 3 booleans"):
        select_queries(rank_scores(np.eye(3)).i2t, keep)


def test_a_list_of_booleans_keeps_the_same_queries_as_an_array() -> None:
    ranks = rank_scores(np.eye(3)).i2t
    assert select_queries(ranks, [True, False, True]).queries.tolist() == [0, 2]


@pytest.mark.parametrize("metric", [recall, ndcg])
@pytest.mark.parametrize("k", [0, 4, 2.0, True])
def test_k_outside_the_candidates_is_refused(metric: Callable[..., np.ndarray], k: Any) -> None:
    with pytest.raises(InvalidInputError, match="there are 3 candidates"):
        metric(rank_scores(np.eye(3)).i2t, k=k)


@pytest.mark.parametrize("metric", [recall, ndcg])
def test_without_ranked_queries_a_metric_is_an_empty_vector(metric: Callable[..., np.ndarray]) -> None:
    ranks = rank_scores(np.eye(2), [[], []]).i2t
    assert metric(ranks, k=1).shape == r_precision(ranks).shape == average_precision_at_r(ranks).shape == (0,)
