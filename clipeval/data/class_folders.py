"""Reader: pictures in folders named as their classes, without captions."""

from __future__ import annotations

from pathlib import Path

from clipeval.data.address import needs_network
from clipeval.data.dataset import Dataset, Item
from clipeval.data.entries import pictures_below
from clipeval.data.load import load_dataset
from clipeval.data.own_results import data_files
from clipeval.data.remote_path import place
from clipeval.data.sources import file_source

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
        See `clipeval.load_dataset`.

    Examples
    --------
    >>> load_classes("embedded").categories
    ('Animals', 'Colours', 'Objects', 'Food')
    """
    # what is behind a network is refused by `load_dataset`, before anybody asks there
    closed = offline and needs_network(path_or_name)
    folder = Path(path_or_name) if closed else place(path_or_name)
    if path_or_name == "embedded" or not folder.is_dir():
        return load_dataset(path_or_name, limit=limit, offline=offline)
    names = [name for name in pictures_below(folder) if "/" in name]
    if not names or any(file.suffix.lower() in _CAPTIONED for file in data_files(folder)):
        return load_dataset(path_or_name, limit=limit, offline=offline)
    items = tuple(
        Item(name, (name.split("/")[0],), file_source(folder / name, where=name), name.split("/")[0])
        for name in names[:limit]
    )
    part = f"[:{limit}]" if limit is not None and limit < len(names) else ""
    return Dataset(f"{folder.resolve().name}{part}", items)
