"""How much faster: the ratio of two medians, with an interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.clusters import finite_vector, open_unit
from clipeval.core.intervals import Interval
from clipeval.core.median import median_interval
from clipeval.errors import InvalidInputError


def interleaved_ratio(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> tuple[float, Interval]:
    """Compare two calls that were timed in turns: the median over rounds of first / second.

    What slows a whole round down cancels within it.

    Parameters
    ----------
    first, second : array-like, shape (n,)
        Positive seconds of the same rounds.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    ratio : float
        Below 1 where the first is faster.
    interval : Interval
        Bootstrap over rounds.

    Raises
    ------
    InvalidInputError
        Other numbers of rounds, or seconds that are not positive.

    Examples
    --------
    >>> ratio, interval = interleaved_ratio([2.0, 4.0, 8.0, 2.0, 4.0], [1.0, 2.0, 4.0, 1.0, 2.0])
    >>> ratio, interval.low, interval.high
    (2.0, 2.0, 2.0)
    """
    a, b = _positive(first), _positive(second)
    if len(a) != len(b):
        raise InvalidInputError(f"{len(a)} and {len(b)} rounds cannot be paired")
    logs = np.log(a / b)
    low, high = (float(np.exp(x)) for x in _bounds(median_interval(logs, level=level)))
    return float(np.exp(np.median(logs))), Interval(low, high, level, "bootstrap over rounds")


def separate_ratio(
    first: ArrayLike, second: ArrayLike, *, level: float = 0.95, n_resamples: int = 2_000, seed: int = 0
) -> tuple[float, Interval]:
    """Compare two calls that were timed apart, such as on two machines: median / median.

    Each side is resampled by itself. What changed between the two sessions beside the calls is in the
    ratio, and no interval shows it.

    Parameters
    ----------
    first, second : array-like, shape (n,), (m,)
        Positive seconds.
    level : float
        Confidence level in (0, 1).
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    ratio : float
    interval : Interval

    Raises
    ------
    InvalidInputError
        Seconds that are not positive.

    Examples
    --------
    >>> separate_ratio([2.0, 2.0, 2.0], [1.0, 1.0])[0]
    2.0
    """
    a, b = _positive(first), _positive(second)
    open_unit(level, name="level")
    rng = np.random.Generator(np.random.PCG64(seed))
    ratios = np.empty(n_resamples)
    for at in range(n_resamples):
        drawn = rng.choice(a, size=len(a)), rng.choice(b, size=len(b))
        ratios[at] = np.median(drawn[0]) / np.median(drawn[1])
    low, high = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    interval = Interval(float(low), float(high), level, "bootstrap of both medians")
    return float(np.median(a) / np.median(b)), interval


def _positive(seconds: ArrayLike) -> np.ndarray:
    values = finite_vector(seconds, name="seconds")
    if (values <= 0).any():
        raise InvalidInputError("seconds must be positive")
    return values


def _bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
