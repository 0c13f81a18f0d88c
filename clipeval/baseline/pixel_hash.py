"""A hash of prepared pixels that sees every grey level and no float noise.

A picture is resized in whole grey levels by Pillow and by torchvision on bytes; scaling and normalising then
map level g of a channel to ``a + b g``. Two machines, or two versions of a library, agree on the level and
may differ in the last bits of ``a + b g``. So the levels are recovered and hashed exactly, whatever a and b;
these two numbers are hashed rounded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS = 255
"""Steps between the darkest and the lightest level that a channel can have."""

UNIT = 1 / (1000 * np.sqrt(2.0))
"""What -a / 255 b (the mean, in Normalize's terms) and log(255 b) are rounded to: fine enough for a mean or a
deviation changed by a thousandth, 3,000 times the noise of float32. Irrational, so that means and deviations
as people write them do not lie on the border between two roundings."""

COARSE = 10 * UNIT
"""For pixels that are no levels (resized as floats): means and deviations of blocks are rounded to it."""

BLOCKS = 8
"""Blocks of such a picture, along each side."""

NOISE = 1e-3
"""Values of a channel closer than this share of its range are one level; neighbours lie 1/255 apart."""


def pixel_hash(pictures: Iterable[NDArray[np.float32]]) -> str:
    """Hash prepared pictures so that every grey level counts and float noise does not.

    Parameters
    ----------
    pictures : iterable of ndarray, each of shape (3, h, w)
        As they reach a network.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Examples
    --------
    >>> import numpy as np
    >>> levels = np.arange(3 * 20 * 30).reshape(3, 20, 30) % 256
    >>> one = pixel_hash([(levels / 255 - 0.4815) / 0.2686])
    >>> one == pixel_hash([(levels - 0.4815 * 255) * (1 / (255 * 0.2686)) + 1e-7])
    True
    >>> one == pixel_hash([(levels / 255 - 0.485) / 0.229])
    False
    """
    digest = hashlib.sha256()
    for pixels in pictures:
        digest.update(f"{pixels.shape}".encode())
        for channel in np.asarray(pixels, dtype=np.float64):
            digest.update(_channel_bytes(channel))
    return digest.hexdigest()


def grey_levels(channel: Floats) -> tuple[NDArray[np.int64], float, float] | None:
    """Recover the grey levels behind one channel.

    Parameters
    ----------
    channel : ndarray of float64, shape (h, w)
        Values ``a + b g`` with small errors.

    Returns
    -------
    levels, lowest, step : tuple, or None
        Levels counted from the darkest one that occurs, int64 of shape ``(h, w)``; its value; and b.
        None where the values stand at no more than 256 equal steps.

    Examples
    --------
    >>> import numpy as np
    >>> levels, lowest, step = grey_levels(np.array([[-1.0, -0.5], [0.5, 1.0000001]]))
    >>> levels.tolist(), lowest, round(step, 3)
    ([[0, 1], [3, 4]], -1.0, 0.5)
    >>> grey_levels(np.array([[0.0, 1.0], [np.sqrt(2), np.pi]])) is None
    True
    """
    values = np.unique(channel)
    lowest, width = float(values[0]), float(values[-1] - values[0])
    gaps = np.diff(values)
    if not width or not (gaps > NOISE * width).any():
        return np.zeros(channel.shape, dtype=np.int64), lowest, 0.0
    count = round(width / float(gaps[gaps > NOISE * width].min()))
    if count > LEVELS:
        return None
    step = width / count
    levels = np.rint((channel - lowest) / step)
    # half a hundredth of a step is far above float32's noise and far below what other numbers leave over
    if np.abs(channel - lowest - levels * step).max() > 0.01 * step:
        return None
    return levels.astype(np.int64), lowest, step


def _channel_bytes(channel: Floats) -> bytes:
    found = grey_levels(channel)
    if found is None:
        low, high = float(channel.min()), float(channel.max())
        return b"blocks" + _scale(low, high - low) + _rounded(_blocks(channel) / (high - low), COARSE)
    levels, lowest, step = found
    return b"levels" + levels.astype("<i2").tobytes() + _scale(lowest, LEVELS * step)


def _scale(lowest: float, span: float) -> bytes:
    """Round where a scale begins and how wide it is, both relative to its width as the noise is."""
    if not span:
        return _rounded(np.array([lowest]), UNIT)
    return _rounded(np.array([lowest / span, np.log(span)]), UNIT)


def _blocks(channel: Floats) -> Floats:
    """Give mean and deviation of each block: the noise of single values averages out in them."""
    parts = [
        block
        for band in np.array_split(channel, min(BLOCKS, channel.shape[0]), axis=0)
        for block in np.array_split(band, min(BLOCKS, channel.shape[1]), axis=1)
    ]
    return np.array([[part.mean(), part.std()] for part in parts])


def _rounded(values: Floats, unit: float) -> bytes:
    return np.rint(values / unit).astype("<i8").tobytes()
