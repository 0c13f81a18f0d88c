"""Reads embeddings and their ids from npy, npz and safetensors files that may be broken or hostile."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from clipeval.encoders.base import Rows
from clipeval.encoders.store_rows import MappedRows
from clipeval.errors import EncoderError, NotAvailableError, near

ENDINGS = (".npy", ".npz", ".safetensors")
ID_NAMES = {"images": ("image_ids", "item_ids"), "texts": ("caption_ids", "text_ids")}
FLOATS = {"float16", "float32", "float64"}


@dataclass(frozen=True)
class StoredRows:
    """Rows from a file, with the ids that came along.

    Parameters
    ----------
    path : Path
        The file.
    array : str
        Which array of the file.
    dtype : str
        As stored; ``rows`` are float32.
    rows : ndarray of float32 or MappedRows, shape (n, d)
        Finite; those of a store are loaded, and checked, when they are asked for.
    ids : tuple of str, optional
        One for each row, no repetition.
    ids_path : Path, optional
        The JSON file that they came from, if not the file itself.
    absent : str, optional
        What to do where an id is asked for that is not here.
    """

    path: Path
    array: str
    dtype: str
    rows: Rows | MappedRows
    ids: tuple[str, ...] | None = None
    ids_path: Path | None = None
    absent: str = "use the dataset of these embeddings; caption ids are written ITEM#0, ITEM#1 ..."


def read_stored(
    path: Path, *, modality: str, tensor: str | None = None, ids: str | None = None
) -> StoredRows:
    """Read the embeddings of one modality.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz`` or ``.safetensors``.
    modality : {"images", "texts"}
        Which array and which ids.
    tensor : str, optional
        Name of the array; by default ``modality``, or the only array that is not one of ids. Several names
        with commas between them: one below the other.
    ids : str, optional
        JSON file, relative to the folder of ``path``.

    Returns
    -------
    StoredRows

    Raises
    ------
    EncoderError
        Says which file, array and row.
    NotAvailableError
        There is no such file.
    """
    where = path.name
    ends = f"a file that ends with {', '.join(ENDINGS)}"
    if path.is_dir():
        raise EncoderError(f"'{path}' is a folder", fix=f"name {ends}")
    if not path.is_file():
        raise NotAvailableError(f"there is no file '{path}'", fix=f"name {ends}")
    if path.suffix not in ENDINGS:
        raise EncoderError(
            f"embeddings cannot be read from '{path.suffix or path.name}' files",
            where=where,
            fix=f"use {', '.join(ENDINGS)}",
        )
    several = tensor.split(",") if tensor else []
    if len(several) > 1:
        return _below([read_stored(path, modality=modality, tensor=one, ids=ids) for one in several])
    reader = {".npy": _read_npy, ".npz": _read_npz, ".safetensors": _read_safetensors}[path.suffix]
    try:
        array, values, inner = reader(path, modality, tensor)
    except EncoderError:
        raise
    except Exception as error:  # hostile bytes can fail anywhere in a parser
        raise EncoderError(
            f"cannot read the file: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}",
            where=where,
            fix="the file is truncated or not what its ending says; arrays of objects are refused",
        ) from error
    rows = _checked(values, where=f"{where}, {array}")
    outer = _ids_file(path, ids)
    keys = _ids_from(outer, array=array, modality=modality) if outer else inner
    if keys is not None:
        _check_ids(keys, expected=len(rows), where=f"{(outer or path).name}, ids of {array}")
    return StoredRows(path, array, str(values.dtype), rows, keys, outer)


def _below(parts: Sequence[StoredRows]) -> StoredRows:
    """Put several arrays of one file below each other."""
    first = parts[0]
    where = f"{first.path.name}, {' and '.join(part.array for part in parts)}"
    widths = sorted({part.rows.shape[1] for part in parts})
    if len(widths) > 1:
        raise EncoderError(f"the arrays have different widths: {', '.join(map(str, widths))}", where=where)
    known = [key for part in parts for key in part.ids or ()]
    rows = np.concatenate([np.asarray(part.rows) for part in parts])
    if known:
        _check_ids(known, expected=len(rows), where=where)
    return replace(
        first,
        array=",".join(part.array for part in parts),
        dtype=", ".join(dict.fromkeys(part.dtype for part in parts)),
        rows=rows,
        ids=tuple(known) or None,
    )


def _checked(values: NDArray[Any], *, where: str) -> Rows:
    if values.dtype.name not in FLOATS:
        raise _not_float(str(values.dtype), where=where)
    if values.ndim != 2 or 0 in values.shape:
        raise EncoderError(f"embeddings have shape {values.shape}, not (n, d)", where=where)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is refused below
        rows = values.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        raise EncoderError(
            f"row {int(bad[0])} holds NaN or infinity ({bad.size} of {len(rows)} rows do)",
            where=where,
            fix="embed these items again: such a row has no cosine with anything",
        )
    return rows


def _not_float(dtype: str, *, where: str) -> EncoderError:
    return EncoderError(
        f"embeddings are stored as {dtype}, not one of {', '.join(sorted(FLOATS))}",
        where=where,
        fix="convert them: rows.astype('float32'), times their scale if they were quantised to whole numbers",
    )


def _check_ids(keys: Sequence[str], *, expected: int, where: str) -> None:
    if len(keys) != expected:
        raise EncoderError(f"{len(keys)} ids for {expected} rows", where=where)
    seen: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key in seen:
            raise EncoderError(f"the id '{key}' is used twice", where=f"{where}, rows {seen[key]} and {row}")
        seen[key] = row


def _pick(names: Sequence[str], *, modality: str, tensor: str | None, where: str) -> str:
    """Choose the array: the named one, the one called as the modality, or the only one."""
    wanted = tensor or modality
    if wanted in names:
        return wanted
    if tensor is None and len(names) == 1 and names[0] not in ID_NAMES:
        return names[0]
    raise EncoderError(f"the file has no array '{wanted}'", where=where, fix=near(wanted, names))


def _read_npy(
    path: Path, modality: str, tensor: str | None
) -> tuple[str, NDArray[Any], tuple[str, ...] | None]:
    if tensor is not None:
        raise EncoderError(f"an npy file has no array '{tensor}'", where=path.name, fix="leave the name out")
    with path.open("rb") as stream:
        values = _npy(stream, size=path.stat().st_size)
    if values.ndim == 3 and len(values) == 2:
        return f"{modality} of 2", values[0 if modality == "images" else 1], None
    if values.ndim == 2:
        return modality, values, None
    raise EncoderError(
        f"the array has shape {values.shape}",
        where=path.name,
        fix="store (2, n, d), images then texts, or (n, d)",
    )


def _npy(stream: IO[bytes], *, size: int) -> NDArray[Any]:
    """Read one npy array, refusing a header that promises more bytes than there are."""
    start = stream.tell()
    major, _ = npy_format.read_magic(stream)
    header = npy_format.read_array_header_1_0 if major == 1 else npy_format.read_array_header_2_0
    shape, _, dtype = header(stream)
    promised = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("arrays of Python objects are not read")
    if promised > size:
        raise ValueError(f"the header promises {promised} bytes, the file has {size}")
    stream.seek(start)
    return np.asarray(npy_format.read_array(stream, allow_pickle=False))


def _read_npz(
    path: Path, modality: str, tensor: str | None
) -> tuple[str, NDArray[Any], tuple[str, ...] | None]:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        id_names = {name for names in ID_NAMES.values() for name in names}
        array = _pick(
            [n for n in members if n not in id_names], modality=modality, tensor=tensor, where=path.name
        )

        def read(name: str) -> NDArray[Any]:
            with archive.open(members[name]) as stream:
                return _npy(stream, size=members[name].file_size)

        keys = None
        for name in ID_NAMES[modality]:
            if name in members:
                raw = read(name)
                if raw.ndim != 1 or raw.dtype.kind not in "USiu":
                    raise EncoderError("ids must be a list of strings", where=f"{path.name}, {name}")
                keys = tuple(k.decode() if isinstance(k, bytes) else str(k) for k in raw.tolist())
                break
        return array, read(array), keys


def _read_safetensors(
    path: Path, modality: str, tensor: str | None
) -> tuple[str, NDArray[Any], tuple[str, ...] | None]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        array = _pick(list(file.keys()), modality=modality, tensor=tensor, where=path.name)
        dtype = file.get_slice(array).get_dtype()
        if dtype not in {"F16", "F32", "F64"}:
            raise _not_float(dtype, where=f"{path.name}, {array}")
        metadata = file.metadata() or {}
        keys = None
        for name in ID_NAMES[modality]:
            if name in metadata:
                keys = _strings(
                    _json(metadata[name], where=f"{path.name}, {name}"), where=f"{path.name}, {name}"
                )
                break
        return array, file.get_tensor(array), keys


def _ids_file(path: Path, ids: str | None) -> Path | None:
    """Find the JSON file of ids: the named one, or one that is called after the embeddings."""
    if ids is not None:
        named = path.parent / Path(ids).expanduser()
        if not named.is_file():
            known = [p.name for p in path.parent.glob("*.json")]
            raise EncoderError(f"there is no file of ids '{ids}'", where=path.name, fix=near(ids, known))
        return named
    beside = (path.with_name(f"{path.stem}{middle}ids.json") for middle in ("-", "_", "."))
    return next((candidate for candidate in beside if candidate.is_file()), None)


def _ids_from(path: Path, *, array: str, modality: str) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EncoderError(f"cannot read the ids: {error}", where=path.name) from None
    document = _json(text, where=path.name)
    if isinstance(document, dict):
        names = [array, modality, *ID_NAMES[modality]]
        name = next((n for n in names if n in document), None)
        if name is None:
            raise EncoderError(f"no ids for '{array}'", where=path.name, fix=near(array, document))
        document = document[name]
    return _strings(document, where=path.name)


def _json(text: str, *, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"the ids are not JSON: {error}", where=where) from None


def _strings(value: object, *, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(key, str | int) for key in value):
        raise EncoderError("ids must be a list of strings", where=where)
    return tuple(str(key) for key in value)
