"""rank_retrieval against exact fractions, on rows that are made to be hard to tell apart."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipeval import rank_retrieval, unit_rows
from clipeval.core.blockwise import rank_in_blocks
from clipeval.core.ranks import DirectionRanks

TOLERANCE = Fraction(1, 10**12)


def exact_scores(images: Any, texts: Any) -> list[list[Fraction]]:
    left = [[Fraction(x) for x in row] for row in unit_rows(images).tolist()]
    right = [[Fraction(x) for x in row] for row in unit_rows(texts).tolist()]
    return [[sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in right] for x in left]


def assert_ranked_as_defined(
    ranks: DirectionRanks, scores: list[list[Any]], positives: list[list[int]]
) -> None:
    """`scores` has one row for each query; all positives are checked, and the rival, and the top list."""
    asked = [q for q, mine in enumerate(positives) if mine]
    assert ranks.queries.tolist() == asked
    for at, query in enumerate(asked):
        row, mine = scores[query], set(positives[query])
        wrong = [c for c in range(len(row)) if c not in mine]
        best = max(row[c] for c in mine)
        assert ranks.better[at] == sum(row[c] - best > TOLERANCE for c in wrong)
        assert ranks.tied[at] == sum(abs(row[c] - best) <= TOLERANCE for c in wrong)
        assert ranks.positives_tied[at] == sum(best - row[c] <= TOLERANCE for c in mine)
        assert abs(ranks.positive_score[at] - best) <= 1e-14
        left = sorted(mine, key=lambda c: -row[c])
        for group in np.flatnonzero(ranks.groups.query == at):  # each is judged against its best positive
            first = left[0]
            level = [c for c in left if row[first] - row[c] <= TOLERANCE]
            assert ranks.groups.positives[group] == len(level)
            assert ranks.groups.before[group] == len(mine) - len(left)
            higher = sum(row[c] - row[first] > TOLERANCE for c in wrong)
            assert ranks.groups.start[group] == higher + len(mine) - len(left)
            assert ranks.groups.wrong[group] == sum(abs(row[c] - row[first]) <= TOLERANCE for c in wrong)
            left = left[len(level) :]
        assert not left
        if wrong:
            top = max(row[c] for c in wrong)
            assert ranks.best_rival[at] == next(c for c in wrong if top - row[c] <= TOLERANCE)
            assert abs(ranks.rival_score[at] - top) <= 1e-14
        else:
            assert ranks.best_rival[at] == -1
            assert np.isnan(ranks.rival_score[at])
        if ranks.top is not None:
            found, kept = ranks.top.candidates[at].tolist(), ranks.top.scores[at]
            assert len(set(found)) == len(found)
            assert all(abs(kept[place] - row[c]) <= 1e-14 for place, c in enumerate(found))
            order = list(zip((-kept).tolist(), found, strict=True))
            assert order == sorted(order)
            rest = [row[c] for c in range(len(row)) if c not in set(found)]
            assert not rest or max(rest) <= row[found[-1]] + 1e-14


@st.composite
def close_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]]]:
    """Copies, copies moved by a few units in the last place, zero rows, denormals, negatives, any size."""
    d = draw(st.integers(1, 12))
    wide = st.floats(-2, 2, width=32)
    pool = draw(hnp.arrays(np.float32, (draw(st.integers(1, 3)), d), elements=wide))
    m, n = draw(st.integers(1, 7)), draw(st.integers(1, 9))

    def row() -> np.ndarray:
        made = pool[draw(st.integers(0, len(pool) - 1))].copy()
        kind = draw(st.sampled_from(["copy", "copy", "ulps", "zero", "tiny", "minus", "sparse"]))
        if kind == "ulps":
            at = draw(st.integers(0, d - 1))
            for _ in range(draw(st.integers(1, 4))):
                made[at] = np.nextafter(made[at], np.float32(draw(st.sampled_from([-4, 4]))))
        elif kind == "zero":
            made[:] = 0
        elif kind == "tiny":
            made[draw(st.integers(0, d - 1))] = draw(st.sampled_from([1e-45, -1e-40, 1e-38]))
        elif kind == "minus":
            made = -made
        elif kind == "sparse":
            made[draw(st.integers(0, d - 1)) :] = 0
        return made.astype(np.float64) * draw(st.sampled_from([1.0, 3.0, 1e-200, 1e200]))

    images, texts = np.array([row() for _ in range(m)]), np.array([row() for _ in range(n)])
    owners = draw(st.lists(st.lists(st.integers(0, m - 1), unique=True), min_size=n, max_size=n))
    answers = draw(st.lists(st.lists(st.integers(0, n - 1), unique=True), min_size=m, max_size=m))
    return images, texts, owners, answers


@settings(max_examples=300)
@given(close_rows(), st.sampled_from([1, 100, 400, 2**12, 2**26]), st.integers(0, 3))
def test_ranks_rivals_and_top_lists_are_those_of_exact_fractions(
    compiled: bool,
    drawn: tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]]],
    block_bytes: int,
    top: int,
) -> None:
    images, texts, owners, answers = drawn
    top = min(top, len(images), len(texts))
    ranks = rank_retrieval(
        images,
        texts,
        owners,
        captions_of_image=answers,
        block_bytes=block_bytes,
        top=top,
        compiled=compiled,
    )
    scores = exact_scores(images, texts)
    assert_ranked_as_defined(ranks.i2t, scores, answers)
    assert_ranked_as_defined(ranks.t2i, [list(column) for column in zip(*scores, strict=True)], owners)


@settings(max_examples=80)
@given(
    close_rows(),
    st.sampled_from(["float32", "tf32", "float16", "bfloat16"]),
    st.sampled_from([1, 400, 2**26]),
    st.integers(0, 3),
)
def test_every_filter_format_of_torch_gives_those_of_exact_fractions_too(
    drawn: tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]]],
    filter_format: str,
    block_bytes: int,
    top: int,
) -> None:
    pytest.importorskip("torch", reason="needs clipeval[models]")
    images, texts, owners, answers = drawn
    ranks = rank_retrieval(
        images,
        texts,
        owners,
        captions_of_image=answers,
        block_bytes=block_bytes,
        top=min(top, len(images), len(texts)),
        device="cpu",
        filter_format=filter_format,
    )
    scores = exact_scores(images, texts)
    assert_ranked_as_defined(ranks.i2t, scores, answers)
    assert_ranked_as_defined(ranks.t2i, [list(column) for column in zip(*scores, strict=True)], owners)


class Shuffled:
    """Workers that come back in any order, through pickle as from another process."""

    def __init__(self, random: Any) -> None:
        self._random = random

    def share(self, value: Any) -> Any:
        return pickle.dumps(value)

    def run(self, work: Any, pieces: Any) -> Any:
        done = []
        for number, piece in enumerate(pieces):
            given = [pickle.loads(one) if isinstance(one, bytes) else one for one in piece]  # noqa: S301
            done.append((number, pickle.loads(pickle.dumps(work(*given)))))  # noqa: S301
        self._random.shuffle(done)
        yield from done


def assert_the_same_to_the_last_bit(one: DirectionRanks, other: DirectionRanks) -> None:
    names = ("queries", "without_positives", "n_positives", "positive_score", "best_rival", "rival_score")
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("query", "start", "positives", "wrong", "before"):
        np.testing.assert_array_equal(getattr(one.groups, name), getattr(other.groups, name), err_msg=name)
    assert (one.top is None) == (other.top is None)
    if one.top is not None and other.top is not None:
        np.testing.assert_array_equal(one.top.candidates, other.top.candidates)
        np.testing.assert_array_equal(one.top.scores, other.top.scores)


@settings(max_examples=300)
@given(close_rows(), st.integers(1, 4), st.integers(0, 3), st.randoms(use_true_random=False))
def test_blocks_in_any_order_give_the_ranks_of_one_pass(
    drawn: tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]]],
    block_rows: int,
    top: int,
    random: object,
) -> None:
    images, texts, owners, answers = drawn
    asked = {"captions_of_image": answers, "top": min(top, len(images), len(texts))}
    whole = rank_retrieval(images, texts, owners, **asked)
    merged = rank_in_blocks(images, texts, owners, **asked, block_rows=block_rows, workers=Shuffled(random))
    assert_the_same_to_the_last_bit(merged.i2t, whole.i2t)
    assert_the_same_to_the_last_bit(merged.t2i, whole.t2i)


@pytest.mark.parametrize("rivals", [True, False])
def test_many_blocks_of_near_ties_give_the_ranks_of_one_pass(rivals: bool) -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(60, 24)).astype(np.float32)
    images = base[rng.integers(0, 60, 400)]
    images[::3] += rng.choice([0, 1e-7], size=images[::3].shape).astype(np.float32)
    texts = images[rng.integers(0, 400, 900)] * np.float32(1.5)
    owner = rng.integers(0, 400, 900)
    whole = rank_retrieval(images, texts, owner, top=9, rivals=rivals)
    for block_rows in (37, 128, 5000):
        merged = rank_in_blocks(images, texts, owner, top=9, rivals=rivals, block_rows=block_rows)
        assert_the_same_to_the_last_bit(merged.i2t, whole.i2t)
        assert_the_same_to_the_last_bit(merged.t2i, whole.t2i)


@settings(max_examples=60)
@given(close_rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_count(
    drawn: tuple[np.ndarray, np.ndarray, list[list[int]], list[list[int]]], random: object
) -> None:
    images, texts, owners, _ = drawn
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one = rank_retrieval(images, texts, owners).t2i
    other = rank_retrieval(images, texts[order], [owners[c] for c in order]).t2i
    wanted = {
        q: (g, e, s) for q, g, e, s in zip(one.queries, one.better, one.tied, one.positive_score, strict=True)
    }
    for at, query in enumerate(other.queries):
        assert wanted[order[query]] == (other.better[at], other.tied[at], other.positive_score[at])


@pytest.mark.parametrize("bits", [3, 6])
def test_rows_of_signs_tie_everywhere_without_being_copies(bits: int, compiled: bool) -> None:
    rng = np.random.default_rng(bits)
    images, texts = rng.choice([-1.0, 1.0], size=(40, bits)), rng.choice([-1.0, 1.0], size=(70, bits))
    owners = [rng.choice(40, size=rng.integers(0, 5), replace=False).tolist() for _ in range(70)]
    answers = [[c for c, mine in enumerate(owners) if i in mine] for i in range(40)]
    scores = exact_scores(images, texts)
    for block_bytes in (1, 5000, 2**26):
        ranks = rank_retrieval(images, texts, owners, block_bytes=block_bytes, top=7, compiled=compiled)
        assert_ranked_as_defined(ranks.i2t, scores, answers)
        assert_ranked_as_defined(ranks.t2i, [list(column) for column in zip(*scores, strict=True)], owners)
