"""What ten pictures tell about an image tower."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.base import ImageTower
from clipeval.encoders.rounding import tolerance
from clipeval.probes.inputs import company, grained, noise, scene
from clipeval.probes.report import ProbeFinding
from clipeval.probes.rows import ask, distance, permuted, row_order

ALIASED = 0.1
"""Share of the distance between two different pictures that a fine grain may move a picture.

Measured on efficientnet-lite0 at 224 and 384 pixels: at most 0.026 with antialiasing (Pillow and torch,
bicubic and bilinear), at least 0.79 without."""


@dataclass(frozen=True)
class PictureRows:
    """Tower rows of the probe pictures, float64, shape ``(d,)``; of the whole batch, shape ``(8, d)``."""

    batch: NDArray[np.float64]
    grained: NDArray[np.float64]
    noise: NDArray[np.float64]
    scene: NDArray[np.float64]
    scene_alone: NDArray[np.float64]
    scene_again: NDArray[np.float64]


def encode_probe_pictures(tower: ImageTower) -> tuple[PictureRows, int]:
    """Encode eight pictures together and one of them twice alone.

    Parameters
    ----------
    tower : ImageTower
        Any.

    Returns
    -------
    PictureRows, int
        The rows, and how many pictures the tower was given (10).

    Raises
    ------
    Rejected
        The answer is no matrix of finite numbers.
    """
    together, alone = [grained(), noise(), scene(), *company()], [scene()]
    first = ask(lambda: tower.encode_images(together), side="pictures", expected=8)
    one = ask(lambda: tower.encode_images(alone), side="pictures", expected=1)
    again = ask(lambda: tower.encode_images(alone), side="pictures", expected=1)
    return PictureRows(first, first[0], first[1], first[2], one[0], again[0]), 10


def picture_findings(rows: PictureRows, tower: ImageTower, *, family: str | None) -> list[ProbeFinding]:
    """Judge the rows: repeatable, in order, not constant, independent of the batch, antialiased.

    Parameters
    ----------
    rows : PictureRows
        From `encode_probe_pictures`.
    tower : ImageTower
        Its fingerprint says the dtype.
    family : str, optional
        The published family that the model belongs to: all were trained with antialiasing, so a resize
        without it is then an error; the user's own model may have been trained otherwise.

    Returns
    -------
    list of ProbeFinding
    """
    allowed = tolerance(tower.fingerprint)
    order = row_order(rows.batch, rows.scene_alone, 2, allowed, side="pictures")
    return [
        repeatable(rows.scene_alone, rows.scene_again, side="pictures"),
        order,
        not_constant(rows.scene, rows.noise, allowed, side="pictures"),
        permuted(order, _batch(distance(rows.scene, rows.scene_alone), allowed)),
        permuted(order, _antialias(rows, allowed, family)),
    ]


def repeatable(one: NDArray[np.float64], again: NDArray[np.float64], *, side: str) -> ProbeFinding:
    """Judge one input that was encoded twice in the same company: the rows must be equal to the bit."""
    name = f"repeatable, {side}"
    if np.array_equal(one, again):
        return ProbeFinding(name, "ok", "the same input twice gives the same row")
    what = f"the same input twice gives rows {distance(one, again):.2g} apart (relative)"
    return ProbeFinding(name, "error", what, "call .eval(): dropout is active, or the encoder draws numbers")


def not_constant(
    one: NDArray[np.float64], other: NDArray[np.float64], allowed: float, *, side: str
) -> ProbeFinding:
    """Judge two different inputs: their rows must differ."""
    name, apart = f"not constant, {side}", distance(one, other)
    if apart > allowed / 100:
        return ProbeFinding(name, "ok", f"two different inputs give rows {apart:.2g} apart (relative)")
    what = "two different inputs give the same row"
    fix = "the input does not reach the model: check preprocessing and weights"
    return ProbeFinding(name, "error", what, fix)


def _batch(apart: float, allowed: float) -> ProbeFinding:
    said = f"a picture alone and among seven others: rows {apart:.2g} apart (relative, tolerance {allowed:g})"
    if apart <= allowed:
        return ProbeFinding("batch invariance", "ok", said)
    fix = "call .eval(): batch norm in train mode mixes a batch"
    return ProbeFinding("batch invariance", "error", said, fix)


def _antialias(rows: PictureRows, allowed: float, family: str | None) -> ProbeFinding:
    name, scale = "antialias", distance(rows.scene, rows.noise)
    if scale <= allowed:
        return ProbeFinding(name, "not_applicable", "two different pictures give the same row")
    share = distance(rows.grained, rows.scene) / scale
    said = f"a grain of one pixel moves a picture by {share:.2g} of the way to another (at most {ALIASED})"
    if share <= ALIASED:
        return ProbeFinding(name, "ok", said)
    fix = "resize with antialiasing: Pillow, or torchvision's Resize(antialias=True)"
    if family is None:
        return ProbeFinding(name, "warning", said, fix)
    return ProbeFinding(name, "error", f"{said}; {family} was trained with antialiasing", fix)
