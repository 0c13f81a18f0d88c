"""Small pictures for a page, so chosen that a page of twenty and one of a thousand both stay small."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from clipeval.data.dataset import Item, PictureSource
from clipeval.data.pictures import read_picture
from clipeval.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = ((60, 384), (300, 224), (1200, 128))
"""Up to so many pictures: so many pixels of the longer side."""

SMALLEST_SIDE = 96
BUDGET = 4_500_000
"""Bytes of all pictures together, before base64 adds a third."""

LARGEST = 60_000
"""Bytes of one picture, however few there are."""

QUALITIES = (80, 65, 50, 35, 20, 10)
"""Tried in this order until a picture is small enough."""


def thumbnails(items: Sequence[Item], shown: Iterable[int] | None = None) -> list[str | None]:
    """Make one small picture for each item that is shown.

    Pictures are decoded as for an encoder (`clipeval.data.pictures.decode_picture`): upright by their EXIF
    orientation, on white where they are transparent, and without any metadata, such as where they were taken.

    Parameters
    ----------
    items : sequence of Item
        With or without pictures.
    shown : iterable of int, optional
        Places of the items that a page shows; by default all.

    Returns
    -------
    list of str or None
        ``data:`` addresses; None where an item is not shown, has no picture, or one that cannot be decoded
        (where it had to be, for an encoder, the run has ended long before).

    Examples
    --------
    >>> thumbnails([Item("a", ("a cat",))])
    [None]
    """
    wanted = range(len(items)) if shown is None else list(shown)
    side = thumbnail_side(len(wanted))
    most = min(LARGEST, BUDGET // max(1, len(wanted)))
    found: list[str | None] = [None] * len(items)
    for at in wanted:
        found[at] = _address(items[at], side=side, most=most)
    return found


def thumbnail_side(count: int) -> int:
    """Give the longer side in pixels.

    Examples
    --------
    >>> thumbnail_side(20), thumbnail_side(1000), thumbnail_side(10_000)
    (384, 128, 96)
    """
    return next((side for most, side in SIDES if count <= most), SMALLEST_SIDE)


def _address(item: Item, *, side: int, most: int) -> str | None:
    if item.picture is None:
        return None
    try:
        return thumbnail(item.picture, side=side, most=most)
    except PictureError:
        return None


def thumbnail(source: PictureSource, *, side: int, most: int = LARGEST) -> str:
    """Make one small picture.

    Parameters
    ----------
    source : PictureSource
    side : int
        Pixels of the longer side.
    most : int
        Bytes that it may take.

    Returns
    -------
    str
        A ``data:`` address.

    Raises
    ------
    PictureError
        It cannot be decoded.
    """
    content = _small(read_picture(source), side=side, most=most)
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _small(picture: Image, *, side: int, most: int) -> bytes:
    from PIL import Image as Pillow

    picture.thumbnail((side, side), Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    content = b""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=4)
        content = buffer.getvalue()
        if len(content) <= most:
            break
    return content
