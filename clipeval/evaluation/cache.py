"""Embeddings kept on disk: one small file for each batch, named by everything that made it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from clipeval.encoders.base import Fingerprint, Rows
from clipeval.whole_file import replace_whole

# raised whenever clipeval itself changes what a tower is given (decoding, order within a batch)
RECIPE = "1"


class EmbeddingCache:
    """A folder of embeddings.

    A key covers the tower's fingerprint, the kind of input and the content of the whole batch in its order,
    because a row can depend, in its last bits, on its company. What comes back is therefore bit for bit
    what encoding again would give. Files are written to a temporary name and renamed; one that cannot be
    read, or whose bytes do not fit their checksum, is treated as absent.

    Parameters
    ----------
    folder : Path
        Made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, fingerprint: Fingerprint, kind: str, contents: Sequence[str]) -> Path:
        text = json.dumps([RECIPE, kind, sorted(fingerprint.items()), list(contents)])
        key = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.safetensors"

    def get(self, fingerprint: Fingerprint, kind: str, contents: Sequence[str]) -> Rows | None:
        """Look a batch up.

        Parameters
        ----------
        fingerprint : mapping
            Of the tower.
        kind : str
            ``image`` or ``text``.
        contents : sequence of str
            Content hash of every input of the batch.

        Returns
        -------
        ndarray of float32, shape (n, d), or None
            None if it is not there, or not whole.
        """
        try:
            stored = load(self._path(fingerprint, kind, contents).read_bytes())
            rows, checksum = stored["rows"], stored["sha256"]
        except (OSError, SafetensorError, KeyError, ValueError, TypeError):
            return None
        if rows.ndim != 2 or len(rows) != len(contents) or rows.dtype != np.float32:
            return None
        whole = checksum.tobytes() == _checksum(rows).tobytes()
        return rows if whole and bool(np.isfinite(rows).all()) else None

    def put(self, fingerprint: Fingerprint, kind: str, contents: Sequence[str], rows: Rows) -> None:
        """Keep a batch; a folder that cannot be written to is not an error.

        Parameters
        ----------
        fingerprint, kind, contents
            As for `get`.
        rows : ndarray of float32, shape (n, d)
            What the tower gave.
        """
        path = self._path(fingerprint, kind, contents)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = np.ascontiguousarray(rows)
            replace_whole(path, [save({"rows": whole, "sha256": _checksum(whole)})])
        except OSError:
            return


def _checksum(rows: Rows) -> NDArray[np.uint8]:
    """Hash shape and values: disks lose bits, and a wrong row would never be noticed again."""
    digest = hashlib.sha256(repr(rows.shape).encode() + rows.tobytes()).digest()
    return np.frombuffer(digest, dtype=np.uint8)


def default_cache() -> EmbeddingCache:
    """Give the user's cache: ``$CLIPEVAL_CACHE``, or the platform's folder for caches.

    Examples
    --------
    >>> default_cache().folder.name
    'embeddings'
    """
    from platformdirs import user_cache_dir

    return EmbeddingCache(
        Path(os.environ.get("CLIPEVAL_CACHE") or user_cache_dir("clipeval", appauthor=False)) / "embeddings"
    )
