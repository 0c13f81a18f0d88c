"""The fast pass against a whole float64 product, on inputs that take each of its ways."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from clipeval import rank_retrieval, unit_rows
from clipeval.core import block_budget, ranking
from clipeval.core.block_counts import count_block, count_true
from clipeval.core.crowded_blocks import count_crowded
from clipeval.core.duplicates import equal_rows, sampled_keys
from clipeval.core.error_bound import FLOAT32, FLOAT64, error_bound
from clipeval.core.ranks import DirectionRanks
from clipeval.core.thresholds import Thresholds
from clipeval.errors import InvalidInputError, WrongProductError

Maker = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, list[list[int]]]]


def one_positive(rng: np.random.Generator) -> Any:
    images = rng.normal(size=(700, 24))
    owners = rng.integers(0, 700, size=1500)
    return images, images[owners] + 0.3 * rng.normal(size=(1500, 24)), [[int(i)] for i in owners]


def blind(rng: np.random.Generator) -> Any:
    owners = rng.integers(0, 700, size=1500)
    return rng.normal(size=(700, 24)), rng.normal(size=(1500, 24)), [[int(i)] for i in owners]


def many_positives(rng: np.random.Generator) -> Any:
    owners = [rng.choice(300, size=rng.integers(0, 30), replace=False).tolist() for _ in range(900)]
    return rng.normal(size=(300, 24)), rng.normal(size=(900, 24)), owners


def copies(rng: np.random.Generator) -> Any:
    pool = rng.normal(size=(80, 24))
    return (
        pool[rng.integers(0, 80, 600)],
        pool[rng.integers(0, 80, 900)],
        [[i] for i in range(600)] + [[]] * 300,
    )


def nearly_copies(rng: np.random.Generator) -> Any:
    images, texts, owners = blind(rng)
    return images[:1] + 1e-7 * images, images[:1] + 1e-7 * texts, owners


def two_clusters(rng: np.random.Generator) -> Any:
    images, texts, owners = copies(rng)
    return np.sign(images[:, :1]) * np.ones(24), np.sign(texts[:, :1]) * np.ones(24), owners


def orthogonal(rng: np.random.Generator) -> Any:
    images, texts, owners = many_positives(rng)
    images[:, 12:], texts[:, :12] = 0, 0
    return images, texts, owners


MAKERS = (one_positive, blind, many_positives, copies, nearly_copies, two_clusters, orthogonal)


def assert_equals_product(
    ranks: DirectionRanks, scores: np.ndarray, positives: list[list[int]], *, top: int
) -> None:
    for at, query in enumerate(ranks.queries.tolist()):
        row, mine = scores[query], np.zeros(scores.shape[1], dtype=bool)
        mine[positives[query]] = True
        best = row[mine].max()
        assert ranks.better[at] == np.count_nonzero(row[~mine] > best + 1e-12)
        assert ranks.tied[at] == np.count_nonzero(np.abs(row[~mine] - best) <= 1e-12)
        starts = ranks.groups.start[ranks.groups.query == at]
        lowest = row[mine].min()
        assert starts[-1] <= np.count_nonzero(row > lowest - 1e-12)
        assert starts[-1] >= np.count_nonzero(row > lowest + 1e-11) - np.count_nonzero(mine)
        wrong = np.where(mine, -np.inf, row)
        assert ranks.best_rival[at] == np.flatnonzero(wrong >= wrong.max() - 1e-12)[0]
        assert abs(ranks.rival_score[at] - wrong.max()) <= 1e-13
        assert ranks.top is not None
        np.testing.assert_allclose(
            row[ranks.top.candidates[at]], np.sort(row)[::-1][:top], rtol=0, atol=1e-13
        )
        np.testing.assert_allclose(ranks.top.scores[at], np.sort(row)[::-1][:top], rtol=0, atol=1e-13)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize(("block_bytes", "workers"), [(2**26, 1), (2**18, 3), (2**15, 2)])
def test_every_way_through_the_pass_gives_the_ranks_of_a_whole_float64_product(
    maker: Maker, block_bytes: int, workers: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_budget, "_WORTH_THREADS", 0)
    monkeypatch.setattr(block_budget, "_ROWS", 248 if workers == 1 else 96)
    monkeypatch.setattr(block_budget, "blas_threads", lambda: workers)
    images, texts, owners = maker(np.random.default_rng(1))
    ranks = rank_retrieval(images, texts, owners, top=5, block_bytes=block_bytes, compiled=compiled)
    scores = unit_rows(images).astype(float) @ unit_rows(texts).astype(float).T
    answers: list[list[int]] = [[] for _ in images]
    for caption, mine in enumerate(owners):
        for image in mine:
            answers[image].append(caption)
    assert_equals_product(ranks.i2t, scores, answers, top=5)
    assert_equals_product(ranks.t2i, scores.T, owners, top=5)


def test_without_rivals_the_ranks_are_the_same_and_no_rival_is_named(compiled: bool) -> None:
    images, texts, owners = copies(np.random.default_rng(2))
    whole = rank_retrieval(images, texts, owners, compiled=compiled)
    bare = rank_retrieval(images, texts, owners, rivals=False, compiled=compiled)
    for one, other in ((whole.i2t, bare.i2t), (whole.t2i, bare.t2i)):
        np.testing.assert_array_equal(one.groups.start, other.groups.start)
        np.testing.assert_array_equal(one.groups.wrong, other.groups.wrong)
        assert set(other.best_rival.tolist()) == {-1}
        assert np.isnan(other.rival_score).all()


@pytest.mark.parametrize("n", [1, 1000, 20000])
def test_a_constant_encoder_of_any_size_scores_chance(n: int) -> None:
    rows = np.broadcast_to(np.arange(1.0, 9.0), (n, 8))
    ranks = rank_retrieval(rows, rows)
    assert ranks.i2t.hit_rate(1) == pytest.approx(1 / n, rel=1e-12)
    assert ranks.t2i.pessimistic.tolist() == [n] * n
    if n > 1:
        assert ranks.i2t.best_rival.tolist() == [1] + [0] * (n - 1)


@pytest.mark.parametrize("order", ["any", "better and better"])
def test_a_crowd_takes_the_memory_of_a_few_blocks(order: str, compiled: bool) -> None:
    rng = np.random.default_rng(7)
    images, texts = (1 + 1e-4 * rng.normal(size=(2100, 8)) for _ in range(2))
    if order != "any":  # each candidate pushes all before it off the lists
        images[:], texts[:] = 1, 1
        images[:, 0] += np.linspace(1e-3, 0, 2100)
        texts[:, 0] += np.linspace(1e-3, 0, 2100)
    rank_retrieval(images[:9], texts[:9], top=9, compiled=compiled)  # what is loaded once
    tracemalloc.start()
    try:
        rank_retrieval(images, texts, top=10, compiled=compiled)
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("most", [1, 3, 20])
@pytest.mark.parametrize("spread", [1e-9, 0.02, 1.0])
def test_the_ways_of_counting_a_block_agree_with_a_loop(
    axis: int, most: int, spread: float, compiled: bool
) -> None:
    count = count_block
    if compiled:
        from clipeval.core.compiled.engine import count_compiled as count
    rng = np.random.default_rng(3)
    exact = rng.normal(scale=spread, size=(40, 56)) * 0.05 + 0.2
    bound = 1e-5
    fast = (exact + rng.uniform(-bound, bound, exact.shape) * 0.99).astype(np.float32)
    n = exact.shape[axis]
    owner = np.sort(np.repeat(np.arange(n), rng.integers(0, most + 1, n)))
    score = rng.normal(scale=spread, size=len(owner)) * 0.05 + 0.2
    order = np.lexsort((score, owner))
    weights = rng.integers(1, 4, exact.shape[1 - axis])
    for copies_ in (None, weights):
        thresholds = Thresholds(owner, score[order], n, bound, copies_)
        rows = exact if axis == 0 else exact.T
        place = {"axis": axis, "own": 0, "other": 0}
        fast_counts = count(fast, thresholds, most_unsure=10**6, **place)
        wide_counts = count_crowded(exact, thresholds, bound=1e-14, **place)
        for counts in (fast_counts, wide_counts):
            above, level = np.zeros(len(owner), np.int64), np.zeros(len(owner), np.int64)
            above[counts.threshold] = counts.above
            if counts.level is not None:
                level[counts.threshold] = counts.level
            for t, other in zip(counts.unsure_threshold, counts.unsure_other, strict=True):
                weight = 1 if copies_ is None else weights[other]
                difference = rows[thresholds.owner[t], other] - thresholds.score[t]
                above[t] += weight * (difference > 1e-12)
                level[t] += weight * (abs(difference) <= 1e-12)
            for t in range(len(owner)):
                each = np.ones(rows.shape[1], int) if copies_ is None else weights
                difference = rows[thresholds.owner[t]] - thresholds.score[t]
                assert above[t] == each[difference > 1e-12].sum()
                assert level[t] == each[np.abs(difference) <= 1e-12].sum()


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (300, 16), (7, 4090), (520, 4096)])
def test_counting_bytes_as_bytes_never_overflows(shape: tuple[int, int]) -> None:
    for mask in (np.ones(shape, bool), np.random.default_rng(4).random(shape) < 0.9):
        for axis in (0, 1):
            assert count_true(mask, axis=axis).tolist() == mask.sum(axis=1 - axis).tolist()
            weights = np.random.default_rng(5).integers(1, 9, shape[1 - axis])
            summed = mask @ weights if axis == 0 else weights @ mask
            assert count_true(mask, axis=axis, copies=weights).tolist() == summed.tolist()


@pytest.mark.parametrize("width", [1, 3, 64, 512, 2048])
def test_no_float32_product_is_further_from_the_score_than_the_bound(width: int) -> None:
    rng = np.random.default_rng(width)
    left = unit_rows(np.abs(rng.normal(size=(60, width))))  # of one sign, so that rounding errors add up
    right = unit_rows(np.abs(rng.normal(size=(60, width))))
    exact = left.astype(np.float64) @ right.astype(np.float64).T
    one_by_one = np.zeros((60, 60), dtype=np.float32)
    for k in range(width):
        one_by_one += left[:, k, None] * right[None, :, k]
    for product in (left @ right.T, one_by_one):
        assert np.abs(product - exact).max() <= error_bound(width, FLOAT32)
    assert error_bound(width, FLOAT64) < 1e-12 or width > 8192


def test_rows_are_grouped_only_if_all_entries_agree_even_if_their_keys_collide() -> None:
    rows = np.array([[1, 2], [1, 2], [3, 4], [-0.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    same_key = np.zeros(5, dtype=np.uint64)
    for keys in (sampled_keys(rows), same_key):
        groups = equal_rows(keys, lambda index: rows[index])
        assert groups.group_of.tolist() == [0, 0, 1, 2, 2]
        assert groups.first.tolist() == [0, 2, 3]
        assert groups.copies.tolist() == [2, 1, 2]


def test_rows_that_differ_outside_the_sampled_columns_are_different() -> None:
    rows = np.ones((3, 100), dtype=np.float32)
    rows[1, 1] = 2
    assert equal_rows(sampled_keys(rows), lambda index: rows[index]).group_of.tolist() == [0, 1, 0]


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "1"])
def test_a_block_budget_that_is_no_number_of_bytes_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="block_bytes"):
        rank_retrieval(np.eye(3), np.eye(3), block_bytes=wrong)


def test_a_block_budget_may_be_a_number_of_numpy() -> None:
    assert block_budget.plan(9, 9, 9, block_bytes=np.int32(2**26)) == block_budget.plan(  # type: ignore[arg-type]
        9, 9, 9, block_bytes=2**26
    )


@pytest.mark.parametrize("wrong", [-1, 4, 1.5, True])
def test_a_top_list_longer_than_the_candidates_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"k must be a whole number in 1 \.\.\. 3"):
        rank_retrieval(np.eye(3), np.ones((5, 3)), [0] * 5, top=wrong)


def test_equal_scores_stand_by_number_in_a_top_list_even_where_some_are_copies_of_one_row() -> None:
    texts = np.array([[1, 1], [1, -1], [1, -1], [1, 1], [2, 0]])  # rows 0 to 3 score the same for the image
    ranks = rank_retrieval([[1, 0]], texts, [0] * 5, top=1)
    assert ranks.i2t.top is not None
    assert ranks.i2t.top.candidates.tolist() == [[4]]
    for k, order in ((1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])):
        images = np.array([[1.0, 0.0]] * k)
        found = rank_retrieval(images, texts[:4], [[]] * 3 + [[0]], top=k).i2t.top
        assert found is not None
        assert found.candidates.tolist() == [order]


def test_runs_in_threads_of_the_caller_give_the_same_ranks_and_leave_the_blas_threads_as_they_were(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    limit = threadpoolctl.threadpool_limits(2, user_api="blas")  # also where the environment says one
    request.addfinalizer(limit.restore_original_limits)
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    if not pools or min(pool["num_threads"] for pool in pools) < 2:
        pytest.skip("needs a BLAS library with two threads")
    monkeypatch.setattr(block_budget, "_WORTH_THREADS", 0)
    monkeypatch.setattr(block_budget, "_ROWS", 16)
    images, texts, owners = blind(np.random.default_rng(6))
    wanted = rank_retrieval(images, texts, owners)
    with ExitStack() as first, ExitStack() as last:
        # the first to begin is the first to end: the other must not put back what it found
        first.enter_context(block_budget.threads(2))
        last.enter_context(block_budget.threads(2))
        first.close()
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: rank_retrieval(images, texts, owners), range(4)))
    for ranks in found:
        np.testing.assert_array_equal(ranks.i2t.better, wanted.i2t.better)
        np.testing.assert_array_equal(ranks.t2i.best_rival, wanted.t2i.best_rival)
    with pytest.raises(KeyboardInterrupt), block_budget.threads(2):
        raise KeyboardInterrupt
    after = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    assert [pool["num_threads"] for pool in after] == [pool["num_threads"] for pool in pools]


@pytest.mark.parametrize("maker", [many_positives, copies])
def test_where_no_bound_is_proved_for_a_width_every_score_is_float64(
    maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert error_bound(2**24) == float("inf")
    images, texts, owners = maker(np.random.default_rng(8))
    images, owners = images[:20], [[i for i in mine if i < 20] for mine in owners]
    wanted = rank_retrieval(images, texts, owners, top=5)
    monkeypatch.setattr(ranking, "error_bound", lambda width: float("inf"))
    found = rank_retrieval(images, texts, owners, top=5)
    for one, other in ((wanted.i2t, found.i2t), (wanted.t2i, found.t2i)):
        np.testing.assert_array_equal(one.groups.start, other.groups.start)
        np.testing.assert_array_equal(one.groups.wrong, other.groups.wrong)
        np.testing.assert_array_equal(one.best_rival, other.best_rival)
        assert one.top is not None
        assert other.top is not None
        np.testing.assert_array_equal(one.top.candidates, other.top.candidates)


def test_a_product_that_is_further_from_a_right_pairs_score_than_rounding_can_move_it_is_refused(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    multiply = np.matmul

    def wrong(left: Any, right: Any, out: Any) -> Any:
        multiply(left, right, out=out)
        out[1] += np.float32(1e-3)
        return out

    monkeypatch.setattr(np, "matmul", wrong)
    with pytest.raises(WrongProductError, match=r"rounding alone[\s\S]*row 1 with row 1 "):
        rank_retrieval(np.eye(4), np.eye(4), compiled=compiled)
