"""Writing a file whole or not at all, by one process at a time."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from clipeval.errors import BaselineError
from clipeval.evaluation import default_cache
from clipeval.whole_file import replace_whole

PATIENCE = 60.0
"""Seconds to wait for another process that writes the same baseline."""


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the right to write a baseline and what lies beside it.

    The lock lies in the user's cache (or, where that cannot be written, in the folder for temporary files),
    not in the user's repository: removing a lock file after use would let two processes in. It holds between
    the processes of one user on one machine.

    Parameters
    ----------
    path : Path
        The file, links resolved.

    Raises
    ------
    BaselineError
        Another process held it for `PATIENCE` seconds; no place for the lock.

    Examples
    --------
    >>> with only_writer(Path("clip.json")):
    ...     pass
    """
    user = os.getuid() if hasattr(os, "getuid") else ""
    folders = (default_cache().folder.parent / "locks", Path(tempfile.gettempdir(), f"clipeval-locks-{user}"))
    for folder in folders:
        lock = FileLock(folder / f"{_key(path)}.lock", timeout=PATIENCE)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise BaselineError(
                f"another process has been writing this baseline for {PATIENCE:.0f} seconds",
                where=str(path),
                fix="wait for it to end and try again",
            ) from error
        except OSError:
            continue
        try:
            yield
        finally:
            lock.release()
        return
    raise BaselineError(
        "there is no folder for a lock file", where=str(folders[0]), fix="set CLIPEVAL_CACHE to one"
    )


def write_whole(path: Path, content: bytes, *, mode: int | None, owner: Path) -> None:
    """Write a file under a temporary name, make sure that it is on the disk, and rename it.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    content : bytes
        The whole file.
    mode : int or None
        Permissions; None for what a new file of this user gets.
    owner : Path
        The baseline that the file belongs to; its lock is held.

    Raises
    ------
    OSError
        The file that was there is as it was.
    """
    temporary = path.parent / f"{_prefix(owner)}{secrets.token_hex(8)}.part"
    replace_whole(path, [content], temporary=temporary, mode=mode, durable=True)


def remove_leftovers(owner: Path) -> None:
    """Remove what processes that were killed left of a baseline; its lock is held.

    Examples
    --------
    >>> remove_leftovers(Path("clip.json"))
    """
    for path in owner.parent.glob(f"{_prefix(owner)}*.part"):
        path.unlink(missing_ok=True)


def _prefix(owner: Path) -> str:
    return f".clipeval-{_key(owner)[:16]}-"


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
