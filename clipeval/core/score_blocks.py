"""A similarity matrix of any size in blocks: exact means from sums of rows, extremes from one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
from clipeval.core.similarity import Matrix, unit_rows
from clipeval.core.ties import Floats

ROWS, COLUMNS = 256, 8192
"""Scored at a time: 8 MiB of float32."""


@dataclass(frozen=True, eq=False)
class ScoreBlocks:
    """What is in each block of a matrix of cosines.

    Attributes
    ----------
    mean : ndarray of float64, shape (blocks of rows, blocks of columns)
    least, largest : ndarray of float64 or None
        Likewise; None where no pass over the pairs was made.
    average, deviation : float
        Of all pairs.
    """

    mean: Floats
    least: Floats | None
    largest: Floats | None
    average: float
    deviation: float


def score_blocks(
    images: Matrix,
    texts: Matrix,
    rows: Integers,
    columns: Integers,
    *,
    tall: int,
    wide: int,
    extremes: bool = True,
) -> ScoreBlocks:
    """Summarise the cosines of all pairs, block by block, in memory that does not grow with the pairs.

    The mean of a block is the product of the mean unit rows of its two sides, and the mean of all squares
    follows from the Gram matrices of both sides, so that neither needs the pairs themselves. Extremes do, and
    are taken from float32 products.

    Parameters
    ----------
    images, texts : ndarray, shape (m, d) and (n, d)
        Embeddings.
    rows, columns : ndarray of int, shape (m,) and (n,)
        The order in which they stand.
    tall, wide : int
        Rows and columns of a block; the last ones may be smaller.
    extremes : bool
        Whether to look for the least and the largest score of each block, which takes time as pairs do.

    Returns
    -------
    ScoreBlocks

    Examples
    --------
    >>> eye, order = np.eye(4), np.arange(4)
    >>> found = score_blocks(eye, eye, order, order, tall=2, wide=2)
    >>> found.mean.tolist(), found.largest.tolist()
    ([[0.5, 0.0], [0.0, 0.5]], [[1.0, 0.0], [0.0, 1.0]])
    """
    (left, left_gram), (right, right_gram) = _sums(images, rows, tall), _sums(texts, columns, wide)
    heights, widths = _sizes(len(rows), tall), _sizes(len(columns), wide)
    pairs = len(rows) * len(columns)
    average = float(left.sum(axis=0) @ right.sum(axis=0)) / pairs
    squares = float(np.vdot(left_gram, right_gram)) / pairs
    least, largest = _extremes(images, texts, rows, columns, tall, wide) if extremes else (None, None)
    return ScoreBlocks(
        mean=(left @ right.T) / np.outer(heights, widths),
        least=least,
        largest=largest,
        average=average,
        deviation=float(np.sqrt(max(0.0, squares - average * average))),
    )


def _sizes(length: int, size: int) -> Integers:
    return np.diff([*range(0, length, size), length])


def _sums(embeddings: Matrix, order: Integers, size: int) -> tuple[Floats, Floats]:
    """Sum the unit rows of each block, and give the Gram matrix of all."""
    width = embeddings.shape[1]
    sums, gram = np.zeros((-(-len(order) // size), width)), np.zeros((width, width))
    for start in range(0, len(order), COLUMNS):
        unit = unit_rows(embeddings[order[start : start + COLUMNS]]).astype(np.float64)
        np.add.at(sums, np.arange(start, start + len(unit)) // size, unit)
        gram += unit.T @ unit
    return sums, gram


def _extremes(
    images: Matrix, texts: Matrix, rows: Integers, columns: Integers, tall: int, wide: int
) -> tuple[Floats, Floats]:
    shape = -(-len(rows) // tall), -(-len(columns) // wide)
    least, largest = np.full(shape, np.inf), np.full(shape, -np.inf)
    for left in range(0, len(columns), COLUMNS):
        right_side = unit_rows(texts[columns[left : left + COLUMNS]])
        across, inner = _stretches(left, len(right_side), wide)
        for top in range(0, len(rows), ROWS):
            scores = unit_rows(images[rows[top : top + ROWS]]) @ right_side.T
            down, outer = _stretches(top, len(scores), tall)
            here = np.ix_(down, across)
            for kept, reduce in ((least, np.minimum), (largest, np.maximum)):
                found = reduce.reduceat(reduce.reduceat(scores, outer, axis=0), inner, axis=1)
                kept[here] = reduce(kept[here], found)  # a block may go on in the next stretch
    return np.clip(least, -1.0, 1.0), np.clip(largest, -1.0, 1.0)


def _stretches(start: int, length: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the blocks that a stretch touches, and where each begins in it."""
    blocks = np.arange(start // size, (start + length - 1) // size + 1)
    return blocks, np.maximum(0, blocks * size - start)
