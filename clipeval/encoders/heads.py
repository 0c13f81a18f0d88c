"""Projection heads: what carries the rows of a tower into the common space of a trained dual encoder.

They are small, so numpy computes them: a dual encoder over stored rows needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.similarity import unit_rows
from clipeval.encoders.base import Rows
from clipeval.errors import EncoderError, InvalidInputError

Array = NDArray[np.float32]
ROOT_HALF = float(np.sqrt(0.5))
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Head:
    """A standardised unit row, times a matrix; with a second, bent way beside it in a two-layer head.

    With ``x = (unit(row) - centre) * spread`` a linear head gives ``x weight + bias``; a two-layer head adds
    ``gelu(x hidden + hidden_bias) out`` (the exact GELU, Hendrycks & Gimpel 2016).

    Attributes
    ----------
    centre, spread : ndarray of float32, shape (d,)
        Mean of the training rows, and what their centred columns are multiplied with.
    weight : ndarray of float32, shape (d, k)
    bias : ndarray of float32, shape (k,)
    hidden, hidden_bias, out : ndarray of float32, shapes (d, h), (h,) and (h, k), or None
        The second way.

    Raises
    ------
    InvalidInputError
        Shapes that do not fit, or values that are not finite.

    Examples
    --------
    >>> head = Head(np.zeros(2), np.ones(2), np.array([[0.0], [1.0]]), np.zeros(1))
    >>> head([[3.0, 4.0]]).round(2).tolist()
    [[0.800000011920929]]
    """

    centre: Array
    spread: Array
    weight: Array
    bias: Array
    hidden: Array | None = None
    hidden_bias: Array | None = None
    out: Array | None = None

    def __post_init__(self) -> None:
        d, k = np.shape(self.weight) if np.ndim(self.weight) == 2 else (-1, -1)
        h = np.shape(self.hidden_bias)[0] if self.hidden_bias is not None else 0
        wanted = {"centre": (d,), "spread": (d,), "weight": (d, k), "bias": (k,)}
        second = {"hidden": (d, h), "hidden_bias": (h,), "out": (h, k)}
        given = [name for name in second if getattr(self, name) is not None]
        if given and len(given) != len(second):
            raise InvalidInputError(f"a two-layer head needs {', '.join(second)}; there is only {given[0]}")
        for name, shape in (wanted | (second if given else {})).items():
            value = getattr(self, name)
            if np.shape(value) != shape:
                raise InvalidInputError(
                    f"'{name}' of a head has shape {np.shape(value)}, the rest wants {shape}"
                )
            if not np.isfinite(value).all():
                raise InvalidInputError(f"'{name}' of a head is not finite", fix="the training diverged")

    @property
    def width(self) -> int:
        """The d of the rows that it takes."""
        return int(self.weight.shape[0])

    @property
    def dim(self) -> int:
        """The k of the common space."""
        return int(self.weight.shape[1])

    @property
    def words(self) -> str:
        """What it is, for a fingerprint."""
        if self.hidden_bias is None:
            return f"linear, {self.width} to {self.dim}"
        return f"two layers, {self.width} to {len(self.hidden_bias)} to {self.dim}"

    def standardised(self, rows: ArrayLike) -> Array:
        """Bring tower rows into the form that the layers take, float32 of shape ``(n, d)``.

        Raises
        ------
        EncoderError
            Rows of another width.
        """
        unit = unit_rows(rows)
        if unit.shape[1] != self.width:
            raise EncoderError(
                f"the head was trained on rows of {self.width} columns, these have {unit.shape[1]}",
                fix="use the tower that it was trained with",
            )
        return np.asarray((unit - self.centre) * self.spread, dtype=np.float32)

    def __call__(self, rows: ArrayLike) -> Rows:
        """Carry tower rows ``(n, d)`` into the common space ``(n, k)``; not normalised.

        Raises
        ------
        EncoderError
            Rows of another width.
        """
        given = np.asarray(rows)
        parts = [self._carried(given[start : start + _CHUNK]) for start in range(0, len(given), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)

    def _carried(self, rows: ArrayLike) -> Rows:
        x = self.standardised(rows).astype(np.float64)
        carried = x @ self.weight + self.bias
        if self.hidden is not None and self.hidden_bias is not None and self.out is not None:
            carried = carried + gelu(x @ self.hidden + self.hidden_bias) @ self.out
        return np.asarray(carried, dtype=np.float32)

    def tensors(self, side: str, *, number: int = 1) -> dict[str, Array]:
        """Give what a file keeps, each name behind ``SIDE.head.``, or ``SIDE.head2.`` for a second one."""
        names = ("centre", "spread", "weight", "bias", "hidden", "hidden_bias", "out")
        kept = {name: getattr(self, name) for name in names}
        return {
            f"{_prefix(side, number)}{name}": np.ascontiguousarray(value, dtype=np.float32)
            for name, value in kept.items()
            if value is not None
        }


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact GELU, ``x Φ(x)``.

    Examples
    --------
    >>> gelu(np.array([0.0, 1.0])).round(4).tolist()
    [0.0, 0.8413]
    """
    from scipy.special import erf

    return np.asarray(x * 0.5 * (1.0 + erf(x * ROOT_HALF)))


def _prefix(side: str, number: int) -> str:
    return f"{side}.head{number if number > 1 else ''}."


def head_from(tensors: Mapping[str, Array], side: str, *, number: int = 1) -> Head:
    """Read a head out of the tensors of a file; see `Head.tensors`.

    Raises
    ------
    InvalidInputError
        Parts are missing, their shapes do not fit, or values are not finite.
    """
    prefix = _prefix(side, number)
    found = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    missing = sorted({"centre", "spread", "weight", "bias"} - set(found))
    if missing:
        raise InvalidInputError(f"the head lacks '{prefix}{missing[0]}'")
    unknown = sorted(set(found) - set(Head.__dataclass_fields__))
    if unknown:
        raise InvalidInputError(f"the head has an unknown part '{prefix}{unknown[0]}'")
    return Head(**found)
