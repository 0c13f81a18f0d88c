"""Reader: a table of products (``styles.csv``), its pictures in ``images/ID.jpg``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from clipeval.data.dataset import Dataset, Item
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.data.remote_path import AnyPath, place
from clipeval.data.safe_path import file_inside
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError

NAME, ID, CATEGORY = "productdisplayname", "id", "mastercategory"
ENDINGS = (".jpg", ".png")


def is_product_table(path: AnyPath) -> bool:
    """Say whether the first line of a CSV names the columns of a product table.

    Examples
    --------
    >>> from pathlib import Path
    >>> is_product_table(Path("no such file.csv"))
    False
    """
    try:
        with path.open("rb") as file:
            line = file.readline(4096)
    except OSError:
        return False
    return {NAME, ID} <= set(_header(line.decode("utf-8-sig", errors="replace")))


def read_products(path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True) -> Dataset:
    r"""Read a table of products as published with Fashion Product Images (Small).

    Captions are ``productDisplayName``, categories ``masterCategory``, pictures ``images/ID.jpg``. The
    published file has faults, and they are treated so:

    * the name is the last column and its commas are not quoted: further fields are parts of it;
    * a few rows have no name, and a few no picture: they are left out, and the dataset's name says how many,
      so that a part never passes for the whole.

    Parameters
    ----------
    path : str, Path or RemotePath
        UTF-8, comma-separated, with the columns ``id`` and, last, ``productDisplayName``.
    name : str, optional
        Name of the dataset; the file's stem if not given.
    require_pictures : bool, optional
        Whether a product without a picture is left out; if not, its item has no picture.

    Returns
    -------
    Dataset
        Ids are those of the table.

    Raises
    ------
    DatasetError
        Not such a table, a row that is too short, no row with a name and a picture.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "styles.csv")
    ...     _ = file.write_text("id,masterCategory,productDisplayName\n7,Apparel,Shirt, blue\n8,Apparel,\n")
    ...     dataset = read_products(file, require_pictures=False)
    >>> dataset.name, dataset.captions, dataset.categories
    ('styles[without 1 of 2 rows: 1 unnamed]', ('Shirt, blue',), ('Apparel',))
    """
    path = place(path)
    items: list[Item] = []
    unnamed = without = 0
    for row, where in _rows(path):
        key, caption = row[ID].strip(), row[NAME].strip()
        if not key:
            raise DatasetError("the id is empty", where=where, fix="write it or remove the row")
        if not caption:
            unnamed += 1
            continue
        found = _picture(path.parent, key, where=where)
        if found is None and require_pictures:
            without += 1
            continue
        source = file_source(path.parent / found, where=f"{found} ({where})") if found else None
        items.append(Item(key, (caption,), source, row.get(CATEGORY, "").strip() or None))
    total = len(items) + unnamed + without
    if not items:
        raise DatasetError(
            f"zero pictures found: not one of the {total} products has a name and a picture"
            if total
            else "the table has no rows",
            where=path.name,
            fix=f"put the pictures into '{path.parent.name or '.'}/images', named ID.jpg",
        )
    parts = [f"{count} {word}" for count, word in ((unnamed, "unnamed"), (without, "no picture")) if count]
    left_out = f"[without {unnamed + without} of {total} rows: {', '.join(parts)}]" if parts else ""
    return Dataset(f"{name or path.stem}{left_out}", tuple(items))


def _rows(path: AnyPath) -> Iterator[tuple[dict[str, str], str]]:
    lines = csv.reader(io.StringIO(decode_utf8(read_plain(path), where=path.name), newline=""))
    header: list[str] = []
    for row in lines:
        where = f"{path.name}, line {lines.line_num}"
        if not any(cell.strip() for cell in row):
            continue
        if not header:
            header = [column.strip().lower() for column in row]
            if ID not in header or header[-1] != NAME:
                raise DatasetError(
                    "a product table has a column 'id', and 'productDisplayName' as its last",
                    where=where,
                    fix=f"found: {', '.join(row)}",
                )
            continue
        if len(row) < len(header):
            raise DatasetError(
                f"the row has {len(row)} fields, the header {len(header)}",
                where=where,
                fix="write every field, empty ones too",
            )
        whole = [*row[: len(header) - 1], ",".join(row[len(header) - 1 :])]
        yield dict(zip(header, whole, strict=True)), where


def _picture(root: AnyPath, key: str, *, where: str) -> str | None:
    for ending in ENDINGS:
        name = f"images/{key}{ending}"
        if file_inside(root, name, where=where):
            return name
    return None


def _header(line: str) -> list[str]:
    return [column.strip().lower() for column in next(csv.reader([line]), [])]
