"""Files of a store: under their name they are whole, on the disk and not only in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from clipeval.whole_file import replace_whole

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
    digest = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for part in parts:
            digest.update(part)
            yield part

    replace_whole(path, hashed(), temporary=path.with_name(path.name + PART), durable=True)
    return digest.hexdigest()


def remove_parts(folder: Path) -> None:
    """Remove what a killed job left half-written."""
    for path in folder.glob(f"*{PART}"):
        path.unlink(missing_ok=True)
