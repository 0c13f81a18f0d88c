"""Results that clipeval itself wrote into a dataset's folder: they are no part of the data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from clipeval.data.remote_path import AnyPath, RemotePath, way_to

REPORTS = {
    "comparison.json": frozenset[str](),
    "claims.json": frozenset({"claims.md", "report.html"}),
    "study.json": frozenset[str](),
    "classification.json": frozenset[str](),
    "contest.json": frozenset[str](),
}
"""Documents that a results folder is known by, with what lies beside them unlisted."""

BASELINE = b'"format": "clipeval baseline"'
"""Stands at the beginning of every baseline (`clipeval.baseline.document`), whatever its name."""


def is_report(path: AnyPath) -> bool:
    """Say whether a file is a document that clipeval wrote.

    Parameters
    ----------
    path : Path or RemotePath
        Any JSON file. Reports are known by their names and the key ``clipeval``; of a file with another name
        only the beginning is read, which tells a baseline.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_report(Path("metadata.json"))
    False
    """
    return _document(path) is not None or _is_baseline(path)


def own_files(folder: AnyPath) -> frozenset[str]:
    """Name the files in a folder that clipeval wrote as results.

    Parameters
    ----------
    folder : Path or RemotePath
        Any folder.

    Returns
    -------
    frozenset of str
        Paths relative to ``folder``: its reports and what they list under ``files``; nothing where there is
        no report.

    Examples
    --------
    >>> own_files(Path("no such folder"))
    frozenset()
    """
    found: set[str] = set()
    for name, beside in REPORTS.items():
        document = _document(folder / name)
        if document is not None:
            listed = document.get("files")
            found |= {name, *beside, *(str(file) for file in (listed if isinstance(listed, list) else ()))}
    return frozenset(found)


def data_files(root: AnyPath) -> Iterator[AnyPath]:
    """List the plain files in a folder and its sub-folders that may belong to a dataset.

    Left out are hidden files and folders, those that macOS adds to archives, sub-folders with results of
    clipeval, and, where results were written into ``root`` itself, these files alone. Links to folders are
    not followed.

    Parameters
    ----------
    root : Path or RemotePath
        The dataset folder.

    Yields
    ------
    Path or RemotePath
        Below ``root``, in no order.
    """
    own = own_files(root)
    for here, folders, files in _walk(root):
        folders[:] = [name for name in folders if not _hidden(name) and not own_files(here / name)]
        for name in files:
            path = here / name
            if not _hidden(name) and path.is_file() and way_to(path, root) not in own:
                yield path


def _walk(root: AnyPath) -> Iterator[tuple[AnyPath, list[str], list[str]]]:
    if isinstance(root, RemotePath):
        yield from root.walk()
        return
    for here, folders, files in os.walk(root):
        yield Path(here), folders, files


def _document(path: AnyPath) -> dict[str, object] | None:
    if path.name not in REPORTS or not path.is_file():
        return None
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "clipeval" in document else None


def _is_baseline(path: AnyPath) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return BASELINE in stream.read(200)
    except OSError:
        return False


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))
