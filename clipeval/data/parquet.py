"""Reader: Parquet files with an image and a text column."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from clipeval.data.arrow_cells import empty_cells, source_beside
from clipeval.data.caption_table import Columns, dataset_from_table
from clipeval.data.dataset import Dataset, PictureSource
from clipeval.data.plain_file import check_plain
from clipeval.data.remote_path import AnyPath, RemotePath, place
from clipeval.data.shards import expand_braces, whole_series
from clipeval.errors import DatasetError, MissingExtraError


def read_parquet(
    path: str | AnyPath,
    *,
    name: str | None = None,
    image_column: str | None = None,
    text_column: str | Sequence[str] | None = None,
    id_column: str | None = None,
    category_column: str | None = None,
    require_pictures: bool = True,
) -> Dataset:
    """Read Parquet as the Hugging Face hub stores it: one row for each picture.

    Parameters
    ----------
    path : str, Path or RemotePath
        One file, a folder of one whole series (``test-00000-of-00002.parquet`` ...), also in its sub-folder
        ``data``, or a pattern.
    name : str, optional
        Name of the dataset; the stem or the folder's name if not given.
    image_column, text_column, id_column, category_column, require_pictures : optional
        As for `from_huggingface`.

    Returns
    -------
    Dataset
        One item for each row. Rows are counted from 0 through all files; errors count within the file.

    Raises
    ------
    DatasetError
        A file of the series missing or corrupt, columns that differ between files, an unknown column (near
        match offered), a row without captions or picture.
    MissingExtraError
        pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("pyarrow", extra="datasets") from None
    files, stem = _files(place(path))
    return dataset_from_table(
        _ParquetTable([_open(pq, file) for file in files], files),
        name=name or stem,
        where=files[0].name,
        columns=Columns(image_column, text_column, id_column, category_column),
        require_pictures=require_pictures,
    )


def _files(path: AnyPath) -> tuple[tuple[AnyPath, ...], str]:
    if path.is_file():
        return (path,), path.stem
    if path.is_dir():
        found = [file for file in path.glob("*.parquet") if file.is_file()] or list(
            path.glob("data/*.parquet")
        )
        return whole_series(found, where=path.name), path.resolve().name or "parquet"
    names = expand_braces(path.name)
    found = [path.parent / name for name in names]
    if len(names) == 1:
        found = list(path.parent.glob(path.name))
    return whole_series(found, where=path.name), path.resolve().parent.name or "parquet"


def _open(pq: Any, path: AnyPath) -> Any:
    import pyarrow as pa

    check_plain(path)
    try:
        return pq.ParquetFile(path.open() if isinstance(path, RemotePath) else path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(
            f"the Parquet file cannot be read ({str(error).splitlines()[0]})",
            where=path.name,
            fix="fetch it again",
        ) from error


@lru_cache(maxsize=4)
def _opened_once(files: tuple[AnyPath, ...]) -> _ParquetTable:
    """Open a table that was sent to this process; all pictures that came of it share it."""
    import pyarrow.parquet as pq

    return _ParquetTable([_open(pq, file) for file in files], files)


class _ParquetTable:
    def __init__(self, tables: Sequence[Any], files: Sequence[AnyPath]) -> None:
        self._tables = tables
        self._files = files
        self._starts = [0, *accumulate(table.metadata.num_rows for table in tables)]
        self.schema = tables[0].schema_arrow
        for table, file in zip(tables, files, strict=True):
            if table.schema_arrow.names != self.schema.names:
                raise DatasetError(
                    f"the columns differ from those of '{files[0].name}'",
                    where=file.name,
                    fix="keep one series",
                )
        # neighbouring pictures share a row group: keep the last one instead of reading it for every picture
        self._group = lru_cache(maxsize=1)(self._read_group)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened_once, (tuple(self._files),)

    def columns(self, names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        values: dict[str, list[Any]] = {name: [] for name in names}
        for number, table in enumerate(self._tables):
            part = self._reading(number, lambda table=table: table.read(columns=list(names)))
            for name in names:
                values[name] += part[name].to_pylist()
        return values

    def cell(self, row: int, column: str) -> object:
        number, row = self._place(row)
        for group, start, length in self._groups(number):
            if start <= row < start + length:
                return self._group(number, group, column)[row - start].as_py()
        raise IndexError(row)

    def empty(self, column: str) -> frozenset[int]:
        rows: list[int] = []
        for number, first in enumerate(self._starts[:-1]):
            for group, start, _ in self._groups(number):
                if self._may_be_empty(number, group, column):
                    rows += [first + start + row for row in empty_cells(self._group(number, group, column))]
        return frozenset(rows)

    def where(self, row: int) -> str:
        number, row = self._place(row)
        return f"{self._files[number].name}, row {row}"

    def follow(self, path: str, *, where: str) -> PictureSource:
        return source_beside(self._files[0].parent, path, where=where)

    def _place(self, row: int) -> tuple[int, int]:
        number = bisect_right(self._starts, row) - 1
        return number, row - self._starts[number]

    def _groups(self, number: int) -> list[tuple[int, int, int]]:
        metadata = self._tables[number].metadata
        lengths = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        starts = [0, *accumulate(lengths)]
        return [(group, starts[group], length) for group, length in enumerate(lengths)]

    def _may_be_empty(self, number: int, group: int, column: str) -> bool:
        # the file's own statistics spare reading all pictures just to see that they are there
        metadata = self._tables[number].metadata.row_group(group)
        for at in range(metadata.num_columns):
            chunk = metadata.column(at)
            if chunk.path_in_schema in {column, f"{column}.bytes"} and chunk.statistics is not None:
                return not (chunk.statistics.has_null_count and chunk.statistics.null_count == 0)
        return True

    def _read_group(self, number: int, group: int, column: str) -> Any:
        return self._reading(
            number, lambda: self._tables[number].read_row_group(group, columns=[column])[column]
        )

    def _reading(self, number: int, read: Any) -> Any:
        import pyarrow as pa

        try:
            return read()
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(
                f"the Parquet file is corrupt ({error})", where=self._files[number].name, fix="fetch it again"
            ) from error
