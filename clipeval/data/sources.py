"""Picture sources for files and for spans of files; bytes are read only when asked for."""

from __future__ import annotations

from pathlib import Path

from clipeval.data.dataset import PictureSource
from clipeval.errors import PictureError

MAX_BYTES = 256 * 2**20
"""No picture that passes the pixel limit needs a larger file."""


def file_source(path: Path, *, where: str) -> PictureSource:
    """Name a file as the source of a picture.

    Parameters
    ----------
    path : Path
        The file.
    where : str
        What an error message calls it.

    Returns
    -------
    PictureSource
        Reading raises PictureError if the file is larger than `MAX_BYTES`, OSError if it cannot be read.

    Examples
    --------
    >>> file_source(Path("1.jpg"), where="1.jpg (captions.csv, line 2)").where
    '1.jpg (captions.csv, line 2)'
    """

    def read() -> bytes:
        _check_size(path.stat().st_size, where=where)
        return path.read_bytes()

    return PictureSource(where, read)


def span_source(path: Path, *, offset: int, size: int, where: str) -> PictureSource:
    """Name a span of a file (a member of an archive) as the source of a picture.

    Parameters
    ----------
    path : Path
        The archive.
    offset, size : int
        Position and length in bytes.
    where : str
        What an error message calls it.

    Returns
    -------
    PictureSource
        Nothing is opened before it is read.

    Raises
    ------
    PictureError
        On reading: the span is larger than `MAX_BYTES`, or the archive has become shorter since.
    OSError
        On reading: the archive is gone.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     archive = Path(folder, "archive")
    ...     _ = archive.write_bytes(b"..picture..")
    ...     span_source(archive, offset=2, size=7, where="archive: a.jpg").read()
    b'picture'
    """

    def read() -> bytes:
        _check_size(size, where=where)
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise PictureError(
                "the archive ends inside this picture",
                where=where,
                fix="it changed while it was in use: load the dataset again",
            )
        return data

    return PictureSource(where, read)


def _check_size(size: int, *, where: str) -> None:
    if size > MAX_BYTES:
        raise PictureError(
            f"the picture file is too large: {size} bytes, the limit is {MAX_BYTES}",
            where=where,
            fix="resize the picture first",
        )
