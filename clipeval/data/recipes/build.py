"""From a package to a folder that ``--data`` reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clipeval.data.pictures import read_picture
from clipeval.data.recipes.drawings import Drawing, openclipart, tuxpaint
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError, NotAvailableError, PictureError, near

EDGE = 256
"""Longest edge of the pictures that are kept."""


@dataclass(frozen=True)
class Recipe:
    """Where a dataset comes from.

    Attributes
    ----------
    package : str
        Name of a Debian package.
    licence : str
    notes : str
        For ``LICENCES.md``.
    drawings : callable
        From the folder of the unpacked package to its pictures.
    """

    package: str
    licence: str
    notes: str
    drawings: Callable[[Path], Iterator[Drawing]]


@dataclass(frozen=True)
class Built:
    """What was built.

    Attributes
    ----------
    items, categories : int
    said : str
        What was left out, in words.
    """

    items: int
    categories: int
    said: str


RECIPES = {
    "openclipart": Recipe(
        "openclipart-png",
        "public domain (Creative Commons Public Domain Dedication)",
        "Drawings of the Open Clip Art Library, from Debian's package openclipart-png. Its file 'copyright' "
        "places all of them in the public domain.",
        openclipart,
    ),
    "tuxpaint": Recipe(
        "tuxpaint-stamps-default",
        "GPL-2: for tests on your machine; who passes it on owes the licence's terms",
        "Stamps of Tux Paint, from Debian's package tuxpaint-stamps-default, copyright Bill Kendrick and "
        "others, GNU General Public License version 2.",
        tuxpaint,
    ),
}


def build(name: str, folder: Path, *, package: Path | None = None) -> Built:
    """Build a dataset.

    Parameters
    ----------
    name : str
        A key of `RECIPES`.
    folder : Path
        Must not exist.
    package : Path, optional
        The ``.deb``; by default ``apt-get download`` fetches it.

    Returns
    -------
    Built

    Raises
    ------
    NotAvailableError
        The package cannot be fetched or unpacked here; the text says how to get it.
    DatasetError
        An unknown name, a folder that exists, or a package without pictures.

    Examples
    --------
    >>> build("openclip", Path("somewhere"))
    Traceback (most recent call last):
    clipeval.errors.DatasetError: there is no recipe 'openclip'
      to do: did you mean 'openclipart'?
    """
    if name not in RECIPES:
        raise DatasetError(f"there is no recipe '{name}'", fix=near(name, RECIPES))
    if folder.exists():
        raise DatasetError("the folder exists already", where=str(folder), fix="name a new one")
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory(prefix="clipeval-recipe-") as scratch:
        unpacked = Path(scratch, "unpacked")
        _unpack(package or _fetch(recipe, Path(scratch)), unpacked, recipe)
        # built beside its place and moved there whole
        made = folder.parent / f".{folder.name}.part"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        try:
            built = _write(recipe, list(recipe.drawings(unpacked)), made)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return built


def _write(recipe: Recipe, drawings: list[Drawing], folder: Path) -> Built:
    rows, broken = [], 0
    for number, drawing in enumerate(drawings):
        try:
            picture = read_picture(file_source(drawing.path, where=drawing.path.name))
        except PictureError:
            broken += 1  # damaged, or of more pixels than are decoded safely
            continue
        picture.thumbnail((EDGE, EDGE))
        name = f"{drawing.category}/{number:05}.png"
        (folder / drawing.category).mkdir(exist_ok=True)
        picture.save(folder / name)
        rows.append({"image": name, "caption": drawing.caption, "category": drawing.category})
    if not rows:
        raise DatasetError("the package holds no pictures with captions", where=recipe.package)
    (folder / "metadata.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / "LICENCES.md").write_text(
        f"# Licence\n\n{recipe.notes}\n\nPictures were made smaller (longest edge {EDGE}), on white.\n",
        encoding="utf-8",
    )
    return Built(
        len(rows),
        len({row["category"] for row in rows}),
        f"{broken} pictures that could not be decoded safely; all without a caption of their own",
    )


def _fetch(recipe: Recipe, scratch: Path) -> Path:
    by_hand = f"on a Debian machine: apt-get download {recipe.package}; then --package FILE.deb"
    if shutil.which("apt-get") is None:
        raise NotAvailableError("there is no apt-get on this machine", where=recipe.package, fix=by_hand)
    command = ["apt-get", "download", "-qq", recipe.package]
    run = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)  # noqa: S603
    found = sorted(scratch.glob("*.deb"))
    if run.returncode or not found:
        last = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotAvailableError(f"apt-get could not fetch it: {last}", where=recipe.package, fix=by_hand)
    return found[0]


def _unpack(package: Path, target: Path, recipe: Recipe) -> None:
    if not package.is_file():
        raise NotAvailableError("there is no such file", where=str(package), fix="name the .deb")
    tool = shutil.which("dpkg-deb")
    if tool is None:
        raise NotAvailableError(
            "there is no dpkg-deb on this machine", where=recipe.package, fix="install the package 'dpkg'"
        )
    run = subprocess.run(  # noqa: S603
        [tool, "-x", str(package), str(target)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotAvailableError(f"the package cannot be unpacked: {last}", where=package.name)
