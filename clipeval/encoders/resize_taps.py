"""The weights by which Pillow resizes eight-bit pictures: whole numbers, so that a sum has one result."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

WEIGHT_BITS = 22
"""A weight of 1 is 2^22 in Pillow; its sums of eight-bit levels stay below 2^31."""

_SUPPORT = {int(Image.Resampling.BILINEAR): 1.0, int(Image.Resampling.BICUBIC): 2.0}
_SHARPNESS = -0.5
"""Pillow's cubic: Keys 1981, "Cubic convolution interpolation for digital image processing", a = -1/2."""


class Taps(NamedTuple):
    """Which pixels of a line make each new one, and by which weights.

    Attributes
    ----------
    weights : ndarray of int32, shape (n, most)
        In units of 2^-22; zeros behind the last.
    firsts, counts : ndarray of int64, shape (n,)
        Pixels ``first`` to ``first + count - 1`` of the old line.
    """

    weights: NDArray[np.int32]
    firsts: NDArray[np.int64]
    counts: NDArray[np.int64]


def knows(resample: int) -> bool:
    """Say whether the weights of a filter are known here (the Lanczos filter's sines differ by machine).

    Examples
    --------
    >>> knows(Image.Resampling.BICUBIC), knows(Image.Resampling.LANCZOS)
    (True, False)
    """
    return int(resample) in _SUPPORT


@lru_cache(maxsize=128)
def taps(before: int, after: int, resample: int, start: int, stop: int) -> Taps:
    """Give the weights with which Pillow resizes a line, in its own order of operations.

    Parameters
    ----------
    before, after : int
        Pixels of the line and of the resized line.
    resample : int
        Pillow's bilinear or bicubic filter, widened by ``before / after`` where that is above 1.
    start, stop : int
        The part of the resized line that is wanted.

    Returns
    -------
    Taps
        Of ``stop - start`` new pixels.

    Examples
    --------
    Halving a line: each pixel is made of eight; in the middle the weights are the same everywhere.

    >>> made = taps(64, 32, Image.Resampling.BICUBIC, 10, 12)
    >>> made.firsts.tolist(), made.counts.tolist()
    ([17, 19], [8, 8])
    >>> int(made.weights[0].sum()) == 2**22
    True
    """
    scale = before / after
    widening = max(scale, 1.0)
    support = _SUPPORT[int(resample)] * widening
    most = int(np.ceil(support)) * 2 + 1
    centres = (np.arange(start, stop) + 0.5) * scale
    # both are cut to whole numbers towards zero, as a C cast does
    first = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centres + support + 0.5).astype(np.int64), before) - first
    places = np.arange(most)
    distance = np.abs(((places + first[:, None]) - centres[:, None] + 0.5) * (1.0 / widening))
    weights = np.where(places < count[:, None], _filter(distance, int(resample)), 0.0)
    sums = np.cumsum(weights, axis=1)[:, -1:]  # one after the other: numpy's own sum adds in pairs
    weights = np.divide(weights, sums, out=weights, where=sums != 0.0)
    whole = np.where(weights < 0, -0.5, 0.5) + weights * (1 << WEIGHT_BITS)
    return Taps(whole.astype(np.int32), first, count)


def _filter(x: Floats, resample: int) -> Floats:
    if resample == Image.Resampling.BILINEAR:
        return np.where(x < 1, 1 - x, 0.0)
    a = _SHARPNESS
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
