"""Reader: ``metadata.json``, a list of ``{"image", "caption" or "captions", "category"}``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipeval.data.dataset import Dataset
from clipeval.data.entries import Entry, items_from
from clipeval.data.json_text import captions_from, read_json
from clipeval.data.remote_path import AnyPath, place
from clipeval.errors import DatasetError, near

SHAPE = '[{"image": "cats/1.jpg", "caption": "a cat", "category": "cats"}, ...]'


def read_metadata_json(
    path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True
) -> Dataset:
    """Read a ``metadata.json``.

    Every entry has ``image`` (a path relative to the file's folder, also looked for in ``images/`` and in
    ``category/``), one ``caption`` or a list of ``captions``, and may have a ``category``. Other keys are
    ignored.

    Parameters
    ----------
    path : str, Path or RemotePath
        The file, or the folder that holds ``metadata.json``.
    name : str, optional
        Name of the dataset; the folder's name if not given.
    require_pictures : bool, optional
        Whether a missing picture is an error; if not, its item has no picture.

    Returns
    -------
    Dataset
        Ids are picture paths relative to the folder. Rows in errors are counted from 0.

    Raises
    ------
    DatasetError
        The file is missing or malformed; names the line or the row.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "metadata.json")
    ...     _ = file.write_text('[{"image": "1.jpg", "captions": ["a cat", "a pet"], "category": "cats"}]')
    ...     dataset = read_metadata_json(folder, name="pets", require_pictures=False)
    >>> dataset.ids, dataset.captions, dataset.categories
    (('1.jpg',), ('a cat', 'a pet'), ('cats',))
    """
    path = place(path)
    if path.is_dir():
        path = path / "metadata.json"
    if not path.is_file():
        raise DatasetError(
            f"the metadata file '{path.name}' is missing", where=str(path.parent), fix=f"write {SHAPE}"
        )
    return dataset_from_metadata(read_json(path), path=path, name=name, require_pictures=require_pictures)


def dataset_from_metadata(
    value: object, *, path: AnyPath, name: str | None, require_pictures: bool
) -> Dataset:
    """Make a dataset of metadata that has been parsed already.

    Parameters
    ----------
    value : object
        What the JSON holds.
    path : Path or RemotePath
        Where it was read; pictures are looked for from there.
    name, require_pictures
        As for `read_metadata_json`.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        Not a list, an empty one, or an entry that `read_metadata_json` refuses.

    Examples
    --------
    >>> rows = [{"image": "1.jpg", "caption": "a cat"}]
    >>> from pathlib import Path
    >>> dataset_from_metadata(rows, path=Path("x.json"), name="pets", require_pictures=False).captions
    ('a cat',)
    """
    if not isinstance(value, list):
        raise DatasetError(
            f"the metadata must be a list, not {type(value).__name__}", where=path.name, fix=f"write {SHAPE}"
        )
    items = items_from(
        _entries(value, file=path.name), root=path.parent, join_rows=False, require_pictures=require_pictures
    )
    if not items:
        raise DatasetError("the metadata lists no picture", where=path.name, fix=f"write {SHAPE}")
    return Dataset(name or path.resolve().parent.name or path.stem, items)


def _entries(rows: list[Any], *, file: str) -> Iterator[Entry]:
    for number, row in enumerate(rows):
        where = f"{file}, row {number}"
        if not isinstance(row, dict):
            raise DatasetError(
                f"the entry must be an object, not {type(row).__name__}", where=where, fix=f"write {SHAPE}"
            )
        image = row.get("image")
        if "image" not in row or not isinstance(image, str) or not image.strip():
            fix = near("image", row) if "image" not in row else "write the picture's path as text"
            raise DatasetError("the entry has no 'image'", where=where, fix=fix)
        if ("caption" in row) == ("captions" in row):
            both = "caption" in row
            raise DatasetError(
                "the entry has both 'caption' and 'captions'" if both else "the entry has no 'caption'",
                where=where,
                fix="keep one of the two" if both else near("caption", row),
            )
        captions = captions_from(row.get("caption", row.get("captions")), where=where)
        category = row.get("category")
        if category is not None and not isinstance(category, str):
            raise DatasetError("the category must be text", where=where, fix='write "category": "..."')
        yield Entry(image, captions, category or None, where)
