"""The similarity matrix for a page: rounded to a stated step, or in blocks that say what is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.report.html.arrays import packed

BUDGET = 5_000_000
"""Bytes of all matrices of a page, before base64 adds a third: 15 MB hold them and a thousand pictures."""

BYTES_OF_A_BLOCK = 3
"""Its mean, least and largest score."""


def bytes_of_a_score(cells: int) -> int:
    """Say how finely scores can be kept: in two bytes, in one, or not one by one (0).

    Parameters
    ----------
    cells : int
        Image-caption pairs, over all models of the page.

    Examples
    --------
    >>> bytes_of_a_score(3 * 20 * 20), bytes_of_a_score(1000 * 5000), bytes_of_a_score(3 * 1000 * 5000)
    (2, 1, 0)
    """
    return next((size for size in (2, 1) if cells * size <= BUDGET), 0)


def block_shape(n_images: int, n_captions: int, *, models: int) -> tuple[int, int]:
    """Choose how many pictures by how many captions share one block.

    Parameters
    ----------
    n_images, n_captions : int
        Shape of the matrix.
    models : int
        Matrices in the page.

    Returns
    -------
    tuple of int
        ``(1, 1)`` where every score is kept.

    Examples
    --------
    >>> block_shape(1000, 5000, models=1), block_shape(1000, 5000, models=3)
    ((1, 1), (2, 10))
    """
    if bytes_of_a_score(n_images * n_captions * models):
        return 1, 1
    wider = max(1, round(n_captions / n_images))
    tall = 2
    while True:
        blocks = -(-n_images // tall) * -(-n_captions // (tall * wider))
        if blocks * BYTES_OF_A_BLOCK * models <= BUDGET:
            return tall, tall * wider
        tall += 1


def matrix_data(scores: NDArray[np.float64], *, models: int) -> dict[str, Any]:
    """Pack a matrix for ``matrix.js``.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_images, n_captions)
        In the order in which they are drawn.
    models : int
        Matrices in the page.

    Returns
    -------
    dict
        ``low`` and ``step``: a stored number times the step, plus low, is a score to half a step. ``block``:
        pictures by captions of a block. ``mean``, and for blocks of several pairs ``least`` and ``largest``;
        ``average`` and ``deviation`` of all scores, for comparing models.
    """
    low, high = float(scores.min()), float(scores.max())
    size = bytes_of_a_score(scores.size * models)
    kind, levels = ("u2", 65535) if size == 2 else ("u1", 255)
    step = (high - low) / levels

    def stored(values: NDArray[np.float64]) -> dict[str, str]:
        return packed(np.rint((values - low) / step) if step else np.zeros(values.shape), kind)

    head = {
        "shape": list(scores.shape),
        "low": low,
        "high": high,
        "step": step,
        "average": float(scores.mean()),
        "deviation": float(scores.std()),
    }
    tall, wide = block_shape(*scores.shape, models=models)
    if (tall, wide) == (1, 1):
        return {**head, "block": [1, 1], "mean": stored(scores)}
    rows, columns = np.arange(0, scores.shape[0], tall), np.arange(0, scores.shape[1], wide)

    def blocks(reduce: np.ufunc) -> NDArray[np.float64]:
        found: NDArray[np.float64] = reduce.reduceat(reduce.reduceat(scores, rows, axis=0), columns, axis=1)
        return found

    heights, widths = np.diff([*rows, scores.shape[0]]), np.diff([*columns, scores.shape[1]])
    return {
        **head,
        "block": [tall, wide],
        "mean": stored(blocks(np.add) / np.outer(heights, widths)),
        "least": stored(blocks(np.minimum)),
        "largest": stored(blocks(np.maximum)),
    }
