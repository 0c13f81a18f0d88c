"""Pillow's resize of eight-bit RGB pictures, compiled by numba: only what is kept, and straight to floats.

Pillow resizes every column and row, also those that the centre crop throws away, one pixel at a time. Here a
strip of rows is laid on its side, so that vector instructions work on many rows at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clipeval.core.compiled.compiler import compiled

STRIP = 16
"""Rows at a time: their columns, on their side, fit into a core's own cache."""


@compiled()
def resize_into(
    levels: Any, across: Any, left: Any, wide: Any, down: Any, top: Any, high: Any, table: Any, out: Any
) -> None:
    """Resize, crop and scale a picture.

    Parameters
    ----------
    levels : ndarray of uint8, shape (rows, columns, 3)
    across, left, wide
        Weights, first pixels and counts along a row: see `clipeval.encoders.resize_taps.Taps`.
    down, top, high
        The same along a column.
    table : ndarray of float32, shape (3, 256)
        Number of each level of each channel.
    out : ndarray of float32, shape (3, h, w)
        Where the numbers are written.
    """
    w, h = len(left), len(top)
    row, rows = top[0], top[h - 1] + high[h - 1] - top[0]
    column, columns = left[0], left[w - 1] + wide[w - 1] - left[0]
    half = np.int32(1 << 21)
    between = np.empty((rows, 3 * w), np.uint8)  # resized along the rows; Pillow rounds here, too
    sideways = np.empty((columns, 3 * STRIP), np.uint8)
    sums = np.empty(3 * STRIP, np.int32)
    for strip in range(0, rows, STRIP):
        filled = min(STRIP, rows - strip)
        for y in range(filled):
            for x in range(columns):
                for channel in range(3):
                    sideways[x, channel * STRIP + y] = levels[row + strip + y, column + x, channel]
        for i in range(w):
            for j in range(3 * STRIP):
                sums[j] = half
            for k in range(wide[i]):
                weight, line = across[i, k], sideways[left[i] - column + k]
                for j in range(3 * STRIP):
                    sums[j] += np.int32(line[j]) * weight
            for j in range(3 * STRIP):
                sums[j] = min(max(sums[j] >> 22, 0), 255)
            for y in range(filled):
                for channel in range(3):
                    between[strip + y, channel * w + i] = sums[channel * STRIP + y]
    totals = np.empty(3 * w, np.int32)
    for i in range(h):
        for j in range(3 * w):
            totals[j] = half
        for k in range(high[i]):
            weight, line = down[i, k], between[top[i] - row + k]
            for j in range(3 * w):
                totals[j] += np.int32(line[j]) * weight
        for channel in range(3):
            for j in range(w):
                out[channel, i, j] = table[channel, min(max(totals[channel * w + j] >> 22, 0), 255)]
