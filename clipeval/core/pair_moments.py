"""Mean and standard deviation of the scores of all negative pairs; of many without computing the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
from clipeval.core.ties import Floats

_CHUNK = 4096
_FEW = 2**20  # pairs: among so few the positive ones may be a large share, and what is left after them small


@dataclass(frozen=True)
class Moments:
    """Of some pairs: how many, mean and population standard deviation (NaN for none)."""

    count: int
    mean: float
    sd: float


def negative_moments(
    left: NDArray[np.floating[Any]],
    right: NDArray[np.floating[Any]],
    at: Integers,
    caption: Integers,
    positive: Floats,
) -> Moments:
    """Moments of all pairs of two sides but the positive ones.

    Few pairs are scored. Of many the moments follow from those of the sides: with x = a + u and y = b + v,
    where a and b are the means of the sides, the score of a pair is ``a.b + a.v + u.b + u.v``. Over all pairs
    the last three average to 0 and do not correlate, so the mean is ``a.b`` and the variance is ``Var(a.v) +
    Var(u.b) + <U'U, V'V> / (m n)``: sums that grow with m + n, and none of them cancels. The positive pairs
    are taken off by the updating formula of Chan, Golub & LeVeque (1983).

    Parameters
    ----------
    left : ndarray, shape (m, d)
    right : ndarray, shape (n, d)
        Unit rows.
    at, caption : ndarray of int, shape (p,)
        Row and column of the positive pairs.
    positive : ndarray of float64, shape (p,)
        Their scores.

    Returns
    -------
    Moments
        Of ``m n - p`` pairs.

    Examples
    --------
    >>> eye, pairs = np.eye(2), np.arange(2)
    >>> negative_moments(eye, eye, pairs, pairs, np.ones(2))
    Moments(count=2, mean=0.0, sd=0.0)
    """
    pairs = len(left) * len(right)
    count = pairs - len(positive)
    if not count:
        return Moments(0, math.nan, math.nan)
    if pairs <= _FEW:
        scores = left.astype(np.float64) @ right.astype(np.float64).T
        wrong = np.ones(scores.shape, dtype=bool)
        wrong[at, caption] = False
        return Moments(count, float(scores[wrong].mean()), float(scores[wrong].std()))
    means = [side.mean(axis=0, dtype=np.float64) for side in (left, right)]
    grams, along = zip(
        *(_spread(side, own, other) for side, own, other in ((left, *means), (right, means[1], means[0]))),
        strict=True,
    )
    total = float(means[0] @ means[1])
    variance = along[0] + along[1] + max(0.0, float(np.sum(grams[0] * grams[1])))
    mine = float(positive.mean())
    mean = total + (total - mine) * len(positive) / count
    squares = variance * pairs - float(np.sum((positive - mine) ** 2))
    squares -= (mean - mine) ** 2 * count * len(positive) / pairs
    return Moments(count, mean, math.sqrt(max(0.0, squares) / count))


def _spread(side: NDArray[np.floating[Any]], mean: Floats, other: Floats) -> tuple[Floats, float]:
    """``U'U / n`` of a side's deviations from its mean, and the variance of their products with `other`."""
    gram, along = np.zeros((side.shape[1],) * 2), 0.0
    for start in range(0, len(side), _CHUNK):
        deviation = side[start : start + _CHUNK].astype(np.float64) - mean
        gram += deviation.T @ deviation
        along += float(np.sum((deviation @ other) ** 2))
    return gram / len(side), along / len(side)
