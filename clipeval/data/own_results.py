"""Results that clipeval itself wrote into a dataset's folder: they are no part of the data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

REPORTS = ("comparison.json", "claims.json")
"""What a results folder is known by, if the document says so itself."""

_BESIDE = frozenset({*REPORTS, "comparison.png", "scores.png", "claims.md"})
_OF_A_MODEL = ("embeddings.safetensors", "queries.csv")


def is_report(path: Path) -> bool:
    """Say whether a file is a document that clipeval wrote: its top level has the key ``clipeval``.

    Parameters
    ----------
    path : Path
        Any file; another name than ``comparison.json`` or ``claims.json`` is not opened.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_report(Path("metadata.json"))
    False
    """
    if path.name not in REPORTS or not path.is_file():
        return False
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "clipeval" in document


def holds_results(folder: Path) -> bool:
    """Say whether clipeval wrote its results into a folder.

    Examples
    --------
    >>> holds_results(Path("."))
    False
    """
    return any(is_report(folder / name) for name in REPORTS)


def data_files(root: Path) -> Iterator[Path]:
    """List the plain files in a folder and its sub-folders that may belong to a dataset.

    Left out are hidden files and folders, those that macOS adds to archives, folders with results of
    clipeval, and, where results were written into ``root`` itself, these files alone. Links to folders are
    not followed.

    Parameters
    ----------
    root : Path
        The dataset folder.

    Yields
    ------
    Path
        Below ``root``, in no order.
    """
    mixed = holds_results(root)
    for place, folders, files in os.walk(root):
        here = Path(place)
        is_root = here == root
        folders[:] = [
            name
            for name in folders
            if not _hidden(name)
            and not holds_results(here / name)
            and not (is_root and mixed and all((here / name / file).is_file() for file in _OF_A_MODEL))
        ]
        for name in files:
            if not _hidden(name) and not (is_root and mixed and name in _BESIDE) and (here / name).is_file():
                yield here / name


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))
