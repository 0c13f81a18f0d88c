"""Bootstrap over independent units, and the standard error that belongs to it."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.clusters import finite_vector, group, open_unit, unit_interval_vector
from clipeval.core.intervals import Interval, wilson_interval
from clipeval.errors import InvalidInputError, near

FEWEST_CLUSTERS = 50
"""With fewer clusters a percentile bootstrap is too short (``tests/benchmarks/simulate_errors.py``)."""

FEWEST_EVENTS = 10
"""Nor is it right with fewer clusters than this on either side (hits and misses, gains and losses)."""

_BLOCK_ENTRIES = 2**17
_FEW_KINDS = 64


def bootstrap_interval(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.95,
    method: Literal["percentile", "bca"] = "percentile",
    n_resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of a mean, resampling whole clusters.

    A resample draws as many clusters as there are, with replacement, each with all its queries; its
    statistic is the ratio of sums (all values over all queries). ``percentile`` takes quantiles of the
    resampled means; ``bca`` corrects them for bias and skewness with a jackknife over clusters (B. Efron
    1987, J. Am. Stat. Assoc. 82). Draws come from a private ``numpy.random.Generator(PCG64(seed))``; numpy
    may change that stream between versions, which moves the bounds within their Monte-Carlo error.

    Parameters
    ----------
    values : array-like, shape (n,)
        One finite number for each query.
    clusters : array-like, shape (n,), optional
        Label of each query's image; by default every query stands alone.
    level : float
        Confidence level in (0, 1).
    method : {"percentile", "bca"}
    n_resamples : int
        At least 100.
    seed : int

    Returns
    -------
    Interval
        Of zero width when all clusters have the same mean: the bootstrap cannot see what did not happen.
        `rate_interval` guards against that.

    Raises
    ------
    InvalidInputError
        Bad values, labels that do not fit, an unknown method, fewer than 100 resamples.

    Examples
    --------
    >>> interval = bootstrap_interval([1] * 276 + [0] * 224, seed=1)
    >>> round(interval.low, 2), round(interval.high, 2)
    (0.51, 0.6)
    """
    x = finite_vector(values)
    open_unit(level, name="level")
    if method not in ("percentile", "bca"):
        raise InvalidInputError(
            f"unknown bootstrap method '{method}'", fix=near(method, ("percentile", "bca"))
        )
    if n_resamples < 100:
        raise InvalidInputError(f"n_resamples must be at least 100, got {n_resamples}")
    grouped = group(clusters, len(x))
    sums, sizes = grouped.sums(x), grouped.sizes.astype(np.float64)
    means = _resampled_means(sums, sizes, n_resamples, np.random.Generator(np.random.PCG64(seed)))
    tails = ((1 - level) / 2, (1 + level) / 2)
    if method == "bca":
        tails = _bca_tails(means, sums, sizes, tails)
    low, high = np.quantile(means, tails)
    units = "" if grouped.single else " over clusters"
    return Interval(float(low), float(high), level, f"{method} bootstrap{units}")


def rate_interval(
    values: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95, seed: int = 0
) -> Interval:
    """Interval for a rate: row "rate" of the contract.

    Wilson where every cluster holds one query. Otherwise the percentile bootstrap over clusters; with fewer
    than 50 clusters, or fewer than 10 that hold a hit or 10 that hold a miss, it misses the truth too often
    (15 % instead of 5 % in simulations, and it has no width at 20 of 20), and Wilson's interval at the
    number of clusters (Kish's effective number where sizes differ) takes its place, which errs on the long
    side.

    Parameters
    ----------
    values : array-like, shape (n,)
        Scores in [0, 1]: hits, expected hits, reciprocal ranks ...
    clusters : array-like, shape (n,), optional
        Label of each query's image.
    level : float
        Confidence level in (0, 1).
    seed : int
        For the bootstrap.

    Returns
    -------
    Interval
        Within [0, 1].

    Raises
    ------
    InvalidInputError
        Values outside [0, 1], labels that do not fit.

    Examples
    --------
    >>> interval = rate_interval([1.0] * 20)
    >>> interval.method, round(interval.low, 3), interval.high
    ('Wilson', 0.839, 1.0)
    """
    x = unit_interval_vector(values)
    grouped = group(clusters, len(x))
    if grouped.single:
        return wilson_interval(min(math.fsum(x), len(x)), len(x), level=level)
    hits, misses = grouped.sums(x), grouped.sums(1.0 - x)
    if enough_for_bootstrap(grouped.n, int((hits > 0).sum()), int((misses > 0).sum())):
        return bootstrap_interval(x, clusters, level=level, seed=seed)
    n = grouped.n_effective
    interval = wilson_interval(min(math.fsum(x) / len(x), 1.0) * n, n, level=level)
    return Interval(interval.low, interval.high, level, "Wilson over clusters, conservative")


def enough_for_bootstrap(n_clusters: int, *events: int) -> bool:
    """Say whether a percentile bootstrap over clusters may be trusted.

    Parameters
    ----------
    n_clusters : int
        Independent units.
    *events : int
        Clusters on either side: with hits and with misses, or with gains and with losses.

    Returns
    -------
    bool

    Examples
    --------
    >>> enough_for_bootstrap(500, 40, 12), enough_for_bootstrap(500, 40, 3), enough_for_bootstrap(20, 10, 10)
    (True, False, False)
    """
    return n_clusters >= FEWEST_CLUSTERS and min(events) >= FEWEST_EVENTS


def clustered_standard_error(values: ArrayLike, clusters: ArrayLike | None = None) -> float:
    """Compute the standard error of a mean whose queries come in clusters.

    ``sqrt(s²/n + (1/n²) Σ_clusters Σ_{i≠j} (xᵢ - x̄)(xⱼ - x̄))`` with ``s²`` the sample variance (E. Miller
    2024, "Adding Error Bars to Evals", arXiv 2411.00640, appendix A). With one query in each cluster it is
    ``s / sqrt(n)``.

    Parameters
    ----------
    values : array-like, shape (n,)
        One finite number for each query, at least two.
    clusters : array-like, shape (n,), optional
        Label of each query's image.

    Returns
    -------
    float
        Not negative, in the units of the values.

    Raises
    ------
    InvalidInputError
        Bad values, fewer than two, labels that do not fit.

    Examples
    --------
    >>> round(clustered_standard_error([1, 1, 0, 0], ["a", "a", "b", "b"]), 4)
    0.3819
    """
    x = finite_vector(values)
    n = len(x)
    if n < 2:
        raise InvalidInputError("a standard error needs at least two values")
    deviation = x - x.mean()
    squares = float(deviation @ deviation)
    within = float(np.sum(group(clusters, n).sums(deviation) ** 2)) - squares
    return math.sqrt(max(0.0, squares / (n * (n - 1)) + within / n**2))


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.float64], n_resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Ratio of sums of each resample, in blocks of bounded memory."""
    kinds, multiplicity = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    means = np.empty(n_resamples)
    if len(kinds) <= _FEW_KINDS:
        # clusters of one kind are interchangeable: how often each kind is drawn is multinomial
        draws = rng.multinomial(len(sums), multiplicity / len(sums), size=n_resamples)
        totals = draws @ kinds
        return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)
    step = max(1, _BLOCK_ENTRIES // len(sums))  # small enough for a processor's cache
    same_size = bool((sizes == sizes[0]).all())
    for start in range(0, n_resamples, step):
        stop = min(start + step, n_resamples)
        chosen = rng.integers(0, len(sums), size=(stop - start, len(sums)))
        # sizes are whole numbers: their sum is exact, and where all are equal it is always the same
        drawn = sizes.sum() if same_size else sizes[chosen].sum(axis=1)
        means[start:stop] = sums[chosen].sum(axis=1) / drawn
    return means


def _bca_tails(
    means: NDArray[np.float64],
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
    tails: tuple[float, float],
) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri

    estimate = sums.sum() / sizes.sum()
    slack = 1e-12 * max(1.0, abs(float(estimate)))
    below = np.mean(means < estimate - slack) + np.mean(np.abs(means - estimate) <= slack) / 2
    if len(sums) < 2 or not 0.0 < below < 1.0:
        return tails
    bias = float(ndtri(below))
    left_out = (sums.sum() - sums) / (sizes.sum() - sizes)
    deviation = left_out.mean() - left_out
    spread = float(np.sum(deviation**2))
    acceleration = float(np.sum(deviation**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    shifted = [bias + float(ndtri(tail)) for tail in tails]
    low, high = (float(ndtr(bias + z / (1 - acceleration * z))) for z in shifted)
    return low, high
