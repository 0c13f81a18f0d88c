"""How large a difference would have to be for these data to show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.bootstrap import clustered_standard_error
from clipeval.core.clusters import finite_vector, open_unit


def minimum_detectable_effect(
    differences: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.95, power: float = 0.8
) -> float | None:
    """Smallest true mean difference that a test at this level would find with this power.

    ``(z_{1-α/2} + z_power) · SE`` with ``α = 1 - level`` and SE the standard deviation of the differences
    over ``sqrt(n)``, or the clustered standard error (Miller 2024, arXiv 2411.00640).

    Parameters
    ----------
    differences : array-like, shape (n,)
        Paired per-query differences.
    clusters : array-like, shape (n,), optional
        Label of each query's image.
    level : float
        Confidence level in (0, 1).
    power : float
        In (0, 1).

    Returns
    -------
    float or None
        In the units of the differences. None (n/a) where it cannot be estimated: fewer than two values, or
        a standard deviation or standard error of 0.

    Raises
    ------
    InvalidInputError
        Bad values, labels that do not fit, level or power outside (0, 1).

    Examples
    --------
    >>> round(minimum_detectable_effect([1, 0, 0, -1] * 25), 3)
    0.199
    >>> minimum_detectable_effect([0, 0, 0]) is None
    True
    """
    from scipy.special import ndtri

    d = finite_vector(differences, name="differences")
    open_unit(level, name="level")
    open_unit(power, name="power")
    if float(np.ptp(d)) == 0.0:
        return None
    standard_error = clustered_standard_error(d, clusters)
    if standard_error <= 1e-12 * float(np.abs(d).max()):
        return None
    return float(ndtri((1 + level) / 2) + ndtri(power)) * standard_error
