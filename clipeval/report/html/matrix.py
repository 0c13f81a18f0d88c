"""The similarity matrix for a page: rounded to a stated step, or in blocks that say what is in them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipeval.core.score_blocks import score_blocks
from clipeval.evaluation import Evaluation
from clipeval.report.html.arrays import packed

BUDGET = 5_000_000
"""Bytes of all matrices of a page, before base64 adds a third: 15 MB hold them and a thousand pictures."""

BYTES_OF_A_BLOCK = 3
"""Its mean, least and largest score."""

MOST_PASSED = 500_000_000
"""Above so many pairs, over all models, least and largest scores are not looked for: it takes minutes."""


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
        ``low`` and ``step``: a stored number times the step, plus low, is a score to half a step. ``block``:
        pictures by captions of a block. ``mean``, and for blocks of several pairs, unless there are too many,
        ``least`` and ``largest``; ``average`` and ``deviation`` of all scores, for comparing models.
    """
    shape = len(rows), len(columns)
    cells = shape[0] * shape[1] * models
    if block == (1, 1):
        scores = evaluation.similarity()[rows][:, columns]
        found = {"mean": scores}
        moments = {"average": float(scores.mean()), "deviation": float(scores.std())}
        kind: Literal["u1", "u2"] = "u2" if bytes_of_a_score(cells) == 2 else "u1"
    else:
        tall, wide = block
        blocks = score_blocks(
            *(evaluation.images, evaluation.texts, rows, columns),
            tall=tall,
            wide=wide,
            extremes=cells <= MOST_PASSED,
        )
        found = {"mean": blocks.mean}
        if blocks.least is not None and blocks.largest is not None:
            found |= {"least": blocks.least, "largest": blocks.largest}
        moments = {"average": blocks.average, "deviation": blocks.deviation}
        kind = "u1"
    low = min(float(values.min()) for values in found.values())
    high = max(float(values.max()) for values in found.values())
    step = (high - low) / (65535 if kind == "u2" else 255)
    stored = {
        name: packed(np.rint((values - low) / step) if step else np.zeros(values.shape), kind)
        for name, values in found.items()
    }
    head = {"shape": list(shape), "low": low, "high": high, "step": step, "block": list(block)}
    return {**head, **moments, **stored}
