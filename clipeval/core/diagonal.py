"""How far positive pairs score above negative pairs: the diagonal of S against the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.auroc_interval import auroc_interval
from clipeval.core.intervals import Interval
from clipeval.core.pair_moments import Moments, moments_without_scores
from clipeval.core.pair_pass import Part, pass_over_pairs
from clipeval.core.pair_scores import pair_scores
from clipeval.core.pairs_won import PairsWon
from clipeval.core.positives import Positives, PositivesLike, both_directions
from clipeval.core.ranks import Ranks
from clipeval.core.similarity import check_same_width, unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats
from clipeval.errors import InvalidInputError


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
    auroc_interval : Interval or None
        Its 95 % interval, images being the independent units (`clipeval.core.auroc_interval`); None where it
        is not computed.
    """

    n_positive: int
    n_negative: int
    mean: float
    sd: float
    off_mean: float
    off_sd: float
    d_prime: float
    auroc: float
    auroc_interval: Interval | None = None


def diagonal_statistics(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    rows: NDArray[np.int64] | None = None,
    auroc: bool = True,
) -> DiagonalStatistics:
    """Compare the similarities of positive and negative pairs.

    The AUROC, which compares every positive pair with every negative one, needs a float64 pass over all pairs
    (`clipeval.core.pair_pass`). Without it means and standard deviations follow from the sums and the Gram
    matrices of the two sides (but see `clipeval.core.pair_moments`).

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
    left, right, pairs = _sides(images, texts, image_of_caption)
    chosen = np.arange(len(left)) if rows is None else _image_rows(rows, len(left))
    part = _part(left, right, pairs, chosen)
    off = None if auroc else moments_without_scores(left[chosen], right, part.positive)
    if off is not None:
        return _statistics(part.positive, off)
    ((off, won),) = pass_over_pairs(left, right, [part], wins=auroc)
    return _statistics(part.positive, off, won, _interval(part, off, won, (len(left), len(right))))


def diagonal_statistics_by_part(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    part_of_image: ArrayLike,
) -> tuple[DiagonalStatistics, list[DiagonalStatistics]]:
    """Compare positive and negative pairs of all images, and of every part of them, in one pass.

    Parameters
    ----------
    images, texts, image_of_caption
        As in `diagonal_statistics`.
    part_of_image : array-like of int, shape (m,)
        The part (category) of each image, from 0 up without gaps; -1 for none.

    Returns
    -------
    whole : DiagonalStatistics
        Of all images.
    parts : list of DiagonalStatistics
        As `diagonal_statistics` gives for the images of each part as `rows`, in the order of their numbers,
        but without the interval of the AUROC.

    Raises
    ------
    InvalidInputError
        As in `diagonal_statistics`; also a part without a positive pair, and numbers that are not parts.

    Examples
    --------
    >>> eye = np.eye(3)
    >>> whole, parts = diagonal_statistics_by_part(eye, eye, part_of_image=[0, 1, 0])
    >>> whole.n_positive, [part.n_positive for part in parts]
    (3, [2, 1])
    """
    left, right, pairs = _sides(images, texts, image_of_caption)
    number = np.asarray(part_of_image)
    if number.shape != (len(left),) or number.dtype.kind not in "iu" or (number < -1).any():
        raise InvalidInputError(
            f"part_of_image must be {len(left)} whole numbers of -1 or more, one for each image, "
            f"got {number.dtype} {number.shape}"
        )
    parts = [
        _part(left, right, pairs, np.flatnonzero(number == at))
        for at in range(int(number.max(initial=-1)) + 1)
    ]
    alone = np.flatnonzero(number == -1)
    rest = [_part(left, right, pairs, alone, empty=True)] if alone.size else []
    everything = _joined([*parts, *rest])
    *found, (off, won) = pass_over_pairs(left, right, [*parts, *rest], wins=True, whole=everything.positive)
    interval = _interval(everything, off, won, (len(left), len(right)))
    return _statistics(everything.positive, off, won, interval), [
        _statistics(part.positive, *mine) for part, mine in zip(parts, found[: len(parts)], strict=True)
    ]


def _sides(
    images: ArrayLike, texts: ArrayLike, image_of_caption: PositivesLike | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], Positives]:
    left, right = unit_rows(images, name="images"), unit_rows(texts, name="texts")
    check_same_width(left, right)
    pairs, _ = both_directions(image_of_caption, None, n_images=len(left), n_captions=len(right))
    return left, right, pairs


def _part(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    pairs: Positives,
    rows: NDArray[np.int64],
    *,
    empty: bool = False,
) -> Part:
    """Give some images the exact scores of their positive pairs; it may have none only if `empty`."""
    at, caption = _pairs_of(pairs, rows)
    if not (at.size or empty):
        raise InvalidInputError("there is no positive pair", fix="check image_of_caption and rows")
    return Part(rows, at, caption, pair_scores(left, right, rows[at], caption))


def _joined(parts: Sequence[Part]) -> Part:
    """Make one part of several, its positive pairs in their order."""
    before = np.cumsum([0, *(len(part.rows) for part in parts)])
    return Part(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.at + first for part, first in zip(parts, before, strict=False)]),
        np.concatenate([part.caption for part in parts]),
        np.concatenate([part.positive for part in parts]),
    )


def _interval(part: Part, off: Moments, won: PairsWon | None, shape: tuple[int, int]) -> Interval | None:
    return auroc_interval(part, won, shape) if won is not None and off.count else None


def _statistics(
    positive: Floats, off: Moments, won: PairsWon | None = None, interval: Interval | None = None
) -> DiagonalStatistics:
    mu, sd = float(positive.mean()), float(positive.std())
    pooled = math.sqrt((sd**2 + off.sd**2) / 2)
    return DiagonalStatistics(
        n_positive=positive.size,
        n_negative=off.count,
        mean=mu,
        sd=sd,
        off_mean=off.mean,
        off_sd=off.sd,
        d_prime=(mu - off.mean) / pooled if pooled > TIE_TOLERANCE else math.nan,
        auroc=won.total / (off.count * positive.size) if won is not None and off.count else math.nan,
        auroc_interval=interval,
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
