"""The embeddings of a baseline: a safetensors file beside it, whose name holds its hash.

The JSON names the file and its hash. New rows therefore never take the place of old ones, and at every moment
the JSON names rows that are there and are its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from clipeval.baseline.document import FORMAT, RowsFile
from clipeval.baseline.plain_bytes import read_bytes
from clipeval.baseline.snapshot import Snapshot, rows_sha256
from clipeval.baseline.strict_json import is_pointer
from clipeval.encoders.base import Rows
from clipeval.errors import BaselineError

MAX_BYTES = 4 * 2**30
"""A larger file is not read."""

AGAIN = (
    "restore both files from one commit, or write them again with clipeval baseline save --embeddings --force"
)


def rows_content(snapshot: Snapshot) -> bytes:
    """Write the rows as safetensors; the same rows give the same bytes.

    Written here rather than with the library, which orders the keys of the header at random. The format:
    length of the header in 8 bytes, JSON, values (https://github.com/huggingface/safetensors#format).

    Parameters
    ----------
    snapshot : Snapshot
        With rows.

    Returns
    -------
    bytes
        Arrays ``images`` and ``texts``, float32, in canonical order.

    Raises
    ------
    BaselineError
        It has no rows, or other ones than its hashes and items say.
    """
    if snapshot.images is None or snapshot.texts is None:
        raise BaselineError(
            "the evaluation holds no embeddings to keep", fix="leave embeddings out, or measure again"
        )
    why = _misfit(snapshot, snapshot.images, snapshot.texts)
    if why:
        raise BaselineError(f"the embeddings are not those of the evaluation: {why}", fix="measure again")
    header: dict[str, object] = {"__metadata__": {"format": f"{FORMAT} embeddings", "version": "1"}}
    end = 0
    for name, rows in (("images", snapshot.images), ("texts", snapshot.texts)):
        start, end = end, end + rows.nbytes
        header[name] = {"dtype": "F32", "shape": list(rows.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the values
    values = [np.ascontiguousarray(rows, dtype="<f4").tobytes() for rows in (snapshot.images, snapshot.texts)]
    return b"".join([len(text).to_bytes(8, "little"), text, *values])


def rows_file(path: Path, content: bytes) -> RowsFile:
    """Name the file for a baseline's rows.

    Examples
    --------
    >>> rows_file(Path("clip.json"), b"rows").name
    'clip-bc51e9e65d79.safetensors'
    """
    sha256 = hashlib.sha256(content).hexdigest()
    return RowsFile(f"{_stem(path)}-{sha256[:12]}.safetensors", sha256)


def read_rows(path: Path, rows: RowsFile, snapshot: Snapshot) -> tuple[Rows, Rows] | str:
    """Read the rows of a baseline.

    Parameters
    ----------
    path : Path
        The baseline.
    rows : RowsFile
        What it says of them.
    snapshot : Snapshot
        The baseline without rows.

    Returns
    -------
    (images, texts) or str
        Why they are not here: absent, or not fetched by git-lfs.

    Raises
    ------
    BaselineError
        Another file than that of the baseline.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    beside = path.parent / rows.name
    content = read_bytes(beside, limit=MAX_BYTES)
    if content is None or is_pointer(content):
        why = "is not beside the baseline" if content is None else "was not fetched: run git lfs pull"
        return f"the baseline's embeddings are not here: '{rows.name}' {why}"
    if hashlib.sha256(content).hexdigest() != rows.sha256:
        raise BaselineError(
            "the embeddings are not those of the baseline: their SHA-256 differs",
            where=str(beside),
            fix=AGAIN,
        )
    try:
        stored = load(content)
        images, texts = stored["images"], stored["texts"]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise BaselineError(
            f"the embeddings cannot be read: {type(error).__name__}", where=str(beside), fix=AGAIN
        ) from error
    why = _misfit(snapshot, images, texts)
    if why:
        raise BaselineError(
            f"the embeddings are not those of the baseline: {why}", where=str(beside), fix=AGAIN
        )
    return images, texts


def remove_other_rows(path: Path, *, keep: RowsFile | None) -> None:
    """Remove earlier rows of a baseline: files of its name that still hold what the hash in their name says.

    Parameters
    ----------
    path : Path
        The baseline; its lock is held.
    keep : RowsFile or None
        Those of now.
    """
    pattern = re.compile(re.escape(_stem(path)) + r"-([0-9a-f]{12})\.safetensors")
    for beside in list(path.parent.iterdir()):
        match = pattern.fullmatch(beside.name)
        if not match or (keep and beside.name == keep.name) or beside.is_symlink() or not beside.is_file():
            continue
        with beside.open("rb") as stream:
            unchanged = hashlib.file_digest(stream, "sha256").hexdigest().startswith(match[1])
        if unchanged:
            beside.unlink(missing_ok=True)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".json")


def _misfit(snapshot: Snapshot, images: Rows, texts: Rows) -> str:
    captions = sum(len(item.captions) for item in snapshot.items)
    for name, rows, n, sha256 in (
        ("images", images, len(snapshot.items), snapshot.images_sha256),
        ("texts", texts, captions, snapshot.texts_sha256),
    ):
        if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != n:
            return f"'{name}' must be float32 of shape ({n}, d), not {rows.dtype} of shape {rows.shape}"
        if not np.isfinite(rows).all():
            return f"'{name}' holds NaN or infinity"
        if rows_sha256(rows) != sha256:
            return f"'{name}' has another hash"
    return "" if images.shape[1] == texts.shape[1] else "pictures and captions have another width"
