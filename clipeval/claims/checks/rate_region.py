"""One rate against a region that a claim says it lies in: above a threshold, or within a tolerance."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.bootstrap import rate_interval
from clipeval.core.clusters import group, open_unit, unit_interval_vector
from clipeval.core.intervals import Interval
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class RegionTest:
    """Answer to "the rate lies in this region".

    Attributes
    ----------
    rate : float
        Mean of the scores.
    interval : Interval
        Row "rate" of the contract.
    p : float
        Two-sided, of the verdict that the rate points to.
    region : tuple of float
        Its edges.
    n_clusters : int
        Independent units.
    verdict : Verdict
        ``holds`` where p <= 1 - level and the whole interval lies inside, ``refuted`` where p <= 1 - level
        and it lies outside, else ``undecided``.
    """

    rate: float
    interval: Interval
    p: float
    region: tuple[float, float]
    n_clusters: int
    verdict: Verdict


def rate_in_region(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
    level: float = 0.95,
    seed: int = 0,
) -> RegionTest:
    """Test whether a rate lies above ``low`` and below ``high``.

    For "inside" both one-sided exact binomial tests, at either edge, must reject (two one-sided tests,
    D. J. Schuirmann 1987, J. Pharmacokinet. Biopharm. 15); for "outside" the one at the nearer edge. An edge
    at 0 or 1 is none. Clustered or fractional scores count as ``rate · n`` hits of n clusters (Kish's
    effective n where sizes differ), which is conservative. The verdict asks the interval too.

    Parameters
    ----------
    values : array-like, shape (n,)
        Scores in [0, 1].
    clusters : array-like, shape (n,), optional
        Label of each query's image.
    low, high : float
        The region, ``0 <= low <= high <= 1``.
    level : float
        Confidence level in (0, 1).
    seed : int
        For the interval's bootstrap.

    Returns
    -------
    RegionTest

    Raises
    ------
    InvalidInputError
        Values outside [0, 1], a region that is none.

    Examples
    --------
    >>> rate_in_region([1] * 19 + [0], low=0.5).verdict.value
    'holds'
    >>> rate_in_region([1] * 12 + [0] * 8, low=0.5).verdict.value
    'undecided'
    """
    open_unit(level, name="level")
    if not 0.0 <= low <= high <= 1.0:
        raise InvalidInputError(f"{low} to {high} is not a region of rates", fix="0 <= low <= high <= 1")
    x = unit_interval_vector(values)
    grouped = group(clusters, len(x))
    rate, p = float(x.mean()), region_p(x, clusters, low=low, high=high)
    interval = rate_interval(x, clusters, level=level, seed=seed)
    verdict = Verdict.UNDECIDED
    if p <= 1 - level + 1e-12:
        inside = (low <= 0.0 or interval.low > low) and (high >= 1.0 or interval.high < high)
        outside = interval.high < low or interval.low > high
        verdict = Verdict.HOLDS if inside else Verdict.REFUTED if outside else Verdict.UNDECIDED
    return RegionTest(rate, interval, p, (low, high), grouped.n, verdict)


def region_p(values: ArrayLike, clusters: ArrayLike | None = None, *, low: float, high: float) -> float:
    """Compute the p-value of `rate_in_region`.

    Parameters
    ----------
    values, clusters, low, high
        As there.

    Returns
    -------
    float
        In (0, 1]: twice the larger of the one-sided p-values where the rate lies inside, twice the one at the
        edge it lies beyond where not.

    Examples
    --------
    >>> round(region_p([1] * 19 + [0], low=0.5, high=1.0), 6)
    4e-05
    """
    x = np.asarray(values, dtype=np.float64)
    n = group(clusters, len(x)).n_effective
    rate = float(x.mean())
    hits = min(rate * n, n)
    if rate < low:
        edges = [_at_most(hits, n, low)]
    elif rate > high:
        edges = [_at_least(hits, n, high)]
    else:
        edges = [_at_least(hits, n, low)] if low > 0.0 else []
        edges += [_at_most(hits, n, high)] if high < 1.0 else []
    # what underflows is small, not 0
    return min(1.0, max(2 * max(edges), sys.float_info.min)) if edges else 1.0


def _at_least(hits: float, n: float, rate: float) -> float:
    """P(X >= hits) of a binomial, continued to fractions by the incomplete beta function."""
    from scipy.special import betainc

    return 1.0 if hits <= 0 else float(betainc(hits, n - hits + 1, rate))


def _at_most(hits: float, n: float, rate: float) -> float:
    from scipy.special import betainc

    return 1.0 if hits >= n else float(betainc(n - hits, hits + 1, 1 - rate))
