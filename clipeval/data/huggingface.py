"""Reader: a ``datasets.Dataset`` of Hugging Face that is already loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipeval.data.arrow_cells import empty_cells
from clipeval.data.caption_table import Columns, dataset_from_table
from clipeval.data.dataset import Dataset, PictureSource
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError

_ROWS_AT_ONCE = 256


def from_huggingface(
    dataset: Any,
    *,
    name: str | None = None,
    image_column: str | None = None,
    text_column: str | Sequence[str] | None = None,
    id_column: str | None = None,
    category_column: str | None = None,
    require_pictures: bool = True,
) -> Dataset:
    """Use a ``datasets.Dataset`` that is already loaded.

    Parameters
    ----------
    dataset : datasets.Dataset
        One split. Pictures are taken from it when they are asked for, undecoded.
    name : str, optional
        Name of the dataset; if not given, the one ``datasets`` knows, else ``huggingface``.
    image_column : str, optional
        Column with pictures, as ``{"bytes", "path"}`` or bytes; found by type and name if not given.
    text_column : str or sequence of str, optional
        Column with captions or lists of captions, or several columns of captions; found by name if not given.
    id_column, category_column : str, optional
        Columns with ids and labels; found by name if not given. Without ids the row numbers are the ids.
    require_pictures : bool, optional
        Whether a row without a picture is an error.

    Returns
    -------
    Dataset
        One item for each row.

    Raises
    ------
    DatasetError
        Several splits, a stream, an unknown column (near match offered), a row without captions.
    """
    if hasattr(dataset, "keys"):
        splits = ", ".join(f"'{key}'" for key in dataset.keys())  # noqa: SIM118 (a DatasetDict, not a dict)
        raise DatasetError(
            f"this holds splits ({splits}), not rows", where="dataset", fix="pass dataset['test']"
        )
    if not hasattr(dataset, "with_format") or not hasattr(dataset, "__len__"):
        raise DatasetError(
            f"{type(dataset).__name__} is not a datasets.Dataset",
            where="dataset",
            fix="load it without streaming, or save it to Parquet and load that",
        )
    label = name or getattr(dataset.info, "dataset_name", None) or "huggingface"
    return dataset_from_table(
        _LoadedTable(dataset, label=label),
        name=label,
        where=label,
        columns=Columns(image_column, text_column, id_column, category_column),
        require_pictures=require_pictures,
    )


class _LoadedTable:
    def __init__(self, dataset: Any, *, label: str) -> None:
        self._rows = dataset.with_format("arrow")
        self._label = label
        self.schema = dataset.features.arrow_schema

    def columns(self, names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        table: Mapping[str, Sequence[Any]] = self._rows.select_columns(list(names))[:].to_pydict()
        return table

    def cell(self, row: int, column: str) -> object:
        return self._rows.select_columns([column])[row][column][0].as_py()

    def empty(self, column: str) -> frozenset[int]:
        # in pieces, since a shuffled table copies what it is asked for, pictures included
        pictures = self._rows.select_columns([column])
        return frozenset(
            start + row
            for start in range(0, len(pictures), _ROWS_AT_ONCE)
            for row in empty_cells(pictures[start : start + _ROWS_AT_ONCE][column])
        )

    def where(self, row: int) -> str:
        return f"{self._label}, row {row}"

    def follow(self, path: str, *, where: str) -> PictureSource:
        # the user's own program put this path there, so it may lie anywhere
        return file_source(Path(path), where=where)
