"""How much faster: the ratio of two medians, with an interval, and how much a call differs from itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.clusters import finite_vector, open_unit
from clipeval.core.intervals import Interval
from clipeval.core.median import exact_median_interval, median_interval
from clipeval.errors import InvalidInputError

QUIET = 0.03
"""Half-width of a call against itself up to which a machine is quiet enough."""


@dataclass(frozen=True)
class Noise:
    """A call against itself, timed in turns (A/A): the first time of each round over the second.

    Attributes
    ----------
    ratio : float
        1 where nothing drifts.
    interval : Interval
        Bootstrap over rounds.
    """

    ratio: float
    interval: Interval

    @property
    def half_width(self) -> float:
        """Half the width of the interval: differences below it are not seen on this machine now."""
        return (self.interval.high - self.interval.low) / 2

    @property
    def too_noisy(self) -> bool:
        """Whether the measured half-width is above `QUIET`; nothing else may say so."""
        return self.half_width > QUIET


def noise_of(seconds: ArrayLike, *, level: float = 0.95) -> Noise:
    """Compare a call with itself.

    Parameters
    ----------
    seconds : array-like, shape (2 n,)
        Two of each round, one after the other, as `clipeval.bench.clock.time_calls` gives them.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Noise

    Raises
    ------
    InvalidInputError
        An odd number of seconds, or seconds that are not positive.

    Examples
    --------
    >>> found = noise_of([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    >>> found.ratio, found.half_width, found.too_noisy
    (1.0, 0.0, False)
    """
    pairs = _pairs(seconds)
    logs = np.log(pairs[:, 0] / pairs[:, 1])
    low, high = (float(np.exp(x)) for x in _bounds(median_interval(logs, level=level)))
    return Noise(float(np.exp(np.median(logs))), Interval(low, high, level, "bootstrap over rounds"))


def interleaved_ratio(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> tuple[float, Interval]:
    """Compare two calls that were timed in turns: the median of first / second over the halves of all rounds.

    Each half of a round makes every call once. What slows a half down cancels within it, and the median
    passes by the halves in which one of the two was interrupted; joined to one time for each round, twice as
    many would be spoilt. A drift pulls the two halves apart, for their order is opposite; the median stays.

    Parameters
    ----------
    first, second : array-like, shape (2 n,)
        Positive seconds of the same rounds, as `clipeval.bench.clock.time_calls` gives them.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    ratio : float
        Below 1 where the first is faster.
    interval : Interval
        Of the median over halves, by order statistics: of three rounds it still holds what it says. A drift
        pulls the halves of a round to opposite sides, which can only make it wider than it need be.

    Raises
    ------
    InvalidInputError
        Other numbers of rounds, or seconds that are not positive.

    Examples
    --------
    >>> ratio, interval = interleaved_ratio([2.0, 4.0, 8.0, 2.0], [1.0, 2.0, 4.0, 1.0])
    >>> ratio, interval.low, interval.high
    (2.0, 2.0, 2.0)
    """
    a, b = _pairs(first), _pairs(second)
    if len(a) != len(b):
        raise InvalidInputError(f"{len(a)} and {len(b)} rounds cannot be paired")
    logs = np.log(a / b)
    found = exact_median_interval(logs.ravel(), level=level)
    low, high = (float(np.exp(x)) for x in _bounds(found))
    return float(np.exp(np.median(logs))), Interval(low, high, found.level, found.method)


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


def _pairs(seconds: ArrayLike) -> NDArray[np.float64]:
    values = _positive(seconds)
    if len(values) % 2:
        raise InvalidInputError(f"{len(values)} seconds are not two of each round")
    return np.asarray(values.reshape(-1, 2))


def _positive(seconds: ArrayLike) -> NDArray[np.float64]:
    values = finite_vector(seconds, name="seconds")
    if (values <= 0).any():
        raise InvalidInputError("seconds must be positive")
    return values


def _bounds(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
