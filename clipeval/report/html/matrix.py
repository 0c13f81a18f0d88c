"""The similarity matrix for a page: rounded to a stated step, or in blocks that say what is in them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipeval.core.score_blocks import score_blocks
from clipeval.evaluation import Evaluation
from clipeval.report.html.arrays import packed
from clipeval.report.matrix_limit import MOST_PASSED

BUDGET = 5_000_000
"""Bytes of all matrices of a page, before base64 adds a third: 15 MB hold them and a thousand pictures."""

BYTES_OF_A_BLOCK = 4
"""Its mean in two, its least and its largest score in one each."""


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


def block_shape(n_images: int, n_captions: int, *, models: int, single: bool = True) -> tuple[int, int]:
    """Choose how many pictures by how many captions share one block.

    Parameters
    ----------
    n_images, n_captions : int
        Shape of the matrix.
    models : int
        Matrices in the page.
    single : bool
        Whether every score may be kept, where there is room.

    Returns
    -------
    tuple of int
        ``(1, 1)`` where every score is kept.

    Examples
    --------
    >>> block_shape(1000, 5000, models=1), block_shape(1000, 5000, models=3)
    ((1, 1), (2, 10))
    """
    if single and bytes_of_a_score(n_images * n_captions * models):
        return 1, 1
    wider = max(1, round(n_captions / n_images))
    tall = 2
    while True:
        blocks = -(-n_images // tall) * -(-n_captions // (tall * wider))
        if blocks * BYTES_OF_A_BLOCK * models <= BUDGET:
            return tall, tall * wider
        tall += 1


def matrix_data(
    evaluation: Evaluation,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    *,
    block: tuple[int, int],
    models: int,
) -> dict[str, Any]:
    """Pack a matrix for ``matrix.js``.

    Parameters
    ----------
    evaluation : Evaluation
        Whose similarities.
    rows, columns : ndarray of int
        Pictures and captions in the order in which they are drawn.
    block : tuple of int
        From `block_shape`.
    models : int
        Matrices in the page.

    Returns
    -------
    dict
        ``low`` and ``step``: a number of ``mean`` times the step, plus low, is a score to half a step.
        ``block``: pictures by captions of a block. For blocks of several pairs, unless there are too many,
        ``least`` and ``largest`` too, on the coarser scale of ``outwards``, rounded outwards: no score lies
        beyond them. ``average`` and ``deviation`` of all scores, for comparing models.
    """
    shape = len(rows), len(columns)
    cells = shape[0] * shape[1] * models
    kind: Literal["u1", "u2"] = "u2"  # means span little of what the scores span
    extremes: dict[str, Any] = {}
    if block == (1, 1):
        scores = evaluation.similarity()[rows][:, columns]
        mean = scores
        moments = {"average": float(scores.mean()), "deviation": float(scores.std())}
        kind = "u2" if bytes_of_a_score(cells) == 2 else "u1"
    else:
        tall, wide = block
        blocks = score_blocks(
            *(evaluation.images, evaluation.texts, rows, columns),
            tall=tall,
            wide=wide,
            extremes=cells <= MOST_PASSED,
        )
        mean = blocks.mean
        if blocks.least is not None and blocks.largest is not None:
            extremes = _extremes(blocks.least, blocks.largest)
        moments = {"average": blocks.average, "deviation": blocks.deviation}
    low, step = _scale(mean, mean, codes=65535 if kind == "u2" else 255)
    stored = packed(np.rint((mean - low) / step) if step else np.zeros(mean.shape), kind)
    head = {"shape": list(shape), "low": low, "step": step, "block": list(block)}
    return {**head, **moments, "mean": stored, **extremes}


def _scale(least: NDArray[np.float64], largest: NDArray[np.float64], *, codes: int) -> tuple[float, float]:
    low, high = float(least.min()), float(largest.max())
    return low, (high - low) / codes


def _extremes(least: NDArray[np.float64], largest: NDArray[np.float64]) -> dict[str, Any]:
    low, step = _scale(least, largest, codes=255)
    down, up = (
        (np.floor((least - low) / step), np.ceil((largest - low) / step))
        if step
        else (np.zeros(least.shape), np.zeros(least.shape))
    )
    return {
        "outwards": {"low": low, "step": step},
        "least": packed(down, "u1"),
        "largest": packed(np.minimum(up, 255), "u1"),
    }
