"""Mean and standard deviation of the scores of negative pairs; of many without computing the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

_CHUNK = 4096
_FEW = 2**20  # pairs that are scored as fast as the closed form is computed
_LEFT = 1e-6  # share of all pairs' squares below which too little is left after the positive ones


@dataclass(frozen=True)
class Moments:
    """Of some pairs: how many, mean and population standard deviation (NaN for none)."""

    count: int
    mean: float
    sd: float


@dataclass
class Spread:
    """Count, mean and sum of squared deviations, which grow by the formula of Chan et al."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, count: int, mean: float, squares: float) -> None:
        """Take in the same of other numbers."""
        if not count:
            return
        total, away = self.count + count, mean - self.mean
        self.squares += squares + away**2 * self.count * count / total
        self.mean += away * count / total
        self.count = total

    def moments(self) -> Moments:
        """Give mean and population standard deviation."""
        if not self.count:
            return Moments(0, math.nan, math.nan)
        return Moments(self.count, self.mean, math.sqrt(self.squares / self.count))


def moments_without_scores(
    left: NDArray[np.floating[Any]], right: NDArray[np.floating[Any]], positive: Floats
) -> Moments | None:
    """Moments of all pairs of two sides but the positive ones, without the score of a negative pair.

    They follow from those of the sides: with x = a + u and y = b + v, where a and b are the means of the
    sides, the score of a pair is ``a.b + a.v + u.b + u.v``. Over all pairs the last three average to 0 and do
    not correlate, so the mean is ``a.b`` and the variance is ``Var(a.v) + Var(u.b) + <U'U, V'V> / (m n)``:
    sums that grow with m + n, and none of them cancels. The positive pairs are taken off by the updating
    formula of Chan, Golub & LeVeque (1983). That difference may cancel: where most pairs are positive, or the
    negative ones hardly differ (an encoder that knows classes only), all must be scored after all.

    Parameters
    ----------
    left : ndarray, shape (m, d)
    right : ndarray, shape (n, d)
        Unit rows.
    positive : ndarray of float64, shape (p,)
        Scores of the positive pairs.

    Returns
    -------
    Moments or None
        Of ``m n - p`` pairs; None where the pairs must be scored, or are few enough for that.

    Examples
    --------
    >>> moments_without_scores(np.eye(2), np.eye(2), np.ones(2)) is None
    True
    """
    pairs = len(left) * len(right)
    count = pairs - len(positive)
    if not count:
        return Moments(0, math.nan, math.nan)
    if pairs <= _FEW or 2 * count < pairs:
        return None
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
    if variance > TIE_TOLERANCE**2 and squares < _LEFT * variance * pairs:
        return None
    return Moments(count, mean, math.sqrt(max(0.0, squares) / count))


def _spread(side: NDArray[np.floating[Any]], mean: Floats, other: Floats) -> tuple[Floats, float]:
    """``U'U / n`` of a side's deviations from its mean, and the variance of their products with `other`."""
    gram, along = np.zeros((side.shape[1],) * 2), 0.0
    for start in range(0, len(side), _CHUNK):
        deviation = side[start : start + _CHUNK].astype(np.float64) - mean
        gram += deviation.T @ deviation
        along += float(np.sum((deviation @ other) ** 2))
    return gram / len(side), along / len(side)
