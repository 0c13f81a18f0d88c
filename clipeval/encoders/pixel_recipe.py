"""The pixels that a library's picture processor makes, with fewer copies and to the bit.

A processor resizes, crops, and turns 256 grey levels into 256 numbers for each channel. The resize is
Pillow's own, so what can be spared is everything around it: conversions between libraries, and arithmetic on
floats where a table of 3 x 256 numbers holds all results. With many pictures the resize is compiled, too
(`clipeval.encoders.resizing`). A recipe is used only where it was seen to give exactly what the library
gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipeval.encoders.resizing import RESIZING

Pixels = NDArray[np.float32]
LEVELS = 256


@dataclass(frozen=True)
class Geometry:
    """How a picture is resized and cropped.

    Parameters
    ----------
    size : int or tuple of two int
        Length of the shorter edge behind the resize, the longer one in proportion and rounded down; or
        width and height, whatever the proportions.
    resample : int
        Pillow's filter.
    crop : tuple of two int, optional
        Width and height of the centre that is kept.
    halves : {"down", "even"}
        Where an odd number of pixels is cut off: the left edge is rounded down (transformers), or half to
        even (torchvision).
    """

    size: int | tuple[int, int]
    resample: int
    crop: tuple[int, int] | None = None
    halves: Literal["down", "even"] = "down"

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Give width and height behind the resize.

        Examples
        --------
        >>> Geometry(224, Image.Resampling.BICUBIC).resized((640, 480))
        (298, 224)
        """
        if not isinstance(self.size, int):
            return self.size
        width, height = size
        if width <= height:
            return self.size, int(self.size * height / width)
        return int(self.size * width / height), self.size

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Give what is kept of a resized picture (left, top, right, bottom); None where it is too small.

        Examples
        --------
        >>> Geometry(224, Image.Resampling.BICUBIC, (224, 224)).box((299, 224))
        (37, 0, 261, 224)
        >>> Geometry(224, Image.Resampling.BICUBIC, (224, 224), "even").box((299, 224))
        (38, 0, 262, 224)
        """
        if self.crop is None:
            return 0, 0, *size
        rest = [whole - kept for whole, kept in zip(size, self.crop, strict=True)]
        if min(rest) < 0:
            return None  # the libraries pad, each in its own way
        left, top = (round(r / 2) if self.halves == "even" else r // 2 for r in rest)
        return left, top, left + self.crop[0], top + self.crop[1]

    def places(self, picture: Image.Image) -> Places | None:
        """Say what becomes of an RGB picture; None where that is not covered."""
        size = self.resized(picture.size)
        box = self.box(size)
        if box is None or picture.mode != "RGB" or min(size) < 1:
            return None
        return Places(size, box)

    def levels(self, picture: Image.Image) -> NDArray[np.uint8] | None:
        """Resize and crop an RGB picture to shape ``(h, w, 3)``; None where that is not covered."""
        places = self.places(picture)
        return places.levels(picture, self.resample) if places else None


class Places(NamedTuple):
    """Width and height behind a resize, and the box (left, top, right, bottom) that is kept of it."""

    size: tuple[int, int]
    box: tuple[int, int, int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that are kept."""
        left, top, right, bottom = self.box
        return bottom - top, right - left

    def levels(self, picture: Image.Image, resample: int) -> NDArray[np.uint8]:
        """Let Pillow resize, and crop, to shape ``(h, w, 3)``."""
        if self.size != picture.size:
            picture = picture.resize(self.size, resample)
        left, top, right, bottom = self.box
        return np.asarray(picture)[top:bottom, left:right]


@dataclass(frozen=True, eq=False)
class PixelRecipe:
    """Geometry, and what becomes of each grey level.

    Parameters
    ----------
    geometry : Geometry
    shape : tuple of three int
        ``(3, h, w)`` of what the network gets.
    table : ndarray of float32, shape (3, 256)
        Number of each grey level of each channel.
    """

    geometry: Geometry
    shape: tuple[int, int, int]
    table: Pixels

    def fill(self, picture: Image.Image, out: Pixels) -> bool:
        """Write the pixels of a picture.

        Parameters
        ----------
        picture : PIL.Image.Image
            Decoded, RGB.
        out : ndarray of float32, shape (3, h, w)
            Where they are written.

        Returns
        -------
        bool
            False, and nothing written, where the recipe does not cover the picture (one that would have to
            be padded): ask the library.
        """
        places = self.geometry.places(picture)
        if places is None or places.shape != self.shape[1:]:
            return False
        size, box = places
        if RESIZING.fill(picture, size, box, self.geometry.resample, self.table, out):
            return True
        levels = places.levels(picture, self.geometry.resample)
        for channel, numbers in enumerate(self.table):
            # "clip" never clips here: it lets numpy write to the place at once
            np.take(numbers, levels[:, :, channel], out=out[channel], mode="clip")
        return True


def recipe_of(geometry: Geometry | None, library: Callable[[Image.Image], Pixels]) -> PixelRecipe | None:
    """Read the table off a library's processor, and use the recipe only if the two agree to the bit.

    Parameters
    ----------
    geometry : Geometry or None
        What the processor's configuration says it does; None if that cannot be said.
    library : callable
        From an RGB picture to what the processor makes of it, float32 of shape ``(3, h, w)``.

    Returns
    -------
    PixelRecipe or None
        None where they differ in one bit of one of five pictures: wide, high, small, odd, and all levels.

    Examples
    --------
    >>> geometry = Geometry((4, 4), Image.Resampling.BICUBIC)
    >>> def library(picture):
    ...     return (np.asarray(picture.resize((4, 4))) / np.float32(255)).transpose(2, 0, 1)
    >>> recipe_of(geometry, library).shape
    (3, 4, 4)
    >>> recipe_of(geometry, lambda picture: library(picture.rotate(90))) is None
    True
    """
    if geometry is None:
        return None
    table = np.full((3, LEVELS), np.nan, dtype=np.float32)
    shape = None
    for ramp in _ramps(geometry):
        levels, made = geometry.levels(ramp), np.asarray(library(ramp))
        if levels is None or made.dtype != np.float32 or made.shape != (3, *levels.shape[:2]):
            return None
        shape = made.shape
        for channel in range(3):
            table[channel, levels[:, :, channel]] = made[channel]
    if shape is None or not np.isfinite(table).all():
        return None
    recipe = PixelRecipe(geometry, (3, *shape[1:]), table)
    out = np.empty(shape, dtype=np.float32)
    for picture in (*_ramps(geometry), *_photographs(geometry)):
        made = np.asarray(library(picture))
        if recipe.fill(picture, out) and (made.shape != out.shape or made.tobytes() != out.tobytes()):
            return None
    return recipe


class RecipeMemo:
    """The recipe of a picture processor, made once for each processor.

    Parameters
    ----------
    geometry_of : callable
        From a processor to its `Geometry`, or None.
    """

    def __init__(self, geometry_of: Callable[[Any], Geometry | None]) -> None:
        self._geometry_of = geometry_of
        self._made: tuple[object, PixelRecipe | None] | None = None

    def of(self, processor: object, library: Callable[[Image.Image], Pixels]) -> PixelRecipe | None:
        """Give the recipe, or None; see `recipe_of`."""
        if self._made is None or self._made[0] is not processor:
            self._made = processor, recipe_of(self._geometry_of(processor), library)
        return self._made[1]


def _ramps(geometry: Geometry) -> list[Image.Image]:
    """Pictures of the size that is resized to, so that no resize touches their levels; all of them in all."""
    width, height = (
        (geometry.size, geometry.size) if isinstance(geometry.size, int) else geometry.size
    )  # a square stays square
    kept = geometry.box((width, height))
    if kept is None:
        return []
    places = (kept[2] - kept[0]) * (kept[3] - kept[1])
    made = []
    for start in range(0, LEVELS, max(1, min(places, LEVELS))):
        levels = np.zeros((height, width), dtype=np.uint8)
        numbers = (np.arange(places) + start) % LEVELS
        levels[kept[1] : kept[3], kept[0] : kept[2]] = numbers.reshape(kept[3] - kept[1], -1)
        made.append(Image.fromarray(np.stack([levels] * 3, axis=-1)))
    return made


def _photographs(geometry: Geometry) -> list[Image.Image]:
    """Noise of several shapes; of one 4 n + 3 columns are cut off, which is where roundings differ."""
    edge = geometry.size if isinstance(geometry.size, int) else max(geometry.size)
    kept = geometry.crop[0] if geometry.crop else edge
    odd = next(
        width
        for width in range(edge + 40, edge + 80)
        if not isinstance(geometry.size, int) or (geometry.resized((width, edge + 9))[0] - kept) % 4 == 3
    )
    rng = np.random.default_rng(0)
    sizes = [(odd, edge + 9), (edge + 7, 2 * edge + 1), (edge // 3 + 2, edge // 2 + 1), (2 * edge, edge)]
    return [
        Image.fromarray(rng.integers(0, LEVELS, (height, width, 3), dtype=np.uint8))
        for width, height in sizes
    ]
