"""Picture sources for files and for spans of files; bytes are read only when asked for."""

from __future__ import annotations

from dataclasses import dataclass

from clipeval.data.dataset import PictureSource
from clipeval.data.remote_path import AnyPath, RemotePath
from clipeval.errors import PictureError

MAX_BYTES = 256 * 2**20
"""No picture that passes the pixel limit needs a larger file."""


def file_source(path: AnyPath, *, where: str) -> PictureSource:
    """Name a file as the source of a picture.

    Parameters
    ----------
    path : Path or RemotePath
        The file.
    where : str
        What an error message calls it.

    Returns
    -------
    PictureSource
        Reading raises PictureError if the file is larger than `MAX_BYTES`, OSError if it cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> file_source(Path("1.jpg"), where="1.jpg (captions.csv, line 2)").where
    '1.jpg (captions.csv, line 2)'
    """
    size = path.listed_size() if isinstance(path, RemotePath) else None
    return PictureSource(where, _File(path, where, size))


def span_source(path: AnyPath, *, offset: int, size: int, where: str) -> PictureSource:
    """Name a span of a file (a member of an archive) as the source of a picture.

    Parameters
    ----------
    path : Path or RemotePath
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
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     archive = Path(folder, "archive")
    ...     _ = archive.write_bytes(b"..picture..")
    ...     span_source(archive, offset=2, size=7, where="archive: a.jpg").read()
    b'picture'
    """
    return PictureSource(where, _Span(path, offset, size, where))


# objects, not closures: a source is sent to other processes by name and place, without the picture


@dataclass(frozen=True, slots=True)
class _File:
    path: AnyPath
    where: str
    size: int | None = None  # where it was listed: not to be asked for once more

    def __call__(self) -> bytes:
        _check_size(self.path.stat().st_size if self.size is None else self.size, where=self.where)
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class _Span:
    path: AnyPath
    offset: int
    size: int
    where: str

    def __call__(self) -> bytes:
        _check_size(self.size, where=self.where)
        if isinstance(self.path, RemotePath):
            data = self.path.read_span(self.offset, self.size)
        else:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        if len(data) != self.size:
            raise PictureError(
                "the archive ends inside this picture",
                where=self.where,
                fix="it changed while it was in use: load the dataset again",
            )
        return data


def _check_size(size: int, *, where: str) -> None:
    if size > MAX_BYTES:
        raise PictureError(
            f"the picture file is too large: {size} bytes, the limit is {MAX_BYTES}",
            where=where,
            fix="resize the picture first",
        )
