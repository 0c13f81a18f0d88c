"""How many times a positive pair scores higher than a negative one: the counts behind the AUROC."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
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
    >>> lower, upper = PositiveScores(np.array([0.1, 0.5])).places(np.array([0.3, 0.5]))
    >>> lower.tolist(), upper.tolist()
    ([1, 1], [1, 2])
    """

    def __init__(self, scores: Floats) -> None:
        wanted = 1 << (_CELLS_EACH * max(1, len(scores)) - 1).bit_length()
        self._cells = min(_MOST_CELLS, max(_FEWEST_CELLS, wanted))
        self.order = np.argsort(scores, kind="stable")
        self._ordered = scores[self.order]
        edges = np.stack([self._ordered - 2 * TIE_TOLERANCE, self._ordered + 2 * TIE_TOLERANCE])
        counts = np.bincount(self._cell(self._ordered), minlength=self._cells)
        self._below = np.cumsum(counts).astype(np.int32)
        self._below[self._cell(edges).ravel()] = -1  # a positive score in the cell, or at its border

    def __len__(self) -> int:
        return len(self._ordered)

    def _cell(self, scores: Floats) -> NDArray[np.int32]:
        cells = (scores + 1.0) * ((self._cells - 2) / 2)
        np.clip(cells, 0, self._cells - 1, out=cells)  # a product of unit rows may leave [-1, 1] by rounding
        return cells.astype(np.int32)

    def places(self, scores: Floats) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Count for each score the positive ones below it, and those that are not above it (ties too)."""
        lower = self._below[self._cell(scores)]
        upper = lower.copy()
        close = np.nonzero(lower < 0)
        near = scores[close]
        lower[close] = np.searchsorted(self._ordered, near - TIE_TOLERANCE, side="left")
        upper[close] = np.searchsorted(self._ordered, near + TIE_TOLERANCE, side="right")
        return lower, upper


class PairsWon:
    """Count, block by block, the pairs of a positive and a negative pair that the positive one wins.

    Counts are whole numbers, so that no order of the blocks changes them. A tie is half a win.

    Parameters
    ----------
    scores : ndarray of float64, shape (p,)
        Of the positive pairs.
    shape : tuple of int
        Rows and columns of the whole matrix.
    each : bool
        Count also for every positive pair, and for the negative pairs of every row and column.

    Examples
    --------
    >>> won = PairsWon(np.array([0.5, 0.1]), (2, 2), each=True)
    >>> won.look(np.array([[0.5, 0.3], [0.0, 0.1]]), rows=np.array([0, 1]), first=0, own=([0, 1], [0, 1]))
    >>> won.total, won.by_positive.tolist(), won.by_row.tolist(), won.by_column.tolist()
    (3.0, [2.0, 1.0], [1.0, 2.0], [2.0, 1.0])
    """

    def __init__(self, scores: Floats, shape: tuple[int, int], *, each: bool) -> None:
        self._table = PositiveScores(scores)
        self._lock = threading.Lock()
        self._twice = 0
        self._places = np.zeros(len(scores) + 1, dtype=np.int64) if each else None
        self._rows, self._columns = (np.zeros(count if each else 0, dtype=np.int64) for count in shape)

    def look(self, scores: Floats, *, rows: Integers, first: int, own: tuple[Integers, Integers]) -> None:
        """Count the pairs of some rows with the columns from `first` on, `own` being the positive ones."""
        p = len(self._table)
        lower, upper = self._table.places(scores)
        beaten = lower + upper
        beaten[own] = 2 * p  # by no positive pair
        twice = int(2 * p * beaten.size - beaten.sum(dtype=np.int64))
        if self._places is None:
            with self._lock:
                self._twice += twice
            return
        lower[own] = upper[own] = p
        places = np.bincount(lower.ravel(), minlength=p + 1) + np.bincount(upper.ravel(), minlength=p + 1)
        by_row, by_column = (
            2 * p * beaten.shape[axis] - beaten.sum(axis=axis, dtype=np.int64) for axis in (1, 0)
        )
        with self._lock:
            self._twice += twice
            self._places += places
            self._rows[rows] += by_row
            self._columns[first : first + scores.shape[1]] += by_column

    @property
    def total(self) -> float:
        """All pairs won."""
        return self._twice / 2

    @property
    def by_positive(self) -> Floats:
        """Negative pairs that each positive pair beats, in the order of the positive scores."""
        if self._places is None:
            raise ValueError("pairs won are counted for each positive pair only with each=True")
        won = np.empty(len(self._table))
        won[self._table.order] = np.cumsum(self._places[:-1]) / 2
        return won

    @property
    def by_row(self) -> Floats:
        """Pairs won against the negative pairs of each row."""
        return self._rows / 2

    @property
    def by_column(self) -> Floats:
        """Pairs won against the negative pairs of each column."""
        return self._columns / 2
