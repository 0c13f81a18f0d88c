"""One shard of an embedding store: a safetensors file of rows and of the ids that each row belongs to."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.base import Rows
from clipeval.encoders.store_layout import Tensor, laid_out, text_tensor
from clipeval.errors import EncoderError

SHARD_SCHEMA = "clipeval-store/1"
_LONGEST_HEADER = 2**16
_BLOCK = 2**20
_METADATA = ("kind", "plan", "shard", "sha256")


@dataclass(frozen=True)
class ShardHeader:
    """What a shard's file says about itself.

    Attributes
    ----------
    start : int
        Byte at which the rows begin; the ids' bytes follow the rows.
    rows, width : int
    ids_bytes : int
    metadata : dict of str to str
        ``kind`` (images or texts), ``plan`` (`Portion.plan`), ``shard`` (its number), ``sha256`` of the
        rows' and ids' bytes.
    """

    start: int
    rows: int
    width: int
    ids_bytes: int
    metadata: dict[str, str]


def shard_bytes(
    rows: Rows, ids: Sequence[Sequence[str]], *, kind: str, plan: str, number: int
) -> list[bytes]:
    """Lay a shard out as safetensors: the same bytes for the same content.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, d)
    ids : sequence of sequence of str
        For each row the items or captions that it belongs to, at least one.
    kind, plan, number
        See `ShardHeader`.

    Returns
    -------
    list of bytes
        Header, rows and ids, to be written one after the other.

    Examples
    --------
    >>> from safetensors.numpy import load
    >>> rows = np.eye(2, dtype=np.float32)
    >>> parts = shard_bytes(rows, [["a"], ["b", "c"]], kind="images", plan="", number=0)
    >>> load(b"".join(parts))["ids"].tobytes()
    b'[["a"],["b","c"]]'
    """
    body = Tensor("F32", rows.shape, np.ascontiguousarray(rows, dtype="<f4").tobytes())
    names = text_tensor([list(keys) for keys in ids])
    content = hashlib.sha256(body.data)
    content.update(names.data)
    metadata = {
        "format": SHARD_SCHEMA,
        "kind": kind,
        "plan": plan,
        "sha256": content.hexdigest(),
        "shard": str(number),
    }
    return laid_out({"rows": body, "ids": names}, metadata=metadata)


def read_header(path: Path, *, where: str) -> ShardHeader:
    """Read the header of a shard and hold it against the file's size.

    Parameters
    ----------
    path : Path
        A plain file.
    where : str
        Named in errors.

    Returns
    -------
    ShardHeader

    Raises
    ------
    EncoderError
        Absent, truncated, or not what `shard_bytes` writes.
    """
    if not path.is_file():
        raise EncoderError("the shard is absent", where=where)
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 0 < length <= min(_LONGEST_HEADER, max(0, size - 8)):
            raise EncoderError("the shard is truncated, or no safetensors file of a store", where=where)
        text = stream.read(length)
    try:
        document = json.loads(text)
        header = _laid_out(document, start=8 + length)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EncoderError("the shard's header is not one of a store", where=where) from None
    expected = header.start + 4 * header.rows * header.width + header.ids_bytes
    if expected != size:
        raise EncoderError(f"the shard has {size} bytes, its header promises {expected}", where=where)
    return header


def _laid_out(document: Any, *, start: int) -> ShardHeader:
    (n, width), (ids_bytes,) = document["rows"]["shape"], document["ids"]["shape"]
    if not all(type(count) is int and count > 0 for count in (n, width, ids_bytes)):
        raise ValueError
    middle = 4 * math.prod((n, width))
    layout = {
        "rows": {"data_offsets": [0, middle], "dtype": "F32", "shape": [n, width]},
        "ids": {"data_offsets": [middle, middle + ids_bytes], "dtype": "U8", "shape": [ids_bytes]},
    }
    metadata = document.pop("__metadata__")
    if document != layout or metadata["format"] != SHARD_SCHEMA:
        raise ValueError
    return ShardHeader(start, n, width, ids_bytes, {key: str(metadata[key]) for key in _METADATA})


@dataclass(frozen=True)
class ShardRows:
    """The rows of a shard; the file is open, and mapped into memory, only while some of them are taken.

    A map that stayed would keep a file open for each shard, and every page that was once touched resident.

    Attributes
    ----------
    path : Path
    header : ShardHeader
        From `read_header`.
    """

    path: Path
    header: ShardHeader

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.rows, self.header.width

    def __len__(self) -> int:
        return self.header.rows

    def __getitem__(self, rows: NDArray[np.int64]) -> Rows:
        """Load these rows: the system reads the pages that they lie on, and no others.

        Raises
        ------
        EncoderError
            The file cannot be read, or is shorter than it was.
        """
        try:
            mapped = np.memmap(self.path, "<f4", mode="r", offset=self.header.start, shape=self.shape)
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"the shard can no longer be read: {getattr(error, 'strerror', None) or error}",
                where=f"{self.path.parent.name}, shard '{self.path.name}'",
                fix="leave a store alone while it is read, and run again",
            ) from None
        return np.asarray(mapped[rows])


def read_ids(path: Path, header: ShardHeader, *, where: str) -> list[list[str]]:
    """Read for each row the ids that it belongs to.

    Raises
    ------
    EncoderError
        Not a list of lists of texts, or not one list for each row.
    """
    with path.open("rb") as stream:
        stream.seek(header.start + 4 * header.rows * header.width)
        text = stream.read()
    try:
        ids = json.loads(text)
    except (ValueError, RecursionError):
        ids = None
    if (
        not isinstance(ids, list)
        or len(ids) != header.rows
        or not all(isinstance(keys, list) and keys and all(isinstance(k, str) for k in keys) for keys in ids)
    ):
        raise EncoderError(f"the ids are not a list of ids for each of {header.rows} rows", where=where)
    return ids


def file_sha256(path: Path) -> str:
    """Hash a whole file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_and_content_sha256(path: Path, header: ShardHeader) -> tuple[str, str]:
    """Hash a shard's file, and its rows and ids alone, in one reading.

    The second is that of the metadata if rows and ids are the bytes that the header was written for.
    """
    with path.open("rb") as stream:
        whole, content = hashlib.sha256(stream.read(header.start)), hashlib.sha256()
        while block := stream.read(_BLOCK):
            whole.update(block)
            content.update(block)
    return whole.hexdigest(), content.hexdigest()
