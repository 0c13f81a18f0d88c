"""How many times a positive pair scores higher than a negative one: the count behind the AUROC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_budget import BLOCK_BYTES, plan, threads
from clipeval.core.positives import Integers
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

_CELLS = 2**21  # of [-1, 1]: few hold a positive score, and elsewhere one look-up says how many are above


def pairs_won(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    at: Integers,
    caption: Integers,
    positive: Floats,
) -> float:
    """Count the pairs of a positive and a negative pair of which the positive one scores higher.

    Parameters
    ----------
    left : ndarray of float32, shape (m, d)
    right : ndarray of float32, shape (n, d)
        Unit rows.
    at, caption : ndarray of int, shape (p,)
        Row and column of the positive pairs, by row.
    positive : ndarray of float64, shape (p,)
        Their scores.

    Returns
    -------
    float
        Ties count half.

    Examples
    --------
    >>> eye, pairs = np.eye(2, dtype=np.float32), np.arange(2)
    >>> pairs_won(eye, eye, pairs, pairs, np.ones(2))
    4.0
    """
    table = _Positives(positive)
    budget = plan(len(left), len(right), left.shape[1], block_bytes=BLOCK_BYTES)
    rows, columns = budget.rows, budget.columns // 2

    def panel(start: int) -> float:
        wins = 0.0
        mine = left[start : start + rows].astype(np.float64)
        lo, hi = np.searchsorted(at, [start, start + rows])
        for other in range(0, len(right), columns):
            scores = mine @ right[other : other + columns].astype(np.float64).T
            wins += table.won(scores.ravel())
            here = np.flatnonzero((caption[lo:hi] >= other) & (caption[lo:hi] < other + columns)) + lo
            wins -= table.won(scores[at[here] - start, caption[here] - other])  # positive pairs are no rivals
        return wins

    with threads(budget.workers) as run:
        return sum(run(panel, range(0, len(left), rows)))


class _Positives:
    """Positive scores, arranged so that a score finds its place among them without a search."""

    def __init__(self, scores: Floats) -> None:
        self._ordered = np.sort(scores)
        edges = np.stack([self._ordered - 2 * TIE_TOLERANCE, self._ordered + 2 * TIE_TOLERANCE])
        cells = np.bincount(self._cell(self._ordered), minlength=_CELLS)
        self._above = (len(scores) - np.cumsum(cells)).astype(np.int32)
        self._above[self._cell(edges).ravel()] = -1  # a positive score in the cell, or at its border

    @staticmethod
    def _cell(scores: Floats) -> NDArray[np.int32]:
        cells = (scores + 1.0) * ((_CELLS - 2) / 2)
        np.clip(cells, 0, _CELLS - 1, out=cells)  # a product of unit rows may leave [-1, 1] by its rounding
        return cells.astype(np.int32)

    def won(self, scores: Floats) -> float:
        """Count the positive scores above each score, ties half, and add them up."""
        above = self._above[self._cell(scores)]
        close = np.flatnonzero(above < 0)
        wins = float(above.sum(dtype=np.int64)) + len(close)
        near = scores[close]
        lower = np.searchsorted(self._ordered, near - TIE_TOLERANCE, side="left")
        upper = np.searchsorted(self._ordered, near + TIE_TOLERANCE, side="right")
        return wins + float(np.sum(len(self._ordered) - upper) + 0.5 * np.sum(upper - lower))
