"""One door to all bridges that are learned from pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.bridges.anchors import AnchorBridge, asif, relative_representations
from clipeval.core.bridges.linear import LinearBridge, Side, cca, procrustes, ridge
from clipeval.errors import InvalidInputError, near

KINDS = ("procrustes", "ridge", "cca", "relative", "asif")

PARAMETERS = {
    "procrustes": (),
    "ridge": ("project", "strength"),
    "cca": ("dim", "penalty"),
    "relative": (),
    "asif": ("top", "power"),
}
"""What each kind can be told; the others' parameters mean nothing to it."""


@dataclass(frozen=True)
class Wish:
    """Which bridge is to be learned. A parameter that is None is chosen inside the training pairs.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    project : {"image", "text"}
        The side that ridge carries over.
    strength, penalty, dim, top, power
        See `ridge`, `cca` and `asif`.
    seed : int
        Of the folds in which parameters are chosen.
    """

    kind: str
    project: Side = "image"
    strength: float | None = None
    penalty: float | None = None
    dim: int | None = None
    top: int | None = None
    power: float | None = None
    seed: int = 42


def fit_bridge(
    wish: Wish,
    images: ArrayLike,
    texts: ArrayLike,
    image_of_text: ArrayLike,
    *,
    units: ArrayLike | None = None,
) -> LinearBridge | AnchorBridge:
    """Learn a bridge from images and the texts that belong to them.

    Parameters
    ----------
    wish : Wish
        What to learn.
    images : array-like, shape (m, d)
        Each image once.
    texts : array-like, shape (n, e)
        Each text once.
    image_of_text : array-like of int, shape (n,)
        The image of each text.
    units : array-like of int, shape (m,), optional
        Independent unit of each image: what belongs together stays in one fold where parameters are chosen.

    Returns
    -------
    LinearBridge or AnchorBridge

    Raises
    ------
    InvalidInputError
        An unknown kind, or what the functions of the kinds refuse.

    Examples
    --------
    >>> rows = np.eye(3)
    >>> fit_bridge(Wish("relative"), rows, rows[[0, 0, 1, 2]], [0, 0, 1, 2]).words
    'relative representations, 3 anchors'
    """
    if wish.kind not in KINDS:
        raise InvalidInputError(f"unknown bridge '{wish.kind}'", fix=near(wish.kind, KINDS))
    owner = np.asarray(image_of_text, dtype=np.int64)
    pairs = np.asarray(images)[owner], texts
    groups = owner if units is None else np.asarray(units)[owner]
    if wish.kind == "procrustes":
        return procrustes(*pairs)
    if wish.kind == "ridge":
        return ridge(*pairs, side=wish.project, strength=wish.strength, groups=groups, seed=wish.seed)
    if wish.kind == "cca":
        return cca(*pairs, dim=wish.dim, penalty=wish.penalty, groups=groups, seed=wish.seed)
    if wish.kind == "relative":
        return relative_representations(*pairs, anchor=owner)
    return asif(*pairs, top=wish.top, power=wish.power, anchor=owner, groups=groups, seed=wish.seed)
