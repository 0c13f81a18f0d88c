"""Pictures resized by compiled code: once that is worth its start, and only if it gives Pillow's bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipeval.core.compiled.compiler import numba_starts
from clipeval.encoders.resize_taps import knows, taps

WORTH_PICTURES = 500
"""Pictures from which importing numba and loading one function (about a second) is made up for."""

MOST_PIXELS = 2**23
"""Of a picture; larger ones are left to Pillow: compiled code works on a copy, 3 bytes a pixel and thread."""

Box = tuple[int, int, int, int]


class CompiledResizing:
    """Pillow's resize, about 2.7 times as fast, for a process that has many pictures to prepare.

    The first pictures are left to Pillow. When there have been enough, the thread that brings the next one
    loads the compiled function (others go on with Pillow meanwhile). Before the first picture of each kind of
    shape it is held against Pillow; if one bit ever differs, Pillow does all the rest. Nobody can tell from
    the rows.

    Parameters
    ----------
    worth : int
        Pictures that Pillow gets first.

    Examples
    --------
    >>> picture = Image.linear_gradient("L").convert("RGB")
    >>> out = np.empty((3, 8, 8), dtype=np.float32)
    >>> table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    >>> resizing = CompiledResizing(worth=2)
    >>> resizing.fill(picture, (8, 8), (0, 0, 8, 8), Image.Resampling.BICUBIC, table, out)
    False
    """

    def __init__(self, worth: int = WORTH_PICTURES) -> None:
        self._left = worth
        self._lock = Lock()
        self._function: Callable[..., None] | None = None
        self._checked: set[tuple[int, ...]] = set()
        self._off = False

    def start(self) -> bool:
        """Load the compiled function now.

        Returns
        -------
        bool
            False where numba is not installed or cannot be imported: Pillow does all the work.
        """
        with self._lock:
            self._left = min(self._left, -1)  # `_due` never comes here again
            if self._function is None and numba_starts():
                from clipeval.encoders.compiled_resize import resize_into

                self._function = resize_into
        return self._function is not None

    def fill(
        self,
        picture: Image.Image,
        size: tuple[int, int],
        box: Box,
        resample: int,
        table: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> bool:
        """Resize, crop and scale a picture.

        Parameters
        ----------
        picture : PIL.Image.Image
            RGB.
        size : tuple of two int
            Width and height behind the resize.
        box : tuple of four int
            Left, top, right and bottom of the part that is kept; inside the resized picture.
        resample : int
            Pillow's filter.
        table : ndarray of float32, shape (3, 256)
            Number of each level of each channel.
        out : ndarray of float32, shape (3, h, w)
            Where they are written.

        Returns
        -------
        bool
            False, and nothing written, where Pillow must do it.
        """
        resize = _Resize(picture.size, size, box, int(resample))
        if not resize.is_covered or not out.flags.c_contiguous:
            return False
        if self._function is None and not self._due():
            return False
        if not self._gives_pillow_s_bits(resize):
            return False
        self._run(picture, resize, table, out)
        return True

    def _due(self) -> bool:
        with self._lock:
            self._left -= 1
            due = self._left == -1  # once: who comes meanwhile, or after it could not be loaded, goes on
        return due and self.start()

    def _gives_pillow_s_bits(self, resize: _Resize) -> bool:
        """Hold both against each other on noise, once for each kind of shape; one bit ends it for good."""
        if not self._off and resize.kind not in self._checked:
            width, height = resize.before
            noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
            picture = Image.fromarray(noise)
            left, top, right, bottom = resize.box
            out = np.empty((3, bottom - top, right - left), dtype=np.float32)
            try:
                self._run(picture, resize, _LEVELS, out)
            except Exception:  # it cannot be compiled, or kept on a full disk: Pillow needs neither
                self._off = True
                return False
            pillow = np.asarray(picture.resize(resize.after, resize.resample))[top:bottom, left:right]
            if (out != pillow.transpose(2, 0, 1)).any():
                self._off = True
            self._checked.add(resize.kind)
        return not self._off

    def _run(
        self, picture: Image.Image, resize: _Resize, table: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        (width, height), (new_width, new_height) = resize.before, resize.after
        left, top, right, bottom = resize.box
        across = taps(width, new_width, resize.resample, left, right)
        down = taps(height, new_height, resize.resample, top, bottom)
        if self._function is not None:
            self._function(np.asarray(picture), *across, *down, table, out)


@dataclass(frozen=True)
class _Resize:
    """From what size to what, which part of that is kept, and by which filter."""

    before: tuple[int, int]
    after: tuple[int, int]
    box: Box
    resample: int

    @property
    def is_covered(self) -> bool:
        """Whether it is a resize along rows and then along columns, by a filter whose weights are known.

        Pillow 13 turns the order round where the height shrinks by more than twice as many pixels as the
        width, and rounds in between: other bits than those of Pillow 12.
        """
        shrunk = [old - new for old, new in zip(self.before, self.after, strict=True)]
        columns_first = shrunk[1] > max(0, 2 * shrunk[0])
        pixels = self.before[0] * self.before[1]
        small = pixels <= MOST_PIXELS
        return small and self.before != self.after and knows(self.resample) and not columns_first

    @property
    def kind(self) -> tuple[int, ...]:
        """Factors of both edges in half octaves, and the filter."""
        ratios = (old / new for old, new in zip(self.before, self.after, strict=True))
        return (*(round(2 * log2(ratio)) for ratio in ratios), self.resample)


_LEVELS = np.tile(np.arange(256, dtype=np.float32), (3, 1))

RESIZING = CompiledResizing()
"""Of this process."""
