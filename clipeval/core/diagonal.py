"""How far positive pairs score above negative pairs: the diagonal of S against the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.positives import Positives, PositivesLike, both_directions
from clipeval.core.ranks import Ranks
from clipeval.core.similarity import check_same_width, unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats
from clipeval.errors import InvalidInputError

_BLOCK_ROWS = 256


@dataclass(frozen=True)
class DiagonalStatistics:
    """Positive against negative pairs. Standard deviations are those of the pairs at hand (ddof = 0).

    Attributes
    ----------
    n_positive, n_negative : int
        Pairs counted.
    mean, sd : float
        Similarity of the positive pairs.
    off_mean, off_sd : float
        Similarity of the negative pairs; NaN without any.
    d_prime : float
        ``(mean - off_mean) / sqrt((sd**2 + off_sd**2) / 2)``; NaN where both sds are 0 (below
        1e-12, the noise of a constant encoder) or a mean is missing.
    auroc : float
        Probability that a positive pair scores higher than a negative one, ties counted half; chance 0.5.
    """

    n_positive: int
    n_negative: int
    mean: float
    sd: float
    off_mean: float
    off_sd: float
    d_prime: float
    auroc: float


def diagonal_statistics(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    rows: NDArray[np.int64] | None = None,
) -> DiagonalStatistics:
    """Compare the similarities of positive and negative pairs.

    Parameters
    ----------
    images : array-like, shape (m, d)
        Image embeddings.
    texts : array-like, shape (n, d)
        Caption embeddings.
    image_of_caption : see `clipeval.rank_retrieval`
        The image of each caption; None pairs row i with row i.
    rows : ndarray of int, optional
        Take only these images (a category), counted from 0, against all captions.

    Returns
    -------
    DiagonalStatistics

    Raises
    ------
    InvalidInputError
        NaN or infinity, different widths, positives or rows out of range, or no positive pair.

    Examples
    --------
    >>> d = diagonal_statistics([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    >>> d.mean, d.off_mean, d.auroc, d.n_negative
    (1.0, 0.0, 1.0, 2)
    """
    left, right = unit_rows(images, name="images"), unit_rows(texts, name="texts")
    check_same_width(left, right)
    pairs, _ = both_directions(image_of_caption, None, n_images=len(left), n_captions=len(right))
    chosen = np.arange(len(left)) if rows is None else _image_rows(rows, len(left))
    wide = right.astype(np.float64).T
    # two passes over the blocks: the AUROC needs all positive scores before it meets the negatives
    positive: Floats = np.concatenate(
        [_split(left, wide, pairs, block)[0] for block in _blocks(chosen)] or [np.zeros(0)]
    )
    if not positive.size:
        raise InvalidInputError("there is no positive pair", fix="check image_of_caption and rows")
    ordered = np.sort(positive)
    count, mean, squares, wins = 0, 0.0, 0.0, 0.0
    for block in _blocks(chosen):
        negative = _split(left, wide, pairs, block)[1]
        if not negative.size:
            continue
        lower = np.searchsorted(ordered, negative - TIE_TOLERANCE, side="left")
        upper = np.searchsorted(ordered, negative + TIE_TOLERANCE, side="right")
        wins += float(np.sum(len(ordered) - upper) + 0.5 * np.sum(upper - lower))
        # Chan et al. 1983: merging means and squared deviations loses no digits
        here, delta = float(negative.mean()), float(negative.mean()) - mean
        total = count + negative.size
        squares += float(np.sum((negative - here) ** 2)) + delta**2 * count * negative.size / total
        mean, count = mean + delta * negative.size / total, total
    mu, sd = float(positive.mean()), float(positive.std())
    off_mean, off_sd = (mean, math.sqrt(squares / count)) if count else (math.nan, math.nan)
    pooled = math.sqrt((sd**2 + off_sd**2) / 2)
    return DiagonalStatistics(
        n_positive=positive.size,
        n_negative=count,
        mean=mu,
        sd=sd,
        off_mean=off_mean,
        off_sd=off_sd,
        d_prime=(mu - off_mean) / pooled if pooled > TIE_TOLERANCE else math.nan,
        auroc=wins / (count * positive.size) if count else math.nan,
    )


def dominance(ranks: Ranks) -> tuple[float, float]:
    """Share of rows, and of columns, whose best positive beats every negative (a tie does not beat).

    Parameters
    ----------
    ranks : Ranks
        Both directions.

    Returns
    -------
    rows, columns : float
        Between 0 and 1.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> dominance(rank_scores([[3.0, 1.0], [2.0, 2.0]]))
    (0.5, 1.0)
    """
    rows = ranks.i2t.mean((ranks.i2t.pessimistic == 1).astype(np.float64))
    columns = ranks.t2i.mean((ranks.t2i.pessimistic == 1).astype(np.float64))
    return rows, columns


def _image_rows(rows: ArrayLike, n_images: int) -> NDArray[np.int64]:
    array = np.asarray(rows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidInputError(
            f"rows must be a vector of image indices, got {array.dtype} {array.shape}",
            fix="turn a mask into indices with numpy.flatnonzero",
        )
    wrong = np.flatnonzero((array < 0) | (array >= n_images))
    if wrong.size:
        raise InvalidInputError(
            f"rows points to {array[wrong[0]]}, but there are {n_images} images",
            where=f"entry {int(wrong[0])}",
        )
    return array.astype(np.int64)


def _blocks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[start : start + _BLOCK_ROWS] for start in range(0, len(rows), _BLOCK_ROWS)]


def _split(
    left: NDArray[np.float32], right: Floats, pairs: Positives, block: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    scores = left[block].astype(np.float64) @ right
    is_positive = np.zeros(scores.shape, dtype=bool)
    for at, row in enumerate(block):
        is_positive[at, pairs.candidates[pairs.offsets[row] : pairs.offsets[row + 1]]] = True
    return scores[is_positive], scores[~is_positive]
