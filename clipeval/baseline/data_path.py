"""Where the data are, as a baseline file says it: the same words on every checkout, from every folder."""

from __future__ import annotations

import os
from pathlib import Path

from clipeval.data.address import shown
from clipeval.data.load import NAMES

BESIDE = (".", "..")
"""First part of a stored path that starts at the baseline's folder; a name has none."""


def data_as_stored(data: str, *, file: Path) -> str:
    """Say where the data are, seen from a baseline file.

    No folder of the user's machine is published without need: a path is written relative to the file's
    folder where both lie in one repository, or below one folder that is neither the root of the file system
    nor above the user's home. Where they do not, an absolute path stays as it was typed, and of a relative
    one the last name is kept (the next check needs ``--data``).

    Parameters
    ----------
    data : str
        As the user named it: a name, or a path from the working folder.
    file : Path
        The baseline file; it need not exist.

    Returns
    -------
    str
        A name as it is; an address without its credentials; a relative path with forward slashes that begins
        with ``./`` or ``../``; an absolute path; or a last name.

    Examples
    --------
    >>> data_as_stored("embedded", file=Path("baselines/clip.json"))
    'embedded'
    >>> data_as_stored("./photos", file=Path("baselines/clip.json"))
    '../photos'
    """
    if not _is_path(data):
        return shown(data)
    folder = _folder(file)
    typed = Path(os.path.abspath(data))  # noqa: PTH100  (resolve() would publish where links lead)
    # the second one for a folder that was reached through a link, as /tmp and homes are on some systems
    for place in (typed, Path(os.path.realpath(typed.parent)) / typed.name):
        if _may_show(folder, place):
            way = Path(os.path.relpath(place, folder)).as_posix()
            return way if way.split("/")[0] in BESIDE else f"./{way}"
    return data if Path(data).is_absolute() else typed.name


def data_as_found(stored: str, *, file: Path) -> str:
    """Turn what a baseline file says into what `clipeval.data.load_dataset` understands here.

    Parameters
    ----------
    stored : str
        From `data_as_stored`.
    file : Path
        The baseline file.

    Returns
    -------
    str
        A path from the working folder where the data lie below it, else an absolute one; a name or an
        absolute path as it is.

    Examples
    --------
    >>> data_as_found("../photos", file=Path("baselines/clip.json"))
    'photos'
    """
    if stored.split("/")[0] not in BESIDE:
        return stored
    found = Path(os.path.normpath(_folder(file) / stored))
    here = Path.cwd()
    if not found.is_relative_to(here):
        return str(found)
    near = str(found.relative_to(here))
    return f".{os.sep}{near}" if near in NAMES else near


def _is_path(data: str) -> bool:
    if data in NAMES or "://" in data or not data:
        return False
    path = Path(data)
    if path.is_absolute() or path.parts[:1] in {(), ("..",)} or data.startswith("."):
        return True
    # a pattern names files that are there, but is none itself; a name of a hub has no folder here
    return os.path.lexists(data) or any(mark in path.name for mark in "*?{[")


def _folder(file: Path) -> Path:
    return Path(os.path.realpath(file)).parent


def _may_show(folder: Path, place: Path) -> bool:
    try:
        common = Path(os.path.commonpath([folder, place]))
    except ValueError:  # two drives of Windows
        return False
    if any((above / ".git").exists() for above in (common, *common.parents)):
        return True
    if common == Path(common.anchor):
        return False
    known = os.path.expanduser("~")  # noqa: PTH111  (Path.home() raises for a user without one)
    home = Path(os.path.realpath(known))
    return known == "~" or common == home or not home.is_relative_to(common)
