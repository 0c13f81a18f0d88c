"""Text files of a dataset: plain files only, read whole, decoded with errors that name the line."""

from __future__ import annotations

from clipeval.data.remote_path import AnyPath
from clipeval.errors import DatasetError


def check_plain(path: AnyPath) -> None:
    """Refuse what is there but is no plain file: reading a pipe or a device may never end.

    Parameters
    ----------
    path : Path or RemotePath
        A file that somebody named; one that is absent is left to whoever opens it.

    Raises
    ------
    DatasetError
        An impossible name, a folder, a pipe, a device or a socket.

    Examples
    --------
    >>> from pathlib import Path
    >>> check_plain(Path("."))
    Traceback (most recent call last):
    clipeval.errors.DatasetError: this is not a plain file
      where: .
      to do: name a file; what comes through a pipe must be saved first
    """
    try:
        there = path.exists()
    except OSError as error:  # for example a name longer than the file system allows
        raise DatasetError(
            f"the path cannot be looked up: {error.strerror}", where=str(path)[:200], fix="check the path"
        ) from error
    if there and not path.is_file():
        raise DatasetError(
            "this is not a plain file",
            where=str(path),
            fix="name a file; what comes through a pipe must be saved first",
        )


def read_plain(path: AnyPath) -> bytes:
    """Read a whole file.

    Parameters
    ----------
    path : Path or RemotePath
        A plain file.

    Returns
    -------
    bytes

    Raises
    ------
    DatasetError
        It is missing, may not be read, or is no plain file.

    Examples
    --------
    >>> from pathlib import Path
    >>> read_plain(Path("nowhere.csv"))
    Traceback (most recent call last):
    clipeval.errors.DatasetError: the file cannot be read: No such file or directory
      where: nowhere.csv
      to do: check the path
    """
    check_plain(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"the file cannot be read: {error.strerror}", where=str(path), fix="check the path"
        ) from error


def decode_utf8(data: bytes, *, where: str) -> str:
    r"""Decode UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    data : bytes
        A whole text.
    where : str
        What an error calls it.

    Returns
    -------
    str

    Raises
    ------
    DatasetError
        Other bytes; names the line, counted from 1.

    Examples
    --------
    >>> decode_utf8(b"a cat\nun caf\xe9", where="1.txt")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: the text is not UTF-8
      where: 1.txt, line 2
      to do: save it as UTF-8 (spreadsheets call it "CSV UTF-8")
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            "the text is not UTF-8",
            where=f"{where}, line {line}",
            fix='save it as UTF-8 (spreadsheets call it "CSV UTF-8")',
        ) from error
