"""One door to every dataset: recognise a layout and call its reader."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from clipeval.data.address import is_address, needs_network, shown, was_address
from clipeval.data.coco import dataset_from_coco
from clipeval.data.csv_table import read_csv
from clipeval.data.dataset import Dataset
from clipeval.data.json_text import read_json
from clipeval.data.metadata_json import dataset_from_metadata, read_metadata_json
from clipeval.data.own_results import data_files, is_report
from clipeval.data.pairs_json import dataset_from_pairs
from clipeval.data.parquet import read_parquet
from clipeval.data.parts import PARTS, Part, part_of
from clipeval.data.picture_folder import read_picture_folder
from clipeval.data.plain_file import check_plain
from clipeval.data.product_table import is_product_table, read_products
from clipeval.data.remote_path import AnyPath, RemotePath, place, way_to
from clipeval.data.saved_huggingface import read_saved_huggingface
from clipeval.data.webdataset import read_webdataset
from clipeval.errors import DatasetError, NotAvailableError, near

EMBEDDED = Path(__file__).parent / "embedded"
NAMES = ("embedded",)


def load_dataset(
    path_or_name: str | AnyPath = "embedded",
    *,
    require_pictures: bool = True,
    limit: int | None = None,
    offline: bool = False,
) -> Dataset:
    """Load a dataset by name or path.

    A file is recognised by its ending (``.csv``, ``.json``, ``.parquet``, ``.tar``) and JSON by its shape.
    In a folder one of these is looked for: what ``datasets`` saved; ``metadata.json``; a CSV table; COCO
    captions (``captions_*.json``, also in ``annotations/``); Parquet files; tar shards; where none of these
    is there, any other JSON file. A folder with more than one of them is refused rather than guessed at; one
    with none is read as pictures with captions beside them (``name.jpg``, ``name.txt``).
    ``PATH#train`` and ``PATH#test`` are two parts of the dataset at PATH (`clipeval.data.parts`), unless
    there is a file of that very name.
    Results that clipeval itself wrote there are no part of the data. See ``docs/datasets.md``.

    Parameters
    ----------
    path_or_name : str, Path or RemotePath, optional
        ``"embedded"`` is the package's own dataset; a folder of that name is ``"./embedded"``. Patterns such
        as ``val-*.tar`` name series of shards. An address of fsspec (``s3://bucket/photos``) is read where
        it lies, and the dataset is that of the same files on a disk.
    require_pictures : bool, optional
        Whether a missing picture is an error. If not, its item has no picture, which is enough for frozen
        embeddings.
    limit : int, optional
        Keep the first items only; the name then ends in ``[:limit]``, so that a part never passes for the
        whole.
    offline : bool, optional
        Refuse addresses that need a network.

    Returns
    -------
    Dataset
        Named after the folder or the file's stem.

    Raises
    ------
    DatasetError
        Nothing there (near names offered), an unknown or ambiguous layout, or anything a reader refuses.
    NotAvailableError
        The package that an address needs is not installed, or it may not be used offline.

    Examples
    --------
    >>> load_dataset("embeded")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: there is no dataset 'embeded'
      to do: did you mean 'embedded'?
    """
    if limit is not None and limit < 1:
        raise DatasetError(f"a limit of {limit} leaves no items", fix="use 1 or more")
    if offline and needs_network(path_or_name):
        raise NotAvailableError(
            "the data lie behind a network, which --offline closes",
            where=shown(str(path_or_name)),
            fix="copy them to a disk, or leave out --offline",
        )
    whole, part = split_part(str(path_or_name))
    dataset = _load(whole if part else path_or_name, require_pictures=require_pictures)
    dataset = replace(dataset, origin=_origin(whole))
    dataset = part_of(dataset, part) if part else dataset
    if limit is None or limit >= dataset.n_images:
        return dataset
    return replace(dataset, name=f"{dataset.name}[:{limit}]", items=dataset.items[:limit])


def _origin(whole: str) -> str:
    if whole in NAMES:
        return whole
    return shown(whole) if is_address(whole) else os.path.abspath(whole)  # noqa: PTH100


def split_part(path_or_name: str) -> tuple[str, Part | None]:
    """Take ``#train`` or ``#test`` off a dataset's path; a file whose name ends so is itself.

    Examples
    --------
    >>> split_part("photos/#test"), split_part("a#b.csv")
    (('photos/', 'test'), ('a#b.csv', None))
    """
    path, _, said = path_or_name.rpartition("#")
    part = next((part for part in PARTS if part == said and path), None)
    return (path_or_name, None) if part is None or os.path.lexists(path_or_name) else (path, part)


def _load(path_or_name: str | AnyPath, *, require_pictures: bool) -> Dataset:
    if path_or_name == "embedded":
        return read_metadata_json(EMBEDDED, name="embedded", require_pictures=require_pictures)
    path = place(path_or_name)
    if isinstance(path, RemotePath):
        return _load_remote(path, require_pictures=require_pictures)
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises where a name is too long)
        return _load_folder(path, require_pictures=require_pictures)
    check_plain(path)
    if path.is_file():
        return _load_file(path, name=None, require_pictures=require_pictures)
    if was_address(str(path)):
        address = shown(str(path).replace(":/", "://", 1))
        raise DatasetError(f"there is no dataset '{address}'", fix="give an address as a text, not as a Path")
    if _is_pattern(path):
        return _load_file(path, name=None, require_pictures=require_pictures)
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = [str(path.parent / name) for name in get_close_matches(path.name, beside, n=2)]
    advice = near(str(path), [*NAMES, *close])
    if not advice.startswith("did you mean"):
        advice = "give the path of a folder or a file, or 'embedded' for the pictures inside the package"
    raise DatasetError(f"there is no dataset '{path_or_name}'", fix=advice)


def _load_remote(path: RemotePath, *, require_pictures: bool) -> Dataset:
    try:
        if path.is_dir():
            return _load_folder(path, require_pictures=require_pictures)
        if _is_pattern(path) and "{" not in path.name and not path.parent.is_dir():
            raise DatasetError(
                "there is no folder that the server lists",
                where=str(path.parent),
                fix="check the address, or write the numbers: val-{000..005}.tar",
            )
        if _is_pattern(path) or path.is_file():
            return _load_file(path, name=None, require_pictures=require_pictures)
    except OSError as error:
        raise DatasetError(
            f"the data cannot be read: {error.strerror}",
            where=str(path),
            fix="check the address, the network and the credentials of this machine",
        ) from None
    finally:
        path.forget()
    raise DatasetError(
        f"there is no dataset '{path}'",
        fix="check the address; a folder must be one that its server lists",
    )


def _is_pattern(path: AnyPath) -> bool:
    return any(mark in path.name for mark in "*?{[") and path.suffix in {".tar", ".parquet"}


def _load_file(path: AnyPath, *, name: str | None, require_pictures: bool) -> Dataset:
    ending = path.suffix.lower()
    if ending == ".json":
        return _load_json(path, name=name, require_pictures=require_pictures)
    readers: Mapping[str, Callable[..., Dataset]] = {
        ".csv": read_products if ending == ".csv" and is_product_table(path) else read_csv,
        ".parquet": read_parquet,
        ".tar": read_webdataset,
    }
    if ending not in readers:
        raise DatasetError(
            f"files that end in '{ending}' are not datasets"
            if ending
            else "a file without an ending says nothing of its kind",
            where=path.name,
            fix=f"give a folder or a file of one of the kinds {', '.join(sorted([*readers, '.json']))}",
        )
    return readers[ending](path, name=name, require_pictures=require_pictures)


def _load_json(path: AnyPath, *, name: str | None, require_pictures: bool) -> Dataset:
    value = read_json(path)
    if isinstance(value, dict):
        read = dataset_from_coco
    elif isinstance(value, list) and value and isinstance(value[0], list):
        read = dataset_from_pairs
    else:
        read = dataset_from_metadata
    return read(value, path=path, name=name, require_pictures=require_pictures)


def _load_folder(path: AnyPath, *, require_pictures: bool) -> Dataset:
    name = path.resolve().name or "dataset"
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return read_saved_huggingface(path, name=name, require_pictures=require_pictures)
    found = _indexes(path)
    if len(found) > 1:
        raise DatasetError(
            f"the folder could be read in {len(found)} ways: {', '.join(found)}",
            where=name,
            fix=f"name the file, for example '{path / next(iter(found))}'",
        )
    for index in found.values():
        if index.suffix == ".tar":
            return read_webdataset(path, name=name, require_pictures=require_pictures)
        if index.suffix == ".parquet":
            return read_parquet(path, name=name, require_pictures=require_pictures)
        return _load_file(index, name=name, require_pictures=require_pictures)
    if not any(file.suffix == ".txt" for file in data_files(path)):
        raise DatasetError(
            "the folder has no captions: the metadata file is missing",
            where=name,
            fix="add metadata.json, a CSV filename,category,caption, or name.txt beside every picture",
        )
    return read_picture_folder(path, name=name, require_pictures=require_pictures)


def _indexes(folder: AnyPath) -> dict[str, AnyPath]:
    # a pipe that happens to be called captions.csv would be waited for until the end of days
    tables: list[AnyPath] = [
        *folder.glob("*.csv"),
        *folder.glob("metadata.json"),
        *folder.glob("captions_*.json"),
    ]
    tables += folder.glob("annotations/captions_*.json")
    if not any(file.is_file() for file in tables):
        tables += [
            file for file in folder.glob("*.json") if not file.name.startswith(".") and not is_report(file)
        ]
    # a series of shards is one way to read the folder, however many files it has
    shards = _first(folder, "*.tar") + (_first(folder, "*.parquet") or _first(folder, "data/*.parquet"))
    tables = [file for file in tables if file.is_file()]
    if shards and not any(file.suffix == ".csv" or file.name == "metadata.json" for file in tables):
        tables = [file for file in tables if file.name.startswith("captions_")]
    return {way_to(file, folder): file for file in [*sorted(tables), *shards]}


def _first(folder: AnyPath, pattern: str) -> list[AnyPath]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())[:1]
