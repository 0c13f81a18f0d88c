"""From a package to a folder that ``--data`` reads."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clipeval.data.pictures import read_picture
from clipeval.data.recipes.drawings import Drawing, openclipart, tuxpaint
from clipeval.data.recipes.emoji import fluentui
from clipeval.data.recipes.packages import APT, NPM, Manager, fetch, unpack
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError, PictureError, near

LICENCES = "LICENCES.md"
EDGE = 256
"""Longest edge of the pictures that are kept."""


@dataclass(frozen=True)
class Recipe:
    """Where a dataset comes from.

    Attributes
    ----------
    package : str
        Its name.
    licence : str
    notes : str
        For ``LICENCES.md``.
    drawings : callable
        From the folder of the unpacked package to its pictures.
    manager : Manager
        What fetches it.
    notice : str
        A file of the package with the words that its licence wants in every copy.
    """

    package: str
    licence: str
    notes: str
    drawings: Callable[[Path], Iterator[Drawing]]
    manager: Manager = APT
    notice: str = ""


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
    "fluentui": Recipe(
        "fluentui-emoji@1.3.0",
        "MIT",
        "Fluent emoji, drawn by Microsoft (github.com/microsoft/fluentui-emoji, MIT), from the npm package "
        "fluentui-emoji 1.3.0, whose notice follows.",
        fluentui,
        NPM,
        "package/LICENSE",
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
        The ``.deb`` or ``.tgz``; by default ``apt-get download`` or ``npm pack`` fetches it.

    Returns
    -------
    Built

    Raises
    ------
    NotAvailableError
        The package cannot be fetched, unpacked or drawn here; the text says how to get it.
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
    # built beside its place, which is made before anything is fetched, and moved there whole
    made = folder.parent / f".{folder.name}.part"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="clipeval-recipe-") as scratch:
            unpacked = Path(scratch, "unpacked")
            unpack(package or fetch(recipe.package, recipe.manager, Path(scratch)), unpacked, recipe.manager)
            built = _write(recipe, list(recipe.drawings(unpacked)), made)
            if recipe.notice:
                with (made / LICENCES).open("a", encoding="utf-8") as licences:
                    licences.write("\n" + (unpacked / recipe.notice).read_text(encoding="utf-8"))
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
    (folder / LICENCES).write_text(
        f"# Licence\n\n{recipe.notes}\n\nPictures were made smaller (longest edge {EDGE}), on white.\n",
        encoding="utf-8",
    )
    return Built(
        len(rows),
        len({row["category"] for row in rows}),
        f"{broken} pictures that could not be decoded safely; all without a caption of their own",
    )
