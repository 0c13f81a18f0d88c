"""Bridges that describe a row by its similarity to the anchors of its own side: nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.bridges.pairs import Rows, checked_unit, training_pairs
from clipeval.errors import InvalidInputError

_CHUNK = 1024
_TOP = 50


@dataclass(frozen=True, eq=False)
class AnchorBridge:
    """Similarities to n anchor pairs are the common space; see the functions that make one.

    Attributes
    ----------
    words : str
        Kind and parameters, for a fingerprint.
    image_anchors, text_anchors : ndarray of float64, shape (n, d) and (n, e)
        Unit rows of the training pairs.
    top : int
        How many similarities of a row are kept; the others become 0.
    power : float
        What the kept ones are raised to; those below 0 become 0, unless it is 1 and all are kept.
    """

    words: str
    image_anchors: Rows
    text_anchors: Rows
    top: int
    power: float

    def images(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry image rows into the common space, shape ``(m, n)``."""
        return self._carried(rows, self.image_anchors, name="images")

    def texts(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry text rows into the common space, shape ``(m, n)``."""
        return self._carried(rows, self.text_anchors, name="texts")

    def _carried(self, rows: ArrayLike, anchors: Rows, *, name: str) -> NDArray[np.float32]:
        unit = checked_unit(rows, anchors.shape[1], name=name)
        found = np.empty((len(unit), len(anchors)), dtype=np.float32)
        for start in range(0, len(unit), _CHUNK):
            found[start : start + _CHUNK] = self._sharpened(unit[start : start + _CHUNK] @ anchors.T)
        return found

    def _sharpened(self, similarity: Rows) -> Rows:
        n = similarity.shape[1]
        if self.top == n and self.power == 1:
            return similarity
        least = np.partition(similarity, n - self.top, axis=1)[:, n - self.top, None]
        kept = np.where(similarity >= np.maximum(least, 0.0), similarity, 0.0)
        # scaled by the largest first: high powers of small cosines vanish in float32
        largest = np.maximum(kept.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return np.asarray((kept / largest) ** self.power)


def relative_representations(images: ArrayLike, texts: ArrayLike) -> AnchorBridge:
    """Describe a row by its cosine to every anchor of its side (Moschella et al. 2022, arXiv 2209.15430).

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs: the anchors.

    Returns
    -------
    AnchorBridge
        Into n dimensions.

    Raises
    ------
    InvalidInputError
        See `training_pairs`.

    Examples
    --------
    >>> relative_representations(np.eye(3), np.eye(3)).images([[3.0, 4.0, 0.0]]).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929, 0.0]]
    """
    x, y = training_pairs(images, texts)
    return AnchorBridge(f"relative representations, {len(x)} anchors", x, y, len(x), 1.0)


def asif(images: ArrayLike, texts: ArrayLike, *, top: int | None = None, power: float = 8.0) -> AnchorBridge:
    """Describe a row by its few largest cosines to the anchors, sharpened.

    Norelli et al. 2022, "ASIF: coupled data turns unimodal models to multimodal without training", arXiv
    2210.01738.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs: the anchors.
    top : int, optional
        Similarities kept, from 1 to n; 50, or n if that is less, if not given. The paper keeps 800 of 1.6
        million.
    power : float
        Exponent, above 0; the paper takes 8.

    Returns
    -------
    AnchorBridge
        Into n dimensions.

    Raises
    ------
    InvalidInputError
        See `training_pairs`; top or power out of range.

    Examples
    --------
    >>> asif(np.eye(3), np.eye(3), top=1).images([[3.0, 4.0, 0.0]]).tolist()
    [[0.0, 1.0, 0.0]]
    """
    x, y = training_pairs(images, texts)
    top = min(_TOP, len(x)) if top is None else top
    if isinstance(top, bool) or not isinstance(top, (int, np.integer)) or not 1 <= top <= len(x):
        raise InvalidInputError(f"top is {top!r}, but there are {len(x)} anchors")
    if not 0 < power < np.inf:
        raise InvalidInputError(f"the power of ASIF is above 0, not {power!r}")
    return AnchorBridge(f"asif, {len(x)} anchors, top {top}, power {power:g}", x, y, int(top), float(power))
