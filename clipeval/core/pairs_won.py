"""How many positive pairs score higher than a negative one: the count behind the AUROC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

_FEWEST_CELLS, _MOST_CELLS = 2**12, 2**21
_CELLS_EACH = 128  # cells for each positive score: few hold one, and elsewhere one look-up is the answer


class PositiveScores:
    """Positive scores, arranged so that a score finds its place among them without a search.

    Parameters
    ----------
    scores : ndarray of float64, shape (p,)
        In [-1, 1], but for rounding.

    Examples
    --------
    >>> PositiveScores(np.array([0.1, 0.5])).won(np.array([0.3, 0.5]))
    1.5
    """

    def __init__(self, scores: Floats) -> None:
        wanted = 1 << (_CELLS_EACH * max(1, len(scores)) - 1).bit_length()
        self._cells = min(_MOST_CELLS, max(_FEWEST_CELLS, wanted))
        self._ordered = np.sort(scores)
        edges = np.stack([self._ordered - 2 * TIE_TOLERANCE, self._ordered + 2 * TIE_TOLERANCE])
        counts = np.bincount(self._cell(self._ordered), minlength=self._cells)
        self._above = (len(scores) - np.cumsum(counts)).astype(np.int32)
        self._above[self._cell(edges).ravel()] = -1  # a positive score in the cell, or at its border

    def _cell(self, scores: Floats) -> NDArray[np.int32]:
        cells = (scores + 1.0) * ((self._cells - 2) / 2)
        np.clip(cells, 0, self._cells - 1, out=cells)  # a product of unit rows may leave [-1, 1] by rounding
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
