"""Shape of the joint space: modality gap, alignment, uniformity.

All functions normalise their rows first (`unit_rows`) and then compute in float64. Neighbourhoods live in
`neighbours`, hubs in `hubness`, similarity of representations in `cka`; they are importable from here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.cka import linear_cka
from clipeval.core.hubness import Hubness, hubness
from clipeval.core.neighbours import mutual_knn
from clipeval.core.similarity import check_same_width, unit_rows
from clipeval.errors import InvalidInputError

__all__ = [
    "Hubness",
    "alignment",
    "hubness",
    "linear_cka",
    "modality_gap",
    "mutual_knn",
    "uniformity",
]

_BLOCK_ENTRIES = 2**22  # similarities held at a time: 32 MiB of float64


def modality_gap(images: ArrayLike, texts: ArrayLike) -> float:
    """Distance between the mean image and the mean text, ``‖mean(I) - mean(T)‖``.

    Liang et al. 2022, "Mind the Gap", arXiv 2203.02053 (0.82 for CLIP on COCO in the paper).

    Parameters
    ----------
    images : array-like, shape (m, d)
    texts : array-like, shape (n, d)
        Any finite rows; they are normalised first.

    Returns
    -------
    float
        In [0, 2]; 0 when both clouds share their centre.

    Raises
    ------
    InvalidInputError
        NaN or infinity (the row is named), different widths, no rows.

    Examples
    --------
    >>> modality_gap([[1.0, 0.0]], [[-3.0, 0.0]])
    2.0
    """
    left, right = _wide(images, "images"), _wide(texts, "texts")
    check_same_width(left, right)
    return float(np.linalg.norm(left.mean(axis=0) - right.mean(axis=0)))


def alignment(
    images: ArrayLike, texts: ArrayLike, *, image_of_caption: ArrayLike | None = None, alpha: float = 2.0
) -> float:
    """Mean distance of the true pairs, ``mean ‖x - y‖**alpha`` (Wang & Isola 2020, arXiv 2005.10242).

    For ``alpha = 2`` and unit rows it is ``2 - 2 · mean cosine of the pairs``.

    Parameters
    ----------
    images : array-like, shape (m, d)
    texts : array-like, shape (n, d)
        Any finite rows; they are normalised first.
    image_of_caption : array-like of int, shape (n,), optional
        Image row of each text; by default text j belongs to image j, which needs m = n.
    alpha : float
        Positive exponent.

    Returns
    -------
    float
        In [0, 2**alpha]; 0 when every pair coincides. Lower is better aligned.

    Raises
    ------
    InvalidInputError
        Bad rows, different widths, pairs that do not fit, ``alpha`` not positive.

    Examples
    --------
    >>> alignment([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, -1.0]])
    2.0
    """
    left, right = _wide(images, "images"), _wide(texts, "texts")
    check_same_width(left, right)
    _check_positive(alpha, "alpha")
    if image_of_caption is None and len(left) != len(right):
        raise InvalidInputError(
            f"{len(left)} images and {len(right)} texts are not pairs", fix="pass image_of_caption"
        )
    owner = np.arange(len(right)) if image_of_caption is None else np.asarray(image_of_caption)
    if owner.shape != (len(right),) or owner.dtype.kind not in "iu":
        raise InvalidInputError(f"image_of_caption must hold one whole number for each of {len(right)} texts")
    if owner.min() < 0 or owner.max() >= len(left):
        raise InvalidInputError(f"image_of_caption must lie in 0 ... {len(left) - 1}")
    total = math.fsum(
        float(np.sum(np.linalg.norm(left[owner[block]] - right[block], axis=1) ** alpha))
        for block in _blocks(len(right), left.shape[1])
    )
    return total / len(right)


def uniformity(rows: ArrayLike, *, t: float = 2.0) -> float:
    """Spread over the sphere, ``log mean_{i<j} exp(-t ‖xᵢ - xⱼ‖²)`` (Wang & Isola 2020, arXiv 2005.10242).

    Taken by log-sum-exp over blocks of rows, so neither a large ``t`` nor many rows do harm.

    Parameters
    ----------
    rows : array-like, shape (n, d)
        At least two finite rows of one modality; they are normalised first.
    t : float
        Positive temperature.

    Returns
    -------
    float
        In [-4t, 0]; 0 when all rows coincide. Lower is more uniform.

    Raises
    ------
    InvalidInputError
        Bad rows, fewer than two, ``t`` not positive.

    Examples
    --------
    >>> uniformity([[1.0, 0.0], [-1.0, 0.0]])
    -8.0
    """
    x = _wide(rows, "rows")
    _check_positive(t, "t")
    n = len(x)
    if n < 2:
        raise InvalidInputError("uniformity needs at least two rows")
    squares = np.einsum("ij,ij->i", x, x)  # 1, or 0 for a zero row
    largest, total = -math.inf, 0.0
    for block in _blocks(n, n):
        start = block.start
        distances = squares[block, None] + squares[None, start:] - 2.0 * (x[block] @ x[start:].T)
        upper = np.triu_indices(distances.shape[0], 1, distances.shape[1])
        exponents = -t * np.maximum(distances[upper], 0.0)
        if not exponents.size:
            continue
        peak = max(largest, float(exponents.max()))
        total = total * math.exp(largest - peak) + float(np.exp(exponents - peak).sum())
        largest = peak
    return largest + math.log(total) - math.log(n * (n - 1) / 2)


def _wide(rows: ArrayLike, name: str) -> NDArray[np.float64]:
    unit = unit_rows(rows, name=name).astype(np.float64)
    if not len(unit):
        raise InvalidInputError(f"there are no {name}")
    return unit


def _blocks(n: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK_ENTRIES // max(1, width))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _check_positive(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InvalidInputError(f"{name} must be a positive number, not {value!r}")
