"""Confidence intervals for one rate, and for the difference of two rates on the same queries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.clusters import finite_vector, group, open_unit
from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval.

    Attributes
    ----------
    low, high : float
        The bounds.
    level : float
        Confidence level, such as 0.95.
    method : str
        How it was made.
    """

    low: float
    high: float
    level: float
    method: str

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson_interval(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion.

    All rates that the score test does not reject: ``(p̂ + z²/2n ± z sqrt(p̂(1 - p̂)/n + z²/4n²)) / (1 + z²/n)``
    (E. B. Wilson 1927, J. Am. Stat. Assoc. 22). Sensible at 0 of n and n of n.

    Parameters
    ----------
    successes : float
        Between 0 and n. Sums of expected hits may be fractional; the interval is then conservative,
        because no score in [0, 1] has a larger variance than a hit with the same mean.
    n : float
        Number of independent queries, positive.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Within [0, 1].

    Raises
    ------
    InvalidInputError
        ``n`` not positive, ``successes`` outside [0, n], level outside (0, 1).

    Examples
    --------
    >>> interval = wilson_interval(276, 500)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.5082, 0.595)
    """
    if not (math.isfinite(n) and n > 0 and 0 <= successes <= n):
        raise InvalidInputError(f"{successes} successes of {n} are not a proportion")
    z = _two_sided_z(level)
    rate = successes / n
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # at the ends the two terms are equal but for rounding, and the bound is the end itself
    low = 0.0 if successes == 0 else (centre - half) / (1 + z * z / n)
    high = 1.0 if successes == n else (centre + half) / (1 + z * z / n)
    return Interval(max(0.0, low), min(1.0, high), level, "Wilson")


def paired_score_interval(b: float, c: float, n: float, *, level: float = 0.95) -> Interval:
    """Score interval for the difference of two rates measured on the same queries.

    All differences δ that the score test does not reject, ``|b - c - nδ| <= z sqrt(n(2q + δ(1 - δ)))``, with
    ``q`` the probability of the second kind of discordance most likely under δ: the larger root of
    ``2n q² + ((2n - b + c)δ - b - c) q - cδ(1 - δ) = 0`` (T. Tango 1998, Stat. Med. 17, 891-908).

    Parameters
    ----------
    b : float
        Queries that only the first encoder answers.
    c : float
        Queries that only the second encoder answers.
    n : float
        All queries, ``b + c <= n``. Fractions are allowed (see `conservative_score_interval`).
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        For ``(b - c) / n``, within [-1, 1].

    Raises
    ------
    InvalidInputError
        Negative counts, ``b + c > n``, level outside (0, 1).

    Examples
    --------
    >>> interval = paired_score_interval(1, 7, 21)
    >>> round(interval.low, 3), round(interval.high, 3)
    (-0.517, -0.026)
    """
    slack = 1e-9 * max(1.0, n)  # fractional counts are sums
    if not (math.isfinite(n) and n > 0 and b >= 0 and c >= 0 and b + c <= n + slack):
        raise InvalidInputError(f"{b} and {c} discordant of {n} are not a paired table")
    z = _two_sided_z(level)
    # the lower bound of b against c is the upper bound of c against b, mirrored: one root finder for both
    return Interval(_lower_bound(b, c, n, z), -_lower_bound(c, b, n, z), level, "Tango score")


def conservative_score_interval(
    differences: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95
) -> Interval:
    """Score interval for a mean paired difference, safe with few clusters and few differences.

    Every cluster counts as one pair whose difference ``d`` in [-1, 1] is split into gain and loss:
    ``b = Σ max(d, 0)``, ``c = Σ max(-d, 0)``, and Tango's interval is taken at the number of clusters. Of all
    distributions of ``d`` with the same mean gain and loss the one on {-1, 0, 1} varies most, so the
    interval is not too short; it is longer than a bootstrap's where captions of one image often disagree.
    With clusters of several sizes, d is weighted by size and the number of clusters is Kish's effective
    one, ``N² / Σ size²``.

    Parameters
    ----------
    differences : array-like, shape (n,)
        Per-query differences in [-1, 1].
    clusters : array-like, shape (n,), optional
        Label of each query's image; by default every query stands alone.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        For the mean over queries.

    Raises
    ------
    InvalidInputError
        Differences outside [-1, 1], labels that do not fit, level outside (0, 1).

    Examples
    --------
    >>> interval = conservative_score_interval([0.0] * 20)
    >>> round(interval.low, 3), round(interval.high, 3)
    (-0.161, 0.161)
    """
    d = finite_vector(differences, name="differences")
    if np.abs(d).max() > 1.0:
        raise InvalidInputError("differences must lie in [-1, 1]")
    grouped = group(clusters, len(d))
    sums = grouped.sums(d)
    n_effective = grouped.n_effective
    scale = n_effective / len(d)
    gain = scale * float(np.maximum(sums, 0.0).sum())
    loss = scale * float(np.maximum(-sums, 0.0).sum())
    interval = paired_score_interval(gain, loss, n_effective, level=level)
    return Interval(interval.low, interval.high, level, "Tango score over clusters, conservative")


def _two_sided_z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + open_unit(level, name="level") / 2))


def _score(delta: float, b: float, c: float, n: float) -> float:
    """Tango's statistic at δ; falls from +inf at δ = -1 to -inf at δ = 1."""
    linear = (2 * n - b + c) * delta - b - c
    constant = -c * delta * (1 - delta)
    root = math.sqrt(max(linear * linear - 8 * n * constant, 0.0))
    # the textbook form of the root would subtract two nearly equal numbers where linear > 0
    q = -2 * constant / (linear + root) if linear > 0 else (root - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    excess = b - c - n * delta
    if variance <= 0.0:
        return math.copysign(math.inf, excess) if excess else 0.0
    return excess / math.sqrt(variance)


def _lower_bound(b: float, c: float, n: float, z: float) -> float:
    from scipy.optimize import brentq

    estimate = (b - c) / n
    if estimate <= -1.0:
        return -1.0

    def beyond(delta: float) -> float:
        return max(-1e9, min(1e9, _score(delta, b, c, n))) - z

    return float(brentq(beyond, -1.0, estimate, xtol=1e-14))
