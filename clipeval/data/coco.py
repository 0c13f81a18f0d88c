"""Reader: COCO captions (``images`` and ``annotations`` in one JSON file)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipeval.data.dataset import Dataset
from clipeval.data.entries import Entry, items_from
from clipeval.data.json_text import captions_from, read_json
from clipeval.data.remote_path import AnyPath, place
from clipeval.errors import DatasetError, near

SHAPE = '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a cat"}]}'


def read_coco(path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True) -> Dataset:
    """Read a COCO captions file.

    Pictures are looked for beside the file, in ``images/``, and in a folder named as the split (``val2017/``
    or ``images/val2017/`` for ``captions_val2017.json``). Where the file lies in a folder ``annotations/``,
    the dataset folder is the one above.

    Parameters
    ----------
    path : str, Path or RemotePath
        The JSON file.
    name : str, optional
        Name of the dataset; the file's stem if not given.
    require_pictures : bool, optional
        Whether a missing picture is an error; if not, its item has no picture.

    Returns
    -------
    Dataset
        In the order of ``images``, captions in the order of ``annotations``; ids are picture paths relative
        to the dataset folder. Rows in errors are counted from 0.

    Raises
    ------
    DatasetError
        A picture without captions, a caption of an unknown picture, an id used twice, a missing picture.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> captions = {
    ...     "images": [{"id": 7, "file_name": "1.jpg"}],
    ...     "annotations": [{"image_id": 7, "caption": "a cat"}, {"image_id": 7, "caption": "a pet"}],
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "captions_val.json")
    ...     _ = file.write_text(json.dumps(captions))
    ...     dataset = read_coco(file, require_pictures=False)
    >>> dataset.name, dataset.items[0].captions
    ('captions_val', ('a cat', 'a pet'))
    """
    path = place(path)
    return dataset_from_coco(read_json(path), path=path, name=name, require_pictures=require_pictures)


def dataset_from_coco(value: object, *, path: AnyPath, name: str | None, require_pictures: bool) -> Dataset:
    """Make a dataset of COCO captions that have been parsed already.

    Parameters
    ----------
    value : object
        What the JSON holds.
    path : Path or RemotePath
        Where it was read; pictures are looked for from there.
    name, require_pictures
        As for `read_coco`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        Another shape, and what `read_coco` refuses.

    Examples
    --------
    >>> rows = [{"id": 1, "file_name": "1.jpg"}], [{"image_id": 1, "caption": "a cat"}]
    >>> value = dict(zip(("images", "annotations"), rows))
    >>> from pathlib import Path
    >>> dataset_from_coco(value, path=Path("x.json"), name="pets", require_pictures=False).captions
    ('a cat',)
    """
    if not isinstance(value, dict):
        raise DatasetError("COCO captions must be an object", where=path.name, fix=f"write {SHAPE}")
    images, annotations = (_rows(value, key, file=path.name) for key in ("images", "annotations"))
    split = path.stem.rpartition("_")[2]
    items = items_from(
        _entries(images, annotations, file=path.name),
        root=path.parent.parent if path.parent.name == "annotations" else path.parent,
        folders=tuple(dict.fromkeys(("", "images", split, f"images/{split}"))),
        join_rows=False,
        require_pictures=require_pictures,
    )
    return Dataset(name or path.stem, items)


def _rows(value: dict[str, Any], key: str, *, file: str) -> list[Any]:
    if key not in value:
        raise DatasetError(f"there is no '{key}'", where=file, fix=near(key, value))
    rows = value[key]
    if not isinstance(rows, list) or not rows:
        raise DatasetError(f"'{key}' must be a list with entries", where=file, fix=f"write {SHAPE}")
    return rows


def _entries(images: list[Any], annotations: list[Any], *, file: str) -> Iterator[Entry]:
    row_of: dict[object, int] = {}
    for row, image in enumerate(images):
        number = _field(image, "id", (int, str), where=f"{file}, images, row {row}")
        if number in row_of:
            raise DatasetError(
                f"the picture id {number!r} is used twice",
                where=f"{file}, images, rows {row_of[number]} and {row}",
                fix="give every picture its own id",
            )
        row_of[number] = row
    captions: list[list[str]] = [[] for _ in images]
    for row, annotation in enumerate(annotations):
        where = f"{file}, annotations, row {row}"
        number = _field(annotation, "image_id", (int, str), where=where)
        if number not in row_of:
            raise DatasetError(
                f"there is no picture with the id {number!r}", where=where, fix="add it to 'images'"
            )
        captions[row_of[number]] += captions_from(
            _field(annotation, "caption", (str,), where=where), where=where
        )
    for row, image in enumerate(images):
        where = f"{file}, images, row {row}"
        name = _field(image, "file_name", (str,), where=where)
        if not captions[row]:
            raise DatasetError(
                f"the picture '{name}' has no caption",
                where=where,
                fix="annotate it or remove it from 'images'",
            )
        yield Entry(name, tuple(captions[row]), None, where)


def _field(row: object, key: str, kinds: tuple[type, ...], *, where: str) -> Any:
    if not isinstance(row, dict):
        raise DatasetError(
            f"the entry must be an object, not {type(row).__name__}", where=where, fix=f"write {SHAPE}"
        )
    if key not in row:
        raise DatasetError(f"the entry has no '{key}'", where=where, fix=near(key, row))
    if not isinstance(row[key], kinds):
        raise DatasetError(
            f"'{key}' has the type {type(row[key]).__name__}", where=where, fix=f"write {SHAPE}"
        )
    return row[key]
