"""Ranks in a score matrix that was computed elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.positives import Integers, Positives, PositivesLike, both_directions
from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.similarity import Matrix, finite_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.tie_groups import tie_groups
from clipeval.core.ties import Floats, TieRule, check_tie_rule
from clipeval.errors import InvalidInputError

BLOCK_BYTES = 64 * 2**20


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
    return Ranks(_rank(matrix, i2t, ties, tolerance), _rank(matrix.T, t2i, ties, tolerance))


def _blocks(rows: Integers, width: int) -> Iterator[Integers]:
    step = max(1, BLOCK_BYTES // (8 * max(width, 1)))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


# scores near the end of float64 may overflow in a difference; infinity then compares as it should
@np.errstate(over="ignore")
def _rank(matrix: Matrix, positives: Positives, ties: TieRule, tolerance: float) -> DirectionRanks:
    queries = np.flatnonzero(positives.counts > 0)
    counts = positives.counts[queries]
    pair_score = np.empty(len(positives.candidates))
    above = np.empty(len(positives.candidates), dtype=np.int64)
    level = np.empty(len(positives.candidates), dtype=np.int64)
    rival = np.full(positives.n_queries, -1, dtype=np.int64)
    rival_score = np.full(positives.n_queries, np.nan)
    for rows in _blocks(queries, positives.n_candidates):
        scores = np.array(matrix[rows], dtype=np.float64)
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
    groups, best_score = tie_groups(query_of_pair, pair_score, above, level, tolerance)
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
