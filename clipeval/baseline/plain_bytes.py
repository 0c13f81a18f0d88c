"""The bytes of a plain file, or an error that says what is there instead."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from clipeval.errors import BaselineError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def plain_file(path: Path) -> os.stat_result | None:
    """Look a file up without opening it: reading a pipe or a device may never end.

    Parameters
    ----------
    path : Path
        Links are followed.

    Returns
    -------
    stat_result or None
        None where nothing is.

    Raises
    ------
    BaselineError
        A folder, a pipe, a device; a link to nowhere or in a circle; a folder that may not be looked into.

    Examples
    --------
    >>> plain_file(Path("."))
    Traceback (most recent call last):
    clipeval.errors.BaselineError: this is a folder, not a file
      where: .
      to do: name a JSON file
    """
    shown = _shown(path)
    try:
        found = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise BaselineError(
                "the link leads nowhere", where=shown, fix="remove it, or name another file"
            ) from error
        return None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        why = getattr(error, "strerror", None) or str(error)
        raise BaselineError(
            f"the file cannot be looked up: {why}", where=shown, fix="check the path"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise BaselineError(f"this is {kind}, not a file", where=shown, fix="name a JSON file")
    return found


def read_bytes(path: Path, *, limit: int) -> bytes | None:
    """Read a whole file, up to a limit.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Most bytes that are accepted; a larger file is not read.

    Returns
    -------
    bytes or None
        None where nothing is.

    Raises
    ------
    BaselineError
        As `plain_file`; too large; no permission.

    Examples
    --------
    >>> read_bytes(Path("nowhere.json"), limit=10) is None
    True
    """
    found = plain_file(path)
    if found is None:
        return None
    content = b""
    if found.st_size <= limit:
        try:
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BaselineError(
                f"the file cannot be read: {error.strerror or error}",
                where=_shown(path),
                fix="check its permissions",
            ) from error
    if max(found.st_size, len(content)) > limit:
        raise BaselineError(
            f"the file is too large: {found.st_size / 1e6:,.0f} MB, the limit is {limit / 1e6:,.0f} MB",
            where=_shown(path),
            fix="name a baseline; a dataset so large is better compared on a part of it",
        )
    return content


def _shown(path: Path) -> str:
    name = str(path)
    return name if len(name) <= 200 else f"{name[:200]}…"
