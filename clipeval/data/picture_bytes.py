"""The encoded bytes of a picture, read with an error that names it."""

from __future__ import annotations

import hashlib

from clipeval.data.dataset import PictureSource
from clipeval.errors import PictureError


def picture_bytes(source: PictureSource, *, sha256: str | None = None) -> bytes:
    """Read the encoded bytes of a picture.

    Parameters
    ----------
    source : PictureSource
        Where they are.
    sha256 : str, optional
        What they hashed to (hexadecimal) when the dataset was first read.

    Returns
    -------
    bytes

    Raises
    ------
    PictureError
        They cannot be read, or are no longer those that were hashed.

    Examples
    --------
    >>> picture_bytes(PictureSource("cat.jpg, row 3", lambda: b"other bytes"), sha256="85a0aaf3")
    Traceback (most recent call last):
    clipeval.errors.PictureError: the picture is not the one that was there before
      where: cat.jpg, row 3
      to do: it changed while it was in use: load the dataset again
    """
    try:
        data = source.read()
    except OSError as error:
        raise PictureError(
            f"the picture cannot be read: {error.strerror or error}",
            where=source.where,
            fix="check that the file is still there and readable",
        ) from error
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise PictureError(
            "the picture is not the one that was there before",
            where=source.where,
            fix="it changed while it was in use: load the dataset again",
        )
    return data
