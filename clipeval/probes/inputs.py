"""The pictures and texts that encoders are probed with, made by code: no files, the same everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHORT = "a dog running on the beach"
SHOUTED = {
    "full": "A dog, running on the BEACH!",
    "lower": "A Dog running on the BEACH",
}
"""`SHORT` as SigLIP (lower case, no punctuation) and SigLIP 2 (lower case) must not tell from it."""

FILLERS = ("two apples", "rain at night", "a red umbrella")
"""Shorter than `SHORT`: sorted by length, none of the texts stays where it was."""

LONG_WORDS = 200
SIDE = 1001
"""Odd and larger than any usual input: a resize that skips pixels then meets a fine grain unevenly."""

GRAIN = 40
"""Grey levels that `grained` adds to one pixel and takes off the next; `scene` leaves room for them."""

_BODY = ("and", "then", "there", "is", "a", "picture", "of", "a", "small", "red", "house", "near", "water")


def long_captions() -> tuple[str, str, str]:
    """Make three captions of 200 words: one, one whose first words differ, one whose last words differ.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> a, b, c = (caption.split() for caption in long_captions())
    >>> {len(a), len(b), len(c)}, a[4:] == b[4:], a[:-4] == c[:-4]
    ({200}, True, True)
    """
    beach, food = ("a", "dog", "at", "night"), ("two", "apples", "and", "rain")
    middle = (_BODY * LONG_WORDS)[: LONG_WORDS - 8]

    def caption(head: tuple[str, ...], tail: tuple[str, ...]) -> str:
        return " ".join((*head, *middle, *tail))

    return caption(beach, food), caption(food, food), caption(beach, beach)


@cache
def _scene() -> NDArray[np.int64]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    pixels = np.stack([60 + 80 * y, 80 + 60 * x, 190 - 110 * y], axis=-1)
    pixels[(x - 0.75) ** 2 + (y - 0.25) ** 2 < 0.02] = (190, 170, 60)
    pixels[(abs(x - 0.35) < 0.2) & (y > 0.5) & (y < 0.9)] = (150, 70, 60)
    # networks are oversensitive where nothing is to be seen: a photograph is nowhere as flat as a drawing
    return pixels.astype(np.int64) + _blocks(SIDE, SIDE, size=23, levels=40) - 20


def _blocks(height: int, width: int, *, size: int, levels: int) -> NDArray[np.int64]:
    """Draw blocks of pseudo-random colours by integer arithmetic."""
    rows, columns = -(-height // size), -(-width // size)
    seeds = np.arange(1, rows * columns + 1, dtype=np.int64).reshape(rows, columns)
    colours = [seeds * p * (seeds + p) % 251 * levels // 251 for p in (7919, 104729, 1299709)]
    blocks = np.stack(colours, axis=-1).repeat(size, axis=0).repeat(size, axis=1)
    return blocks[:height, :width]


def scene() -> Image.Image:
    """Draw a sky, a sun and a house: large shapes, all channels different, no symmetry."""
    return Image.fromarray(_scene().astype(np.uint8))


def grained() -> Image.Image:
    """Draw `scene` with every second pixel lighter, the others darker.

    Resized with antialiasing it differs from `scene` by a grey level or two; a resize that skips pixels
    turns the grain into a false pattern.
    """
    place = np.arange(SIDE)
    grain = np.where((place[:, None] + place) % 2, GRAIN, -GRAIN)[..., None]
    return Image.fromarray((_scene() + grain).astype(np.uint8))


def noise() -> Image.Image:
    """Draw blocks of pseudo-random colours by integer arithmetic, 240 pixels wide and 320 high."""
    return Image.fromarray(_blocks(320, 240, size=20, levels=251).astype(np.uint8))


def company() -> list[Image.Image]:
    """Turn `noise` and `scene` over, so that a batch of eight has eight different pictures."""
    turn = Image.Transpose
    return [
        noise().transpose(turn.FLIP_LEFT_RIGHT),
        scene().transpose(turn.FLIP_LEFT_RIGHT),
        noise().transpose(turn.FLIP_TOP_BOTTOM),
        scene().transpose(turn.FLIP_TOP_BOTTOM),
        scene().transpose(turn.TRANSPOSE),
    ]
