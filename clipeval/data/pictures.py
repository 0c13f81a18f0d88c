"""The one place where encoded pictures become RGB pixels, and where bad files are refused."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from clipeval.data.dataset import PictureSource
from clipeval.data.picture_bytes import picture_bytes
from clipeval.data.picture_ends import is_complete
from clipeval.errors import PictureError

ACCEPTED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 89_478_485
"""Pillow's own threshold for a decompression bomb: 256 MiB of RGB."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_CONVERTIBLE = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
)
_LOOKS_LIKE = (
    (b"version https://git-lfs", "a Git LFS pointer: run 'git lfs pull'"),
    (b"<!doctype html", "a web page, probably a failed download: fetch the picture again"),
    (b"<html", "a web page, probably a failed download: fetch the picture again"),
    (b"<svg", "an SVG drawing: render it to PNG first"),
    (b"<?xml", "XML, perhaps an SVG drawing: render it to PNG first"),
    (b"%pdf", "a PDF: render it to PNG first"),
)


def decode_picture(data: bytes, *, where: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode one picture to upright 8-bit RGB, completely or not at all.

    What happens to each kind of file:

    ============================  ==============================================================
    EXIF (and TIFF) orientation   applied, then forgotten; unreadable EXIF counts as upright
    1-bit, greyscale              the grey value in all three channels
    16 bits per channel           the high byte of each channel, in grey as in colour (Pillow's
                                  own conversion of 16-bit grey clips everything above 255)
    palette                       looked up
    alpha, transparent colour     composited on white
    CMYK, YCbCr, HSV              Pillow's conversion; Adobe's inverted CMYK JPEGs come out right
    animation, several pages      the first frame
    colour profile (ICC)          ignored, as the preprocessing of the published CLIP models does
    32-bit integer or float, LAB  refused: there is no agreed range or conversion
    ============================  ==============================================================

    Parameters
    ----------
    data : bytes
        The encoded file: JPEG, PNG, GIF, WEBP, BMP or TIFF. No other decoder is ever tried.
    where : str
        What an error calls the picture.
    max_pixels : int, optional
        Width times height above which the picture is refused from its header, before any pixel is decoded.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGB``, without metadata.

    Raises
    ------
    PictureError
        Empty, not a picture, a format that is not accepted, oversized, truncated or corrupt (also where
        another library has set Pillow's ``LOAD_TRUNCATED_IMAGES``), or pixels of an unsupported kind.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("L", (3, 2), 7).save(file, "PNG")
    >>> picture = decode_picture(file.getvalue(), where="grey.png")
    >>> picture.mode, picture.size, picture.getpixel((0, 0))
    ('RGB', (3, 2), (7, 7, 7))
    """
    if not data:
        raise PictureError("the picture file is empty", where=where, fix="fetch it again or remove its row")
    with _own_limits():
        try:
            opened = Image.open(io.BytesIO(data), formats=ACCEPTED_FORMATS)
        except UnidentifiedImageError:
            raise PictureError(
                "this is not a picture of an accepted format", where=where, fix=_advice(data)
            ) from None
        except Exception as error:  # Pillow's readers raise whatever a broken header leads them to
            raise _corrupt(error, where=where) from error
        with opened:
            width, height = opened.size
            if width * height > max_pixels:
                raise PictureError(
                    f"the picture is too large: {width} x {height} pixels, the limit is {max_pixels:,}",
                    where=where,
                    fix="resize the file first",
                )
            try:
                opened.load()
            except Exception as error:  # see above
                raise _corrupt(error, where=where) from error
            if not is_complete(data, kind=str(opened.format)):
                raise _corrupt("its end is missing", where=where)
            return _rgb(_upright(_eight_bits(opened, where=where)))


def read_picture(
    source: PictureSource, *, max_pixels: int = MAX_PIXELS, sha256: str | None = None
) -> Image.Image:
    """Read and decode the picture of an item.

    Parameters
    ----------
    source : PictureSource
        Where its bytes are.
    max_pixels : int, optional
        See `decode_picture`.
    sha256 : str, optional
        Of the bytes, where they were hashed before (`clipeval.data.content.picture_hash`).

    Returns
    -------
    PIL.Image.Image
        Mode ``RGB``; see `decode_picture`.

    Raises
    ------
    PictureError
        The bytes cannot be read, cannot be decoded, or are others than those that were hashed.

    Examples
    --------
    >>> read_picture(PictureSource("cat.jpg, row 3", bytes))
    Traceback (most recent call last):
    clipeval.errors.PictureError: the picture file is empty
      where: cat.jpg, row 3
      to do: fetch it again or remove its row
    """
    return decode_picture(picture_bytes(source, sha256=sha256), where=source.where, max_pixels=max_pixels)


def _eight_bits(opened: Image.Image, *, where: str) -> Image.Image:
    # Pillow before 11.1 opens 16-bit grey PNGs as 32-bit "I"; elsewhere "I" has no agreed range
    sixteen = opened.mode in {"I;16", "I;16B", "I;16L", "I;16N"} or (
        opened.mode == "I" and opened.format == "PNG"
    )
    bits = getattr(opened, "tag_v2", {}).get(258, (16,))  # TIFF BitsPerSample
    if sixteen and bits == (16,):
        values = np.asarray(opened).astype(np.uint16)
        grey = Image.fromarray((values >> 8).astype(np.uint8))
        transparent = opened.info.get("transparency")
        if isinstance(transparent, int):
            grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
        grey.info.update({"exif": opened.info["exif"]} if "exif" in opened.info else {})
        return grey
    if opened.mode not in _CONVERTIBLE:
        raise PictureError(
            f"pixels of kind '{opened.mode}' have no agreed conversion to 8-bit RGB",
            where=where,
            fix="save the picture with 8 or 16 bits per channel, in grey or RGB",
        )
    return opened


def _upright(picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG)
    except Exception:  # a broken EXIF block says nothing about the pixels
        orientation = None
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    # a picture apart from its file, on the same pixels where they are RGB already (convert would copy them)
    plain = picture._new(picture.im) if picture.mode == "RGB" else picture.convert("RGB")
    plain.info.clear()  # an orientation left behind would be applied again by the next library
    return plain


def _corrupt(error: Exception | str, *, where: str) -> PictureError:
    return PictureError(
        f"the picture is truncated or corrupt ({error})", where=where, fix="fetch it again or remove its row"
    )


def _advice(data: bytes) -> str:
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, advice in _LOOKS_LIKE:
        if start.startswith(beginning):
            return f"this looks like {advice}"
    return f"convert it to one of {', '.join(ACCEPTED_FORMATS)}"


_settings_lock = threading.Lock()
_users = 0
_settings_before: tuple[bool, int | None] = (False, None)


@contextmanager
def _own_limits() -> Iterator[None]:
    # Training scripts set LOAD_TRUNCATED_IMAGES; half a picture would then be measured as a whole one.
    # Pillow's own pixel limit only warns, on stderr, where ours refuses: it is off while ours is on.
    # Counting the users lets several threads decode at once and restores both after the last.
    global _users, _settings_before
    with _settings_lock:
        if _users == 0:
            _settings_before = (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS)
            ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, None
        _users += 1
    try:
        yield
    finally:
        with _settings_lock:
            _users -= 1
            if _users == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = _settings_before
