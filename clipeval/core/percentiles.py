"""Tail percentiles of latencies: a bound that the samples can support, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.clusters import finite_vector, open_unit

FEWEST_ABOVE = 2
"""The bound is never the largest sample: one outlier would be the answer."""


@dataclass(frozen=True)
class PercentileBound:
    """An upper confidence bound of a percentile.

    Attributes
    ----------
    value : float or None
        The bound, one of the samples; None where there are too few of them.
    percentile, confidence : float
        What is bounded, and how surely; both in (0, 1).
    n, needed : int
        Samples at hand, and the fewest that give a bound.
    """

    value: float | None
    percentile: float
    confidence: float
    n: int
    needed: int


def percentile_bound(samples: ArrayLike, percentile: float, *, confidence: float = 0.99) -> PercentileBound:
    """Bound a percentile from above by one of the samples.

    The r-th largest of n independent samples is at least the q-quantile unless fewer than r samples exceed
    it, and their number is binomial(n, 1 - q). The largest r >= 2 is taken for which that is surely enough
    (order-statistic confidence bounds: David & Nagaraja, Order Statistics, 2003, section 7.1). At 99 %
    confidence p90 needs 64 samples and p99 needs 662; below that any p99 is an invention.

    Parameters
    ----------
    samples : array-like, shape (n,)
        Independent measurements, such as seconds.
    percentile : float
        q, in (0, 1): 0.9 for p90.
    confidence : float
        In (0, 1).

    Returns
    -------
    PercentileBound

    Raises
    ------
    InvalidInputError
        Samples that are not finite numbers, percentile or confidence out of range.

    Examples
    --------
    >>> percentile_bound(range(64), 0.9).value
    62.0
    >>> short = percentile_bound(range(20), 0.99)
    >>> short.value is None, short.needed
    (True, 662)
    """
    from scipy.stats import binom

    open_unit(percentile, name="percentile")
    open_unit(confidence, name="confidence")
    values = np.sort(finite_vector(samples))
    n = len(values)

    def surely(r: int, size: int) -> bool:
        return bool(binom.sf(r - 1, size, 1 - percentile) >= confidence)

    needed = _first(lambda size: surely(FEWEST_ABOVE, size), FEWEST_ABOVE)
    if n < needed:
        return PercentileBound(None, percentile, confidence, n, needed)
    r = _first(lambda r: not surely(r, n), FEWEST_ABOVE + 1) - 1
    return PercentileBound(float(values[n - r]), percentile, confidence, n, needed)


def _first(holds: Callable[[int], bool], start: int) -> int:
    """Find the first number from ``start`` on of which something holds that holds of all larger ones."""
    step = 1
    while not holds(start + step - 1):
        step *= 2
    # it holds at the end of the last step and, if there was a step before, not at the end of that
    low, high = start + step // 2, start + step - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
