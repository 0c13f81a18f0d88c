"""Files that are there whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def replace_whole(
    path: Path,
    parts: Iterable[bytes],
    *,
    temporary: Path | None = None,
    mode: int | None = None,
    durable: bool = False,
) -> None:
    """Write a file under a temporary name and rename it; what was there stays until then.

    Parameters
    ----------
    path : Path
        Its folder exists.
    parts : iterable of bytes
        The content, one after the other.
    temporary : Path, optional
        Of the same folder, overwritten if there; by default a name that no other process takes.
    mode : int, optional
        Permissions; by default what a new file of this user gets.
    durable : bool
        Whether the content and the name have to be on the disk, not only in memory.

    Raises
    ------
    OSError
        It cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_whole(Path(folder, "a.txt"), [b"one ", b"two"])
    ...     Path(folder, "a.txt").read_text(), len(list(Path(folder).iterdir()))
    ('one two', 1)
    """
    place = temporary or path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with place.open("wb" if temporary else "xb") as stream:
            for part in parts:
                stream.write(part)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        if mode is not None:
            place.chmod(mode)
        place.replace(path)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # some systems cannot open a folder, or not sync it; the rename is then as safe as they make it
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
