"""Reader: pictures in folders named as their classes, without captions."""

from __future__ import annotations

from pathlib import Path

from clipeval.data.address import needs_network
from clipeval.data.dataset import Dataset, Item
from clipeval.data.entries import pictures_below
from clipeval.data.load import load_dataset, split_part
from clipeval.data.own_results import data_files
from clipeval.data.remote_path import AnyPath, place
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError

_CAPTIONED = {".csv", ".json", ".parquet", ".tar", ".txt", ".arrow"}


def load_classes(path_or_name: str, *, limit: int | None = None, offline: bool = False) -> Dataset:
    """Load a dataset for classification: one of the known layouts, or folders of classes.

    A folder with pictures in sub-folders, and nothing that could hold captions, is read as ``CLASS/PICTURE``;
    the caption of a picture, which classification does not use, is its class.

    Parameters
    ----------
    path_or_name : str
        See `clipeval.load_dataset`.
    limit : int, optional
        Keep the first items only; the name then says so.
    offline : bool, optional
        Refuse addresses that need a network.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        See `clipeval.load_dataset`; a part of folders of classes.

    Examples
    --------
    >>> load_classes("embedded").categories
    ('Animals', 'Colours', 'Objects', 'Food')
    """
    # what is behind a network is refused by `load_dataset`, before anybody asks there
    closed = offline and needs_network(path_or_name)
    path, part = split_part(path_or_name)
    folder = Path(path) if closed else place(path)
    names = _pictures_of_classes(folder) if path != "embedded" else []
    if not names:
        return load_dataset(path_or_name, limit=limit, offline=offline)
    if part:
        raise DatasetError(
            f"folders of classes have no part '{part}': equal captions stay on one side, and a class has one",
            where=path_or_name,
            fix="classify the whole folder, or give its pictures captions (metadata.json or a CSV)",
        )
    items = tuple(
        Item(name, (name.split("/")[0],), file_source(folder / name, where=name), name.split("/")[0])
        for name in names[:limit]
    )
    shown = f"[:{limit}]" if limit is not None and limit < len(names) else ""
    return Dataset(f"{folder.resolve().name}{shown}", items)


def _pictures_of_classes(folder: AnyPath) -> list[str]:
    """List the pictures in sub-folders; none where something could hold captions."""
    if not folder.is_dir() or any(file.suffix.lower() in _CAPTIONED for file in data_files(folder)):
        return []
    return [name for name in pictures_below(folder) if "/" in name]
