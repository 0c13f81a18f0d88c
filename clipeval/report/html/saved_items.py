"""``items.json``: the items of a run with small pictures, from which its page is made, now or later."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from clipeval._version import __version__
from clipeval.data.dataset import Dataset
from clipeval.errors import DatasetError
from clipeval.report.files import encoded, replace_file

ITEMS = "items.json"
KIND = "clipeval items 1"
_PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/]*={0,2}")


def items_schema() -> dict[str, Any]:
    """Read the JSON Schema of the file.

    Examples
    --------
    >>> items_schema()["title"]
    'clipeval items'
    """
    text = files("clipeval.report.html").joinpath("items.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def write_items(path: Path, dataset: Dataset, pictures: Sequence[str | None]) -> None:
    """Write the items of a dataset.

    Parameters
    ----------
    path : Path
        A JSON file.
    dataset : Dataset
        Its items, with the hashes of their pictures.
    pictures : sequence of str or None
        A small picture of each item (`clipeval.report.html.thumbnails`).
    """
    document = {
        "kind": KIND,
        "clipeval": __version__,
        "name": dataset.name,
        "items": [
            {
                "id": item.id,
                "captions": list(item.captions),
                "category": item.category,
                "sha256": sha256,
                "picture": picture,
            }
            for item, sha256, picture in zip(dataset.items, dataset.picture_hashes, pictures, strict=True)
        ],
    }
    # ASCII: half a surrogate pair in a name that is not UTF-8 comes back as it was
    replace_file(path, encoded(json.dumps(document, indent=1) + "\n"))


def read_items(path: Path) -> Mapping[str, Any]:
    """Read what `write_items` wrote.

    Parameters
    ----------
    path : Path
        ``items.json`` of a run.

    Returns
    -------
    mapping
        The document; its pictures are ``data:`` addresses of WebP, and nothing else.

    Raises
    ------
    DatasetError
        Absent, or not such a file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _unusable(path, f"its kind is not '{KIND}'")
    if problem := _problem(document):
        raise _unusable(path, problem)
    return document


def _problem(document: Mapping[str, Any]) -> str:
    items = document.get("items")
    if not isinstance(items, list) or not items or not isinstance(document.get("name"), str):
        return "it has no name or no items"
    for row, item in enumerate(items):
        if not isinstance(item, dict):
            return f"item {row} is not an object"
        captions, picture, category = item.get("captions"), item.get("picture"), item.get("category")
        if not isinstance(item.get("id"), str) or not isinstance(item.get("sha256"), str):
            return f"item {row} has no id or no sha256"
        if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
            return f"the captions of item {row} are not a list of texts"
        if category is not None and not isinstance(category, str):
            return f"the category of item {row} is not a text"
        # it goes into the page as an address: only a picture may, never a script or a place in the network
        if picture is not None and not (isinstance(picture, str) and _PICTURE.fullmatch(picture)):
            return f"the picture of item {row} is not WebP in base64"
    return ""


def _unusable(path: Path, reason: str) -> DatasetError:
    return DatasetError(
        f"the items of a run cannot be read: {reason}",
        where=f"{path.parent.name}/{path.name}",
        fix="run 'clipeval compare' again, or give the dataset with --data",
    )
