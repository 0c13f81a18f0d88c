"""Reader: a folder that ``datasets`` wrote with ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipeval.data.arrow_cells import empty_cells, source_beside
from clipeval.data.caption_table import Columns, dataset_from_table
from clipeval.data.dataset import Dataset, PictureSource
from clipeval.data.json_text import read_json
from clipeval.data.remote_path import AnyPath, RemotePath, place
from clipeval.data.safe_path import file_inside, relative_name
from clipeval.errors import DatasetError, MissingExtraError


def read_saved_huggingface(
    path: str | AnyPath,
    *,
    name: str | None = None,
    image_column: str | None = None,
    text_column: str | Sequence[str] | None = None,
    id_column: str | None = None,
    category_column: str | None = None,
    require_pictures: bool = True,
) -> Dataset:
    """Read a folder that ``datasets.Dataset.save_to_disk`` wrote; ``datasets`` itself is not needed.

    Parameters
    ----------
    path : str or Path
        The folder; one with several splits must be named down to the split.
    name : str, optional
        Name of the dataset; the folder's name if not given.
    image_column, text_column, id_column, category_column, require_pictures : optional
        As for `from_huggingface`.

    Returns
    -------
    Dataset
        One item for each row, pictures memory-mapped.

    Raises
    ------
    DatasetError
        Several splits, a missing or corrupt file, and what `from_huggingface` raises.
    MissingExtraError
        pyarrow is not installed.
    """
    folder = place(path)
    if isinstance(folder, RemotePath):
        raise DatasetError(
            "what 'datasets' saved is mapped into memory, and can only be read from a disk",
            where=str(folder),
            fix="copy the folder, or save it as Parquet: dataset.to_parquet(...)",
        )
    label = name or folder.resolve().name or "huggingface"
    if (folder / "dataset_dict.json").is_file():
        splits = _names(folder / "dataset_dict.json", "splits")
        if len(splits) != 1:
            raise DatasetError(
                f"the folder holds the splits {', '.join(splits)}",
                where=folder.name,
                fix=f"name one: {folder.name}/{splits[-1] if splits else 'test'}",
            )
        folder = folder / relative_name(splits[0], where="dataset_dict.json")
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("pyarrow", extra="datasets") from None
    tables = []
    for written in _names(folder / "state.json", "_data_files"):
        file_name = relative_name(written, where="state.json")
        file = file_inside(folder, file_name, where="state.json")
        if file is None:
            raise DatasetError(
                f"the file '{file_name}' is missing", where="state.json", fix="copy the whole folder"
            )
        try:
            with pa.memory_map(str(file)) as memory, pa.ipc.open_stream(memory) as stream:
                tables.append(stream.read_all())
        except pa.ArrowInvalid as error:
            raise DatasetError(
                f"the file is truncated or corrupt ({error})", where=file_name, fix="copy it again"
            ) from error
    if not tables:
        raise DatasetError("the folder names no data files", where="state.json", fix="save the dataset again")
    return dataset_from_table(
        _SavedTable(pa.concat_tables(tables), folder=folder, label=label),
        name=label,
        where=label,
        columns=Columns(image_column, text_column, id_column, category_column),
        require_pictures=require_pictures,
    )


def _names(path: Path, key: str) -> list[str]:
    # splits are names, data files are {"filename": name}
    value = read_json(path)
    entries = value.get(key) if isinstance(value, dict) else None
    found = [entry.get("filename") if isinstance(entry, dict) else entry for entry in entries or []]
    names = [name for name in found if isinstance(name, str)]
    if not isinstance(entries, list) or len(names) != len(found):
        raise DatasetError(f"'{key}' must be a list of names", where=path.name, fix="save the dataset again")
    return names


class _SavedTable:
    def __init__(self, table: Any, *, folder: Path, label: str) -> None:
        self._table = table
        self._folder = folder
        self._label = label
        self.schema = table.schema

    def columns(self, names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        table: Mapping[str, Sequence[Any]] = self._table.select(list(names)).to_pydict()
        return table

    def cell(self, row: int, column: str) -> object:
        return self._table[column][row].as_py()

    def empty(self, column: str) -> frozenset[int]:
        return frozenset(empty_cells(self._table[column]))

    def where(self, row: int) -> str:
        return f"{self._label}, row {row}"

    def follow(self, path: str, *, where: str) -> PictureSource:
        return source_beside(self._folder, path, where=where)
