"""Ranks of right answers: counted, never sorted, under a stated tie rule, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.positives import Integers, Positives, PositivesLike, both_directions
from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.similarity import check_same_width, finite_rows, unit_rows
from clipeval.core.ties import Floats, TieGroups, TieRule, check_tie_rule
from clipeval.errors import InvalidInputError

TIE_TOLERANCE = 1e-12
"""Similarities of unit vectors closer than this are equal: far above the noise of a float64 product
(d * 2**-53, about 6e-14 at d = 512), far below the resolution of float32 embeddings."""

BLOCK_BYTES = 64 * 2**20


def rank_retrieval(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    captions_of_image: PositivesLike | None = None,
    ties: TieRule = "expected",
) -> Ranks:
    """Rank the right answers of every image among the captions, and of every caption among the images.

    Rows are normalised in float64 and rounded once to float32; scores are float64 products of exactly
    those rows, and scores closer than 1e-12 are equal. The positive's score is read from the same product
    as its rivals'. Memory is the inputs plus one block of scores.

    Parameters
    ----------
    images : array-like, shape (m, d)
        Image embeddings, unit or not.
    texts : array-like, shape (n, d)
        Caption embeddings.
    image_of_caption : array-like of int, shape (n,), or list of lists, or None
        The image of each caption (or its images; an empty list declares a caption that describes none).
        None pairs row i with row i, unless `captions_of_image` is given: then its reverse is taken.
    captions_of_image : list of lists of int, optional
        The captions of each image, where they are not the reverse of ``image_of_caption``.
    ties : {"expected", "optimistic", "pessimistic"}
        ``expected`` is the mean over random tie breaks, so a constant encoder scores exactly chance.

    Returns
    -------
    Ranks

    Raises
    ------
    InvalidInputError
        NaN or infinity (with the row), different widths, positives out of range, unknown tie rule.

    Examples
    --------
    >>> ranks = rank_retrieval([[1, 0], [0, 1]], [[2, 0], [1, 0], [0, 3]], [0, 0, 1])
    >>> ranks.t2i.hit_rate(1), ranks.i2t.optimistic.tolist()
    (1.0, [1, 1])
    >>> constant = rank_retrieval([[1, 0]] * 4, [[1, 0]] * 4)
    >>> constant.i2t.hit_rate(1), constant.i2t.pessimistic.tolist()
    (0.25, [4, 4, 4, 4])
    """
    check_tie_rule(ties)
    left = unit_rows(images, name="images")
    right = unit_rows(texts, name="texts")
    check_same_width(left, right)
    i2t, t2i = both_directions(image_of_caption, captions_of_image, n_images=len(left), n_captions=len(right))
    wide_left, wide_right = left.astype(np.float64), right.astype(np.float64)
    return Ranks(
        _rank(lambda rows: wide_left[rows] @ wide_right.T, i2t, ties, TIE_TOLERANCE),
        _rank(lambda rows: wide_right[rows] @ wide_left.T, t2i, ties, TIE_TOLERANCE),
    )


def rank_scores(
    scores: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    captions_of_image: PositivesLike | None = None,
    ties: TieRule = "expected",
    tolerance: float = TIE_TOLERANCE,
) -> Ranks:
    """Rank right answers in a score matrix that was computed elsewhere (a cross-encoder, a published run).

    Parameters
    ----------
    scores : array-like, shape (m, n)
        ``scores[i, j]`` of image i with caption j; higher is better; any finite size.
    image_of_caption, captions_of_image, ties
        As in `rank_retrieval`.
    tolerance : float
        Scores at most this far apart are equal. The default suits cosines; pass 0 for scores whose
        smallest differences mean something.

    Returns
    -------
    Ranks

    Raises
    ------
    InvalidInputError
        As in `rank_retrieval`; also a negative or non-finite tolerance.

    Examples
    --------
    >>> rank_scores([[3, 1], [2, 2]]).i2t.hits(1).tolist()
    [1.0, 0.5]
    """
    check_tie_rule(ties)
    if not isinstance(tolerance, (int, float, np.number)) or not 0 <= tolerance < np.inf:
        raise InvalidInputError(f"tolerance is {tolerance!r}", fix="pass 0 or a small positive number")
    matrix = finite_rows(scores, name="scores").astype(np.float64)
    i2t, t2i = both_directions(
        image_of_caption, captions_of_image, n_images=matrix.shape[0], n_captions=matrix.shape[1]
    )
    transposed = matrix.T
    return Ranks(
        _rank(lambda rows: matrix[rows], i2t, ties, tolerance),
        _rank(lambda rows: transposed[rows], t2i, ties, tolerance),
    )


def _blocks(rows: Integers, width: int) -> Iterator[Integers]:
    step = max(1, BLOCK_BYTES // (8 * max(width, 1)))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


# scores near the end of float64 may overflow in a difference; infinity then compares as it should
@np.errstate(over="ignore")
def _rank(
    score_rows: Callable[[Integers], NDArray[np.floating[Any]]],
    positives: Positives,
    ties: TieRule,
    tolerance: float,
) -> DirectionRanks:
    queries = np.flatnonzero(positives.counts > 0)
    counts = positives.counts[queries]
    pair_score = np.empty(len(positives.candidates))
    above = np.empty(len(positives.candidates), dtype=np.int64)
    level = np.empty(len(positives.candidates), dtype=np.int64)
    rival = np.full(positives.n_queries, -1, dtype=np.int64)
    rival_score = np.full(positives.n_queries, np.nan)
    for rows in _blocks(queries, positives.n_candidates):
        scores = np.array(score_rows(rows), dtype=np.float64)
        row_of, pair = _pairs_of(positives, rows)
        mine = scores[row_of, positives.candidates[pair]]
        pair_score[pair] = mine
        scores[row_of, positives.candidates[pair]] = -np.inf  # what is left are the wrong candidates
        best = scores.max(axis=1)
        some = np.isfinite(best)
        rival[rows[some]] = np.argmax(scores >= _floor(best, tolerance)[:, None], axis=1)[some]
        rival_score[rows[some]] = best[some]
        for slot in _slots(row_of):
            at, value = row_of[slot], mine[slot][:, None]
            wrong = scores[at]
            higher = np.count_nonzero(wrong > value + tolerance, axis=1)
            above[pair[slot]] = higher
            level[pair[slot]] = np.count_nonzero(wrong >= _floor(value, tolerance), axis=1) - higher
    query_of_pair = np.repeat(np.arange(len(queries)), counts)
    groups, best_score = _tie_groups(query_of_pair, pair_score, above, level, tolerance)
    return DirectionRanks(
        queries=queries,
        without_positives=np.flatnonzero(positives.counts == 0),
        n_candidates=positives.n_candidates,
        n_positives=counts,
        ties=ties,
        groups=groups,
        positive_score=best_score,
        best_rival=rival[queries],
        rival_score=rival_score[queries],
    )


def _floor(score: Floats, tolerance: float) -> Floats:
    """Lowest score that ties with this one; always above the -inf that marks a positive."""
    return np.maximum(score - tolerance, np.finfo(np.float64).min)


def _pairs_of(positives: Positives, rows: Integers) -> tuple[Integers, Integers]:
    """Row within the block, and index into ``positives.candidates``, of every pair of these queries."""
    counts = positives.counts[rows]
    row_of = np.repeat(np.arange(len(rows)), counts)
    first = np.repeat(positives.offsets[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return row_of, first + np.arange(len(row_of))


def _slots(row_of: Integers) -> Iterator[Integers]:
    """Split the pairs of a block so that each part holds at most one pair of each row."""
    starts = np.searchsorted(row_of, row_of)
    place = np.arange(len(row_of)) - starts
    for slot in range(int(place.max(initial=-1)) + 1):
        yield np.flatnonzero(place == slot)


def _tie_groups(
    query: Integers, score: Floats, above: Integers, level: Integers, tolerance: float
) -> tuple[TieGroups, Floats]:
    """Gather the pairs of each query into groups of one score, judged against the group's best pair."""
    order = np.lexsort((-score, query))
    query, score, above, level = query[order], score[order], above[order], level[order]
    n = len(query)
    place = np.arange(n) - np.searchsorted(query, query)
    opens = np.ones(n, dtype=bool)
    leader = 0  # opens the group that the previous pair belongs to
    close = (query[1:] == query[:-1]) & (score[:-1] - score[1:] <= tolerance)
    for i in (
        np.flatnonzero(close) + 1
    ).tolist():  # rare: only pairs that touch their predecessor can be tied
        leader = i - 1 if opens[i - 1] else leader
        opens[i] = score[leader] - score[i] > tolerance
    first = np.flatnonzero(opens)
    groups = TieGroups(
        query=query[first],
        start=above[first] + place[first],
        positives=np.diff(np.append(first, n)),
        wrong=level[first],
        before=place[first],
    )
    return groups, score[place == 0]
