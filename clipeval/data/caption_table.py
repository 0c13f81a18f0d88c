"""From an Arrow table with image and text columns to items, whatever keeps the table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from clipeval.data.columns import ALIASES, find_column
from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.data.json_text import captions_from
from clipeval.errors import DatasetError, PictureError, near

_NUMBERED_CAPTION = re.compile(r"^(caption|captions|text|sentence)_?\d+$")


@dataclass(frozen=True)
class Columns:
    """Which columns to use; None means "find out".

    Parameters
    ----------
    image : str, optional
        Encoded pictures: ``{"bytes", "path"}`` as ``datasets`` stores them, bytes, or (if named) paths.
    text : str or sequence of str, optional
        One column of captions or of lists of captions, or several columns of one caption each.
    id : str, optional
        Item ids; row numbers where no column is called ``id``, ``image_id``, ``filename``, ``file_name`` or
        ``key``.
    category : str, optional
        Labels.
    """

    image: str | None = None
    text: str | Sequence[str] | None = None
    id: str | None = None
    category: str | None = None


class CaptionTable(Protocol):
    """A table that can be read column by column, and its pictures one by one."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema``."""
        ...

    def columns(self, names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        """Read whole columns (texts, never pictures)."""
        ...

    def cell(self, row: int, column: str) -> object:
        """Read one picture cell."""
        ...

    def empty(self, column: str) -> frozenset[int]:
        """Rows whose picture cell holds neither bytes nor a path."""
        ...

    def where(self, row: int) -> str:
        """Name a row in an error."""
        ...

    def follow(self, path: str, *, where: str) -> PictureSource:
        """Open a picture that is named by its path instead of embedded."""
        ...


def dataset_from_table(
    table: CaptionTable, *, name: str, where: str, columns: Columns, require_pictures: bool
) -> Dataset:
    """Make a dataset of one item for each row.

    Parameters
    ----------
    table : CaptionTable
        The rows.
    name : str
        Name of the dataset.
    where : str
        What errors about columns call the table.
    columns : Columns
        The user's choice.
    require_pictures : bool
        Whether a row without a picture is an error.

    Returns
    -------
    Dataset
        Class labels of ``datasets`` become their names; rows in errors are counted from 0.

    Raises
    ------
    DatasetError
        An unknown column (near match offered), none or several that fit, a row without captions, picture or
        id.
    """
    schema = table.schema
    image = _image_column(schema, columns.image, where=where, needed=require_pictures)
    texts = _text_columns(schema, columns.text, where=where)
    ids = find_column(schema.names, "id", where=where, chosen=columns.id)
    categories = find_column(schema.names, "category", where=where, chosen=columns.category)
    if categories in texts:
        categories = None
    values = table.columns(list(dict.fromkeys([*texts, *(column for column in (ids, categories) if column)])))
    without = table.empty(image) if image is not None else frozenset()
    labels = _class_names(schema, categories)
    lock = Lock()
    first: dict[str, int] = {}
    items = []
    for row in range(len(values[texts[0]])):
        place = table.where(row)
        if row in without and require_pictures:
            raise DatasetError(
                f"the row has no picture in '{image}'", where=place, fix="add it or drop the row"
            )
        value = row if ids is None else values[ids][row]
        if value is None or value == "":
            raise DatasetError(f"the id in '{ids}' is empty", where=place, fix="write it")
        key = str(value)
        if key in first:
            raise DatasetError(
                f"the id '{key}' (column '{ids}') is used twice",
                where=f"{table.where(first[key])} and {place}",
                fix="keep one row for each picture, its captions in a list column",
            )
        first[key] = row
        captions = tuple(
            caption
            for column in texts
            for caption in captions_from(values[column][row], where=f"{place}, column '{column}'")
        )
        category = None if categories is None else _label(values[categories][row], labels)
        source = None
        if image is not None and row not in without:
            source = PictureSource(place, _Cell(table, row, image, place, lock))
        items.append(Item(key, captions, source, category))
    if not items:
        raise DatasetError("the table has no rows", where=where, fix="check that it was saved completely")
    return Dataset(name, tuple(items))


@dataclass(frozen=True)
class _Cell:
    """Reads one picture; sent to another process, it takes its table along, which says how it travels."""

    table: CaptionTable
    row: int
    column: str
    where: str
    one_at_a_time: Lock

    def __call__(self) -> bytes:
        # pictures are decoded in several threads, and not every table can be read by two at once
        with self.one_at_a_time:
            cell = self.table.cell(self.row, self.column)
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if isinstance(data, bytes):
            return data
        path = cell.get("path") if isinstance(cell, dict) else cell
        if not isinstance(path, str):
            raise PictureError(
                f"the cell holds {type(cell).__name__}, not a picture",
                where=self.where,
                fix="name another image column",
            )
        return self.table.follow(path, where=self.where).read()

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self.table, self.row, self.column, self.where)


_ARRIVED = Lock()


def _arrived(table: CaptionTable, row: int, column: str, where: str) -> _Cell:
    return _Cell(table, row, column, where, _ARRIVED)


def _image_column(schema: Any, chosen: str | None, *, where: str, needed: bool) -> str | None:
    import pyarrow as pa

    if chosen is not None:
        return find_column(schema.names, "filename", where=where, chosen=chosen)
    fits = [
        field.name
        for field in schema
        if pa.types.is_binary(field.type)
        or pa.types.is_large_binary(field.type)
        or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    named = [name for name in fits if name.lower() in ALIASES["filename"]]
    if len(named) == 1 or len(fits) == 1:
        return str((named or fits)[0])
    if not fits and not needed:
        return None
    raise DatasetError(
        f"the image column could be any of {', '.join(fits)}" if fits else "there is no column of pictures",
        where=where,
        fix=f"name it with image_column; the columns are {', '.join(schema.names)}",
    )


def _text_columns(schema: Any, chosen: str | Sequence[str] | None, *, where: str) -> list[str]:
    if chosen is not None:
        names = [chosen] if isinstance(chosen, str) else list(chosen)
        if not names:
            raise DatasetError(
                "no text column is named", where=where, fix="name one or leave text_column out"
            )
        for name in names:
            find_column(schema.names, "caption", where=where, chosen=name)
        return names
    texts = [field.name for field in schema if _is_text(field.type)]
    found = find_column(texts, "caption", where=where)
    if found is not None:
        return [found]
    numbered = [name for name in texts if _NUMBERED_CAPTION.match(name.lower())]
    if numbered:
        return numbered
    raise DatasetError(
        "there is no column of captions",
        where=where,
        fix=f"name it with text_column; {near('caption', texts or schema.names)}",
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _class_names(schema: Any, column: str | None) -> list[str] | None:
    import json

    written = (schema.metadata or {}).get(b"huggingface")
    if column is None or written is None:
        return None
    feature = json.loads(written).get("info", {}).get("features", {}).get(column, {})
    names = feature.get("names") if isinstance(feature, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else None


def _label(value: object, names: list[str] | None) -> str | None:
    if value is None or value == "":
        return None
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value)
