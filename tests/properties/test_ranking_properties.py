from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipeval import rank_retrieval, rank_scores, unit_rows
from clipeval.core.ranks import DirectionRanks


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]]]:
    """Whole-number scores with many ties, and for every caption zero or more images."""
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    levels = draw(st.sampled_from([0, 1, 3, 1000]))
    scores = draw(hnp.arrays(np.int64, (m, n), elements=st.integers(-levels, levels))).astype(float)
    owners = draw(st.lists(st.lists(st.integers(0, m - 1), unique=True), min_size=n, max_size=n))
    return scores, owners


def hits(ranks: DirectionRanks) -> np.ndarray:
    return np.array([ranks.hits(k) for k in range(1, ranks.n_candidates + 1)])


def assert_same(one: DirectionRanks, other: DirectionRanks) -> None:
    np.testing.assert_array_equal(one.queries, other.queries)
    for name in ("better", "tied", "positives_tied"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


rules = st.sampled_from(["optimistic", "expected", "pessimistic"])


@given(problems(), rules)
def test_hits_never_fall_with_k_and_reach_one_at_the_end(
    problem: tuple[np.ndarray, list[list[int]]], ties: str
) -> None:
    ranks = rank_scores(*problem, ties=ties)  # type: ignore[arg-type]
    for direction in (ranks.i2t, ranks.t2i):
        table = hits(direction)
        assert (np.diff(table, axis=0) >= 0).all()
        assert (table[-1] == 1).all()
        assert (table >= 0).all()


@given(problems())
def test_optimistic_hits_are_at_least_expected_ones_and_these_at_least_pessimistic_ones(
    problem: tuple[np.ndarray, list[list[int]]],
) -> None:
    for direction in ("i2t", "t2i"):
        kind, even, harsh = (
            getattr(rank_scores(*problem, ties=ties), direction)  # type: ignore[arg-type]
            for ties in ("optimistic", "expected", "pessimistic")
        )
        assert (hits(kind) >= hits(even)).all()
        assert (hits(even) >= hits(harsh)).all()
        assert (kind.optimistic <= kind.expected).all()
        assert (kind.expected <= kind.pessimistic).all()
        assert (kind.reciprocal() >= even.reciprocal() - 1e-15).all()
        assert (even.reciprocal() >= harsh.reciprocal() - 1e-15).all()


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(
    problem: tuple[np.ndarray, list[list[int]]], random: object
) -> None:
    scores, owners = problem
    m, n = scores.shape
    images, captions = list(range(m)), list(range(n))
    random.shuffle(images)  # type: ignore[attr-defined]
    random.shuffle(captions)  # type: ignore[attr-defined]
    place = {image: at for at, image in enumerate(images)}
    moved = rank_scores(scores[np.ix_(images, captions)], [[place[i] for i in owners[c]] for c in captions])
    ranks = rank_scores(scores, owners)
    for direction, names in (("i2t", images), ("t2i", captions)):
        one, other = getattr(ranks, direction), getattr(moved, direction)
        before = dict(zip(one.queries.tolist(), zip(one.better, one.tied, strict=True), strict=True))
        after = {
            names[q]: counts
            for q, counts in zip(
                other.queries.tolist(), zip(other.better, other.tied, strict=True), strict=True
            )
        }
        assert before == after


@given(problems(), st.integers(-(10**6), 10**6), st.integers(1, 10**4))
def test_a_constant_added_and_a_positive_factor_change_nothing(
    problem: tuple[np.ndarray, list[list[int]]], shift: int, factor: int
) -> None:
    scores, owners = problem
    ranks, moved = rank_scores(scores, owners), rank_scores(scores * factor + shift, owners)
    assert_same(ranks.i2t, moved.i2t)
    assert_same(ranks.t2i, moved.t2i)


@given(problems())
def test_the_two_directions_are_the_transposed_problem(problem: tuple[np.ndarray, list[list[int]]]) -> None:
    scores, owners = problem
    of_image = [[c for c, mine in enumerate(owners) if i in mine] for i in range(len(scores))]
    ranks, turned = rank_scores(scores, owners), rank_scores(scores.T, of_image)
    assert_same(ranks.i2t, turned.t2i)
    assert_same(ranks.t2i, turned.i2t)


@given(st.integers(1, 40), st.data())
def test_a_row_of_equal_scores_hits_by_the_share_of_right_answers(n: int, data: st.DataObject) -> None:
    positives = data.draw(st.integers(1, n))
    value = data.draw(st.floats(-1e300, 1e300))
    ranks = rank_scores(np.full((1, n), value), [[0]] * positives + [[]] * (n - positives)).i2t
    assert math.isclose(ranks.hit_rate(1), positives / n, abs_tol=1e-15)


@given(problems(), st.integers(0, 7))
def test_another_wrong_candidate_never_helps(problem: tuple[np.ndarray, list[list[int]]], level: int) -> None:
    scores, owners = problem
    wider = np.hstack([scores, np.full((len(scores), 1), float(level))])
    before, after = rank_scores(scores, owners).i2t, rank_scores(wider, [*owners, []]).i2t
    assert (after.expected >= before.expected).all()
    for k in range(1, before.n_candidates + 1):
        assert (after.hits(k) <= before.hits(k) + 1e-15).all()


@given(problems())
def test_counting_equals_a_loop_over_candidates(problem: tuple[np.ndarray, list[list[int]]]) -> None:
    scores, owners = problem
    ranks = rank_scores(scores, owners).t2i
    asked = [c for c, mine in enumerate(owners) if mine]
    assert ranks.queries.tolist() == asked
    for at, c in enumerate(asked):
        best = max(scores[i, c] for i in owners[c])
        wrong = [scores[i, c] for i in range(len(scores)) if i not in owners[c]]
        assert ranks.better[at] == sum(s > best for s in wrong)
        assert ranks.tied[at] == sum(s == best for s in wrong)
        assert ranks.positive_score[at] == best
        assert (ranks.best_rival[at] == -1) == (not wrong)
        if wrong:
            assert ranks.rival_score[at] == max(wrong)


@st.composite
def embeddings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """A small pool of directions drawn with repetition: duplicates, near copies, zero rows, any size."""
    d = draw(st.integers(1, 24))
    pool = draw(hnp.arrays(np.float64, (3, d), elements=st.floats(-4, 4, width=32)))
    pool = np.vstack([pool, pool[0] * (1 + 2.0**-20), np.zeros(d), -pool[1]])
    m, n = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    pick = st.tuples(st.integers(0, 5), st.sampled_from([1.0, 3.0, 1e-200, 1e200]))
    rows = [pool[at] * size for at, size in draw(st.lists(pick, min_size=m + n, max_size=m + n))]
    owners = draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n))
    return np.array(rows[:m]), np.array(rows[m:]), owners


@given(embeddings())
def test_embeddings_rich_in_copies_rank_as_sums_of_products_do(
    drawn: tuple[np.ndarray, np.ndarray, list[int]],
) -> None:
    images, captions, owners = drawn
    left, right = unit_rows(images).astype(float).tolist(), unit_rows(captions).astype(float).tolist()
    ranks = rank_retrieval(images, captions, owners)
    for c, owner in enumerate(owners):
        exact = [math.fsum(a * b for a, b in zip(image, right[c], strict=True)) for image in left]
        wrong = [s for i, s in enumerate(exact) if i != owner]
        assert ranks.t2i.better[c] == sum(s - exact[owner] > 1e-12 for s in wrong)
        assert ranks.t2i.tied[c] == sum(abs(s - exact[owner]) <= 1e-12 for s in wrong)
    for at, i in enumerate(ranks.i2t.queries):
        exact = [math.fsum(a * b for a, b in zip(left[i], caption, strict=True)) for caption in right]
        best = max(s for s, owner in zip(exact, owners, strict=True) if owner == i)
        wrong = [s for s, owner in zip(exact, owners, strict=True) if owner != i]
        assert ranks.i2t.better[at] == sum(s - best > 1e-12 for s in wrong)
        assert ranks.i2t.tied[at] == sum(abs(s - best) <= 1e-12 for s in wrong)


@given(embeddings(), st.integers(1, 200))
def test_identical_captions_get_identical_counts(
    drawn: tuple[np.ndarray, np.ndarray, list[int]], copies: int
) -> None:
    images, captions, _ = drawn
    ranks = rank_retrieval(images, np.repeat(captions[:1], copies, axis=0), [0] * copies).t2i
    assert len(set(ranks.better.tolist())) == len(set(ranks.tied.tolist())) == 1
