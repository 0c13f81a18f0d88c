"""Many claims at once: Holm's correction over a declared family."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.errors import InvalidInputError


def holm(p_values: ArrayLike, *, family_size: int | None = None) -> NDArray[np.float64]:
    """Adjust p-values so that the chance of any false claim in the family stays below the level.

    Sorted ascending, the i-th of m becomes ``max over j <= i of (m - j + 1) p_(j)``, at most 1 (S. Holm 1979,
    Scand. J. Stat. 6). With 30 claims eleven one-way discordant pairs are needed, not six.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        In [0, 1], in the family's declared order.
    family_size : int, optional
        Size of the declared family where some members gave no p-value (not run); they count as p = 1, so
        leaving a claim out never makes another pass.

    Returns
    -------
    ndarray of float64, shape (m,)
        Adjusted p-values in the given order.

    Raises
    ------
    InvalidInputError
        NaN or values outside [0, 1] (the position is named), a family smaller than its p-values.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> holm([0.01], family_size=3).tolist()
    [0.03]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise InvalidInputError(f"p_values must be a vector, got shape {p.shape}")
    bad = np.flatnonzero(~((p >= 0.0) & (p <= 1.0)))
    if bad.size:
        raise InvalidInputError(f"{p[bad[0]]} is not a p-value", where=f"position {int(bad[0])}")
    size = len(p) if family_size is None else family_size
    if size < len(p):
        raise InvalidInputError(f"a family of {size} cannot have {len(p)} p-values")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (size - np.arange(len(p)))))
    return adjusted
