"""No path that a dataset names may leave the dataset's folder."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from clipeval.data.remote_path import AnyPath, RemotePath
from clipeval.errors import DatasetError


def relative_name(text: str, *, where: str) -> str:
    r"""Check a path written in a dataset and return it in one spelling.

    Parameters
    ----------
    text : str
        Relative to the dataset folder; backslashes (Windows) and a leading ``./`` are accepted.
    where : str
        File and row that named it.

    Returns
    -------
    str
        With forward slashes, without ``.`` parts.

    Raises
    ------
    DatasetError
        Empty, absolute, with a drive, with ``..`` or with a NUL character.

    Examples
    --------
    >>> relative_name(".\\beach\\1.jpg", where="captions.csv, line 2")
    'beach/1.jpg'
    >>> relative_name("../secret.jpg", where="captions.csv, line 3")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: the path '../secret.jpg' leaves the dataset folder
      where: captions.csv, line 3
      to do: put the picture inside the dataset folder and write its path relative to it
    """
    path = PurePosixPath(text.strip().replace("\\", "/"))
    if "\0" in text or not path.parts:
        raise DatasetError(f"{text!r} is not a file name", where=where, fix="write the picture's file name")
    if path.is_absolute() or PureWindowsPath(path).drive or ".." in path.parts:
        raise _outside(text, where=where)
    return str(path)


def file_inside(root: AnyPath, name: str, *, where: str) -> AnyPath | None:
    """Find a file of the dataset, following links only as far as the dataset folder reaches.

    Parameters
    ----------
    root : Path or RemotePath
        The dataset folder.
    name : str
        Checked by `relative_name`.
    where : str
        File and row that named it.

    Returns
    -------
    Path or RemotePath or None
        None where there is no such regular file.

    Raises
    ------
    DatasetError
        A symbolic link leads out of the folder.
    """
    if isinstance(root, RemotePath):
        member = root / name
        return member if member.is_member() else None
    path = root / name
    try:
        if not path.is_file():
            return None
    except OSError as error:  # for example a name longer than the file system allows
        raise DatasetError(
            f"'{name}' cannot be looked up: {error.strerror}", where=where, fix="check the path"
        ) from error
    if not path.resolve().is_relative_to(root.resolve()):
        raise _outside(name, where=where)
    return path


def _outside(name: str, *, where: str) -> DatasetError:
    return DatasetError(
        f"the path '{name}' leaves the dataset folder",
        where=where,
        fix="put the picture inside the dataset folder and write its path relative to it",
    )
