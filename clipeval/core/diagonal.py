"""How far positive pairs score above negative pairs: the diagonal of S against the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.pair_moments import negative_moments
from clipeval.core.pairs_won import pairs_won
from clipeval.core.positives import Positives, PositivesLike, both_directions
from clipeval.core.ranks import Ranks
from clipeval.core.similarity import check_same_width, unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.errors import InvalidInputError

_CHUNK = 4096


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
    auroc: bool = True,
) -> DiagonalStatistics:
    """Compare the similarities of positive and negative pairs.

    Means and standard deviations of all pairs follow from the sums and the Gram matrices of the two sides,
    without a score matrix (but see `clipeval.core.pair_moments`); only the AUROC, which compares every
    positive pair with every negative one, needs a pass over all pairs.

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
    auroc : bool
        Without it hardly ever anything is multiplied that grows with m times n; ``auroc`` is NaN.

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
    at, caption = _pairs_of(pairs, chosen)
    if not at.size:
        raise InvalidInputError("there is no positive pair", fix="check image_of_caption and rows")
    left = left if rows is None else left[chosen]
    positive = np.concatenate(
        [
            fixed_order_dot(left[at[i : i + _CHUNK]], right[caption[i : i + _CHUNK]])
            for i in range(0, len(at), _CHUNK)
        ]
    )
    off = negative_moments(left, right, at, caption, positive)
    mu, sd = float(positive.mean()), float(positive.std())
    pooled = math.sqrt((sd**2 + off.sd**2) / 2)
    area = math.nan
    if auroc and off.count:
        area = pairs_won(left, right, at, caption, positive) / (off.count * positive.size)
    return DiagonalStatistics(
        n_positive=positive.size,
        n_negative=off.count,
        mean=mu,
        sd=sd,
        off_mean=off.mean,
        off_sd=off.sd,
        d_prime=(mu - off.mean) / pooled if pooled > TIE_TOLERANCE else math.nan,
        auroc=area,
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


def _pairs_of(pairs: Positives, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place among `rows`, and caption, of each of their positive pairs."""
    counts = pairs.counts[rows]
    at = np.repeat(np.arange(len(rows)), counts)
    step = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
    return at, pairs.candidates[pairs.offsets[rows][at] + step]
