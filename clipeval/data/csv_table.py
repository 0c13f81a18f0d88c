"""Reader: a CSV table with the columns ``filename,category,caption``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager

from clipeval.data.columns import ALIASES, find_column, misspelt
from clipeval.data.dataset import Dataset
from clipeval.data.entries import Entry, items_from
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.data.remote_path import AnyPath, place
from clipeval.errors import DatasetError


def read_csv(path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True) -> Dataset:
    r"""Read a CSV of captions.

    The first line names the columns: the file name and the caption are needed, the category is optional,
    other columns are ignored. Several rows of one file name are its several captions. Pictures are looked for
    beside the table, in ``category/``, in ``images/`` and in ``images/category/``.

    Parameters
    ----------
    path : str, Path or RemotePath
        UTF-8, comma-separated, quoted where a caption holds a comma.
    name : str, optional
        Name of the dataset; the file's stem if not given.
    require_pictures : bool, optional
        Whether a missing picture is an error; if not, its item has no picture.

    Returns
    -------
    Dataset
        Ids are picture paths relative to the table's folder.

    Raises
    ------
    DatasetError
        Anything in the table that cannot be taken at its word; names the line.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "pets.csv")
    ...     _ = file.write_text('filename,category,caption\n1.jpg,cats,"a cat, asleep"\n')
    ...     dataset = read_csv(file, require_pictures=False)
    >>> dataset.name, dataset.captions, dataset.categories
    ('pets', ('a cat, asleep',), ('cats',))
    """
    path = place(path)
    items = items_from(_entries(path), root=path.parent, join_rows=True, require_pictures=require_pictures)
    if not items:
        raise DatasetError(
            "the table has no rows", where=path.name, fix="write filename,category,caption rows"
        )
    return Dataset(name or path.stem, items)


def _entries(path: AnyPath) -> Iterator[Entry]:
    text = decode_utf8(read_plain(path), where=path.name)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] | None = None
    start = 1
    while True:
        where = f"{path.name}, line {start}"
        try:
            with _long_fields(len(text)):
                row = next(reader, None)
        except csv.Error as error:
            raise DatasetError(
                f"this is not CSV: {error}",
                where=where,
                fix='close every quotation mark; write "" for one inside',
            ) from error
        if row is None:
            return
        if not row or (len(row) == 1 and not row[0].strip()):
            pass  # a blank line
        elif header is None:
            header = row
            columns = _columns(header, where=path.name)
        else:
            _check_width(row, header, where=where)
            file, caption, category = (row[at] if at is not None else "" for at in columns)
            if not file.strip():
                raise DatasetError("the file name is empty", where=where, fix="write it or remove the row")
            if not caption.strip():
                raise DatasetError("the caption is empty", where=where, fix="write it or remove the row")
            yield Entry(file, (caption,), category.strip() or None, where)
        start = reader.line_num + 1


def _columns(header: list[str], *, where: str) -> tuple[int, int, int | None]:
    at: dict[str, int | None] = {}
    for role in ("filename", "caption", "category"):
        column = find_column(header, role, where=where)
        wrong = misspelt(header, role) if column is None else None
        if wrong is not None:
            raise DatasetError(
                f"unknown column '{wrong}'", where=where, fix=f"did you mean '{ALIASES[role][0]}'?"
            )
        at[role] = None if column is None else header.index(column)
    file, caption = at["filename"], at["caption"]
    if file is None or caption is None:
        role = "filename" if file is None else "caption"
        odd = next((mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]), None)
        fix = f"separate the columns with commas, not {odd!r}" if odd else f"found: {', '.join(header)}"
        raise DatasetError(f"there is no column '{role}'", where=where, fix=fix)
    return file, caption, at["category"]


def _check_width(row: list[str], header: list[str], *, where: str) -> None:
    if len(row) > len(header):
        raise DatasetError(
            f"the row has {len(row)} fields, the header {len(header)}",
            where=where,
            fix='a comma inside a caption? put the caption in quotation marks: "a cat, asleep"',
        )
    if len(row) < len(header):
        raise DatasetError(
            f"the row has {len(row)} fields, the header {len(header)}",
            where=where,
            fix="write every field, empty ones too: cat.jpg,,a cat",
        )


@contextmanager
def _long_fields(size: int) -> Iterator[None]:
    # Python's limit of 131072 characters is for all readers of the process, so it is put back at once
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, size))
    try:
        yield
    finally:
        csv.field_size_limit(before)
