"""One float64 pass over all pairs, for several parts of the images at once and for all of them together.

It gives what needs every score of a negative pair: how many positive pairs win against them, and, on the way,
their moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_budget import BLOCK_BYTES, plan, threads
from clipeval.core.pair_moments import Moments, Spread
from clipeval.core.pairs_won import PairsWon
from clipeval.core.positives import Integers
from clipeval.core.ties import Floats

# of a block: a mebibyte of scores stays in the cache. Fixed, since blocks order the sums of the moments
_ROWS, _COLUMNS = 64, 2048


@dataclass(frozen=True)
class Part:
    """Some rows of the left side and their positive pairs.

    Attributes
    ----------
    rows : ndarray of int, shape (r,)
        Which rows.
    at : ndarray of int, shape (p,)
        Place among `rows` of each positive pair, ascending.
    caption : ndarray of int, shape (p,)
        Row of the right side of each.
    positive : ndarray of float64, shape (p,)
        Their exact scores.
    """

    rows: Integers
    at: Integers
    caption: Integers
    positive: Floats


@dataclass
class _Stretch:
    """Up to `_ROWS` rows of a part, and what was found for them so far."""

    part: Part
    counts: tuple[PairsWon, ...]
    start: int
    spread: Spread

    def look(self, left: NDArray[np.float32], columns: Floats, first: int) -> None:
        """Go on with some columns of the right side."""
        rows = self.part.rows[self.start : self.start + _ROWS]
        scores = left[rows].astype(np.float64) @ columns.T
        mine = slice(*np.searchsorted(self.part.at, [self.start, self.start + len(rows)]))
        row, column = self.part.at[mine] - self.start, self.part.caption[mine] - first
        here = (column >= 0) & (column < len(columns))
        right_pairs = row[here], column[here]
        for count_wins in self.counts:
            count_wins.look(scores, rows=rows, first=first, own=right_pairs)
        scores[right_pairs] = 0.0
        count = scores.size - len(right_pairs[0])
        if not count:
            return
        mean = float(scores.sum()) / count
        scores -= mean
        scores[right_pairs] = 0.0
        self.spread.add(count, mean, float(np.vdot(scores, scores)))


def pass_over_pairs(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    parts: Sequence[Part],
    *,
    wins: bool,
    whole: Floats | None = None,
) -> list[tuple[Moments, PairsWon | None]]:
    """Score all pairs of every part.

    Parameters
    ----------
    left : ndarray of float32, shape (m, d)
    right : ndarray of float32, shape (n, d)
        Unit rows.
    parts : sequence of Part
        At least one.
    wins : bool
        Count the pairs of a positive and a negative pair of which the positive one scores higher.
    whole : ndarray of float64, optional
        The scores of all parts' positive pairs, in their order: adds what all together give, as of one part.

    Returns
    -------
    list of (Moments, PairsWon or None)
        Of the negative pairs of every part, and the pairs won if they are counted: for every positive pair,
        row and column only of the last. The whole comes last.

    Examples
    --------
    >>> eye, pairs = np.eye(2, dtype=np.float32), np.arange(2)
    >>> [(moments, won)] = pass_over_pairs(
    ...     eye, eye, [Part(pairs, pairs, pairs, np.ones(2))], wins=True
    ... )
    >>> moments, won.total
    (Moments(count=2, mean=0.0, sd=0.0), 4.0)
    """
    shape = len(left), len(right)
    groups = [part.positive for part in parts]
    if whole is not None:
        groups.append(whole)
    last = len(groups) - 1
    counts: list[PairsWon] = []
    if wins:
        counts = [PairsWon(mine, shape, each=at == last) for at, mine in enumerate(groups)]
    stretches: list[list[_Stretch]] = []
    for at, part in enumerate(parts):
        mine = (*counts[at : at + 1], *(counts[-1:] if whole is not None else ()))
        starts = range(0, len(part.rows), _ROWS)
        stretches.append([_Stretch(part, mine, start, Spread()) for start in starts])
    work = [stretch for mine in stretches for stretch in mine]
    n_rows = sum(len(part.rows) for part in parts)
    budget = plan(n_rows, len(right), left.shape[1], block_bytes=BLOCK_BYTES)
    with threads(budget.workers) as run:
        for first in range(0, len(right), _COLUMNS):
            columns = right[first : first + _COLUMNS].astype(np.float64)

            def look(stretch: _Stretch, first: int = first, columns: Floats = columns) -> None:
                stretch.look(left, columns, first)

            for _ in run(look, work):
                pass
    moments = [_sum(mine) for mine in (*stretches, *([work] if whole is not None else []))]
    return list(zip(moments, counts or repeat(None), strict=False))


def _sum(stretches: Sequence[_Stretch]) -> Moments:
    spread = Spread()
    for stretch in stretches:  # in their order, so that threads change no bit
        spread.add(stretch.spread.count, stretch.spread.mean, stretch.spread.squares)
    return spread.moments()
