"""Bridges that describe a row by its similarity to the anchors of its own side: nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.bridges.folds import FOLDS, Groups, Places, best_by_folds, numbered
from clipeval.core.bridges.pairs import Rows, checked_unit, training_pairs
from clipeval.core.similarity import unit_rows
from clipeval.errors import InvalidInputError

TOPS = (10, 25, 50, 100, 200, 400, 800, 1600)
"""How many similarities ASIF tries to keep."""
FEW_TOPS = (1, 2, 5)
"""The same where a fold has not more than ten anchors."""
POWERS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""The exponents that it tries."""
PAPERS_POWER = 8.0

_CHUNK = 1024


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


def relative_representations(
    images: ArrayLike, texts: ArrayLike, *, anchor: ArrayLike | None = None
) -> AnchorBridge:
    """Describe a row by its cosine to every anchor of its side (Moschella et al. 2022, arXiv 2209.15430).

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs: the anchors.
    anchor : array-like of int, shape (n,), optional
        Pairs of one number (the captions of one image) make one anchor: the mean of their unit rows. If not
        given, each pair is its own.

    Returns
    -------
    AnchorBridge
        Into as many dimensions as there are anchors.

    Raises
    ------
    InvalidInputError
        See `training_pairs`.

    Examples
    --------
    >>> relative_representations(np.eye(3), np.eye(3)).images([[3.0, 4.0, 0.0]]).round(2).tolist()
    [[0.6000000238418579, 0.800000011920929, 0.0]]
    """
    x, y = _anchors(*training_pairs(images, texts), anchor)
    return AnchorBridge(f"relative representations, {len(x)} anchors", x, y, len(x), 1.0)


def asif(
    images: ArrayLike,
    texts: ArrayLike,
    *,
    top: int | None = None,
    power: float | None = None,
    anchor: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    seed: int = 42,
) -> AnchorBridge:
    """Describe a row by its few largest cosines to the anchors, sharpened.

    Norelli et al. 2022, "ASIF: coupled data turns unimodal models to multimodal without training", arXiv
    2210.01738.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs: the anchors.
    top : int, optional
        Similarities kept, from 1 to the number of anchors. If not given, the best of `TOPS` (of few anchors
        `FEW_TOPS`) with the paper's power; see `clipeval.core.bridges.folds`. The paper keeps 800 of
        1.6 million.
    power : float, optional
        Exponent, above 0. If not given, the best of `POWERS` with that top; the paper takes 8.
    anchor : array-like of int, shape (n,), optional
        As in `relative_representations`.
    groups, seed
        For the choice of the parameters; without groups, pairs of one anchor stay together.

    Returns
    -------
    AnchorBridge
        Into as many dimensions as there are anchors.

    Raises
    ------
    InvalidInputError
        See `training_pairs` and `best_by_folds`; top or power out of range.

    Examples
    --------
    >>> asif(np.eye(3), np.eye(3), top=1, power=8).images([[3.0, 4.0, 0.0]]).tolist()
    [[0.0, 1.0, 0.0]]
    """
    x, y = training_pairs(images, texts)
    member = numbered(anchor, len(x))
    n = int(member.max()) + 1
    if top is not None and (
        isinstance(top, bool) or not isinstance(top, (int, np.integer)) or not 1 <= top <= n
    ):
        raise InvalidInputError(f"top is {top!r}, but there are {n} anchors")
    if power is not None and not 0 < power < np.inf:
        raise InvalidInputError(f"the power of ASIF is above 0, not {power!r}")
    together, prepare = member if groups is None else groups, _prepare_asif(member)
    if top is None:
        # a fold has fewer anchors than there are in the end: more than it has cannot be tried
        most = n * (FOLDS - 1) // FOLDS - 1
        tops = [one for one in TOPS if one <= most] or [one for one in FEW_TOPS if one <= most] or [1]
        tried = [(one, PAPERS_POWER if power is None else power) for one in tops]
        top, _ = best_by_folds(tried, prepare, x, y, groups=together, seed=seed)
    if power is None:
        tried = [(top, one) for one in POWERS]
        _, power = best_by_folds(tried, prepare, x, y, groups=together, seed=seed)
    x, y = _anchors(x, y, member)
    return AnchorBridge(f"asif, {n} anchors, top {top}, power {power:g}", x, y, int(top), float(power))


def _prepare_asif(
    anchor: Groups,
) -> Callable[[Rows, Rows, Places], Callable[[tuple[int, float]], AnchorBridge]]:
    def prepare(x: Rows, y: Rows, places: Places) -> Callable[[tuple[int, float]], AnchorBridge]:
        anchors = _anchors(x, y, anchor[places])
        return lambda wish: AnchorBridge("asif", *anchors, min(wish[0], len(anchors[0])), wish[1])

    return prepare


def _anchors(x: Rows, y: Rows, anchor: ArrayLike | None) -> tuple[Rows, Rows]:
    """Make one unit row of each anchor and side."""
    member = numbered(anchor, len(x))
    if int(member.max()) + 1 == len(x):
        return x, y
    order = np.argsort(member, kind="stable")
    starts = np.flatnonzero(np.diff(member[order], prepend=-1))
    sums = (np.add.reduceat(side[order], starts, axis=0) for side in (x, y))
    first, second = (unit_rows(side).astype(np.float64) for side in sums)
    return first, second
