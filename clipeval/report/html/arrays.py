"""Numbers for the scripts of a page: typed arrays as base64, a third longer than their bytes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

KINDS = {"u1": "<u1", "u2": "<u2", "i4": "<i4", "f4": "<f4"}
"""By their name in the page: numpy's; ``arrays.js`` knows the same."""


def packed(values: ArrayLike, kind: str) -> dict[str, str]:
    """Pack numbers for ``arrays.js``.

    Parameters
    ----------
    values : array-like
        Any shape; stored row by row.
    kind : {"u1", "u2", "i4", "f4"}
        Of the numbers in the page.

    Returns
    -------
    dict
        ``kind`` and ``base64``.

    Examples
    --------
    >>> packed([1, 258], "u2")
    {'kind': 'u2', 'base64': 'AQACAQ=='}
    """
    content = np.ascontiguousarray(values, dtype=np.dtype(KINDS[kind])).tobytes()
    return {"kind": kind, "base64": base64.b64encode(content).decode()}


def unpacked(stored: dict[str, Any]) -> np.ndarray:
    """Read back what `packed` made, flat.

    Examples
    --------
    >>> unpacked(packed([1, 258], "u2")).tolist()
    [1, 258]
    """
    return np.frombuffer(base64.b64decode(stored["base64"]), dtype=np.dtype(KINDS[stored["kind"]]))
