"""Files of an earlier run, found by its own list, so that they are not taken for those of this one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

# FILE or FOLDER/FILE of names that a run gives: no "..", no drive, no hidden file
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:/[a-z][a-z0-9-]*\.[a-z]+)?")


def listed_files(document: Path, *, known: Collection[str]) -> tuple[str, ...]:
    """Read which files an earlier comparison says it wrote.

    Parameters
    ----------
    document : Path
        Its ``comparison.json``; one that is absent, or not such a document, lists nothing.
    known : collection of str
        File names that a comparison can write; others are not believed.

    Returns
    -------
    tuple of str
        Relative names, inside the document's folder.
    """
    try:
        found = json.loads(document.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ()
    names = found.get("files") if isinstance(found, dict) and "clipeval" in found else None
    if not isinstance(names, list):
        return ()
    return tuple(
        name
        for name in names
        if isinstance(name, str) and _NAME.fullmatch(name) and name.rpartition("/")[2] in known
    )


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder, and the folders of theirs that are empty then.

    Links, and files behind a linked folder, are left alone.

    Parameters
    ----------
    folder : Path
        Of a comparison.
    names : iterable of str
        From `listed_files`.
    """
    for name in sorted(names):
        place = folder / name
        inside = place.parent == folder or not place.parent.is_symlink()
        if inside and place.is_file() and not place.is_symlink():
            place.unlink(missing_ok=True)
            if place.parent != folder:
                with suppress(OSError):  # it holds something else
                    place.parent.rmdir()
