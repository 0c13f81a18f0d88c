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

from clipeval.encoders.base import Rows
from clipeval.encoders.store_manifest import SCHEMA
from clipeval.errors import EncoderError

_LONGEST_HEADER = 2**16
_ALIGNED = 64
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
        ``kind`` (images or texts), ``plan`` (`Manifest.plan`), ``shard`` (its number), ``sha256`` of the
        rows' and ids' bytes.
    """

    start: int
    rows: int
    width: int
    ids_bytes: int
    metadata: dict[str, str]


def shard_bytes(
    rows: Rows, ids: Sequence[Sequence[str]], *, kind: str, plan: str, number: int
) -> tuple[bytes, bytes, bytes]:
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
    header, rows, ids : bytes
        To be written one after the other.

    Examples
    --------
    >>> from safetensors.numpy import load
    >>> rows = np.eye(2, dtype=np.float32)
    >>> parts = shard_bytes(rows, [["a"], ["b", "c"]], kind="images", plan="", number=0)
    >>> load(b"".join(parts))["ids"].tobytes()
    b'[["a"],["b","c"]]'
    """
    body = np.ascontiguousarray(rows, dtype="<f4").tobytes()
    # ASCII, so that half a surrogate pair (a file name that is not UTF-8) survives
    names = json.dumps([list(keys) for keys in ids], separators=(",", ":")).encode("ascii")
    middle, end = len(body), len(body) + len(names)
    header = {
        "__metadata__": {
            "format": SCHEMA,
            "kind": kind,
            "plan": plan,
            "sha256": hashlib.sha256(body + names).hexdigest(),
            "shard": str(number),
        },
        "ids": {"data_offsets": [middle, end], "dtype": "U8", "shape": [len(names)]},
        "rows": {"data_offsets": [0, middle], "dtype": "F32", "shape": list(rows.shape)},
    }
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode("ascii")
    text += b" " * (-(len(text) + 8) % _ALIGNED)
    return len(text).to_bytes(8, "little") + text, body, names


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
    if document != layout or metadata["format"] != SCHEMA:
        raise ValueError
    return ShardHeader(start, n, width, ids_bytes, {key: str(metadata[key]) for key in _METADATA})


def mapped_rows(path: Path, header: ShardHeader) -> Rows:
    """Map the rows of a shard: the system reads the pages that are touched, and no others."""
    return np.memmap(path, dtype="<f4", mode="r", offset=header.start, shape=(header.rows, header.width))


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


def content_is_whole(path: Path, header: ShardHeader) -> bool:
    """Say whether rows and ids are the bytes that the header was written for."""
    with path.open("rb") as stream:
        stream.seek(header.start)
        return hashlib.file_digest(stream, "sha256").hexdigest() == header.metadata["sha256"]
