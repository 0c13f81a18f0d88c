"""Picture cells of Arrow tables: empty ones, and those that name a file instead of holding bytes."""

from __future__ import annotations

from typing import Any

from clipeval.data.dataset import PictureSource
from clipeval.data.remote_path import AnyPath, RemotePath
from clipeval.data.safe_path import file_inside, relative_name
from clipeval.data.sources import file_source
from clipeval.errors import PictureError


def empty_cells(cells: Any) -> list[int]:
    """Find the picture cells that hold neither bytes nor a path.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray
        A picture column; its bytes are not copied.

    Returns
    -------
    list of int
        Rows, from 0.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    absent = pc.is_null(cells)
    if pa.types.is_struct(cells.type):
        inner = [
            pc.is_null(pc.struct_field(cells, field.name))
            for field in cells.type
            if field.name in {"bytes", "path"}
        ]
        for nothing in inner[1:]:
            inner[0] = pc.and_(inner[0], nothing)
        absent = pc.or_(absent, inner[0])
    return [row for row, nothing in enumerate(absent.to_pylist()) if nothing]


def source_beside(folder: AnyPath, path: str, *, where: str) -> PictureSource:
    """Open a picture that a table names by its path, inside the table's folder only.

    Parameters
    ----------
    folder : Path or RemotePath
        The folder of the table.
    path : str
        As the table has it.
    where : str
        File and row.

    Returns
    -------
    PictureSource

    Raises
    ------
    DatasetError
        The path leaves the folder, or there is no such file (PictureError).
    """
    name = relative_name(path, where=where)
    if isinstance(folder, RemotePath):
        return file_source(folder / name, where=where)  # it is told when it is read: one question, not two
    file = file_inside(folder, name, where=where)
    if file is None:
        raise PictureError(
            f"the picture '{path}' is missing",
            where=where,
            fix=f"put it into '{folder.name}' or embed its bytes",
        )
    return file_source(file, where=where)
