"""Reader: a JSON list of ``[file name, caption]`` pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipeval.data.dataset import Dataset
from clipeval.data.entries import Entry, items_from
from clipeval.data.json_text import captions_from, read_json
from clipeval.data.remote_path import AnyPath, place
from clipeval.errors import DatasetError

SHAPE = '[["1.jpg", "a cat"], ["2.jpg", "a dog"], ...]'


def read_pairs(path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True) -> Dataset:
    """Read a JSON list of pairs; several pairs of one file name are its several captions.

    Parameters
    ----------
    path : str, Path or RemotePath
        The file; pictures are looked for beside it and in ``images/``.
    name : str, optional
        Name of the dataset; the file's stem if not given.
    require_pictures : bool, optional
        Whether a missing picture is an error; if not, its item has no picture.

    Returns
    -------
    Dataset
        Ids are picture paths relative to the file's folder. Rows in errors are counted from 0.

    Raises
    ------
    DatasetError
        The file is malformed or a picture is missing; names the row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "pets.json")
    ...     _ = file.write_text('[["1.jpg", "a cat"], ["2.jpg", "a dog"], ["1.jpg", "a pet"]]')
    ...     dataset = read_pairs(file, require_pictures=False)
    >>> dataset.name, [item.captions for item in dataset.items]
    ('pets', [('a cat', 'a pet'), ('a dog',)])
    """
    path = place(path)
    return dataset_from_pairs(read_json(path), path=path, name=name, require_pictures=require_pictures)


def dataset_from_pairs(value: object, *, path: AnyPath, name: str | None, require_pictures: bool) -> Dataset:
    """Make a dataset of pairs that have been parsed already.

    Parameters
    ----------
    value : object
        What the JSON holds.
    path : Path or RemotePath
        Where it was read; pictures are looked for from there.
    name, require_pictures
        As for `read_pairs`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        Not a list, an empty one, a row that is no pair, or a missing picture.

    Examples
    --------
    >>> from pathlib import Path
    >>> dataset_from_pairs([["1.jpg", "a cat"]], path=Path("x.json"), name=None, require_pictures=False).name
    'x'
    """
    if not isinstance(value, list) or not value:
        raise DatasetError("the file must be a list of pairs", where=path.name, fix=f"write {SHAPE}")
    items = items_from(
        _entries(value, file=path.name), root=path.parent, join_rows=True, require_pictures=require_pictures
    )
    return Dataset(name or path.stem, items)


def _entries(rows: list[Any], *, file: str) -> Iterator[Entry]:
    for number, row in enumerate(rows):
        where = f"{file}, row {number}"
        if not isinstance(row, list) or len(row) != 2 or not all(isinstance(part, str) for part in row):
            raise DatasetError(
                "the row is not a [file name, caption] pair", where=where, fix=f"write {SHAPE}"
            )
        yield Entry(row[0], captions_from(row[1], where=where), None, where)
