"""Files of a store: under their name they are whole, on the disk and not only in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PART = ".part"


def write_whole(path: Path, parts: Iterable[bytes]) -> str:
    """Write a file under a temporary name, let it reach the disk, and rename it.

    The temporary name is the same each time: only one job writes, and what a killed one left is overwritten.

    Parameters
    ----------
    path : Path
        Its folder exists.
    parts : iterable of bytes
        The content, one after the other.

    Returns
    -------
    str
        SHA-256 of the content, hexadecimal.
    """
    temporary = path.with_name(path.name + PART)
    digest = hashlib.sha256()
    try:
        with temporary.open("wb") as stream:
            for part in parts:
                stream.write(part)
                digest.update(part)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return digest.hexdigest()


def remove_parts(folder: Path) -> None:
    """Remove what a killed job left half-written."""
    for path in folder.glob(f"*{PART}"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # some systems cannot open a folder, or not sync it; the rename is then as safe as they make it
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
