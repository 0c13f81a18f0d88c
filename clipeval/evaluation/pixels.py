"""Hashes of decoded pictures: two files of the same pixels are the same picture, however they are packed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from clipeval.data.content import item_hashes
from clipeval.data.dataset import Dataset, PictureSource
from clipeval.data.pictures import read_picture
from clipeval.encoders.base import Rows
from clipeval.errors import PictureError
from clipeval.evaluation.cache import EmbeddingCache

AT_ONCE = 512
THREADS = 2
"""Pillow decodes without holding Python's lock; more threads than this would take other jobs' cores."""

_RECIPE = {"sha256 of": "width, height and RGB bytes of the upright picture"}


def pixel_hashes(dataset: Dataset, *, cache: EmbeddingCache | None = None) -> tuple[str, ...]:
    """Hash the decoded pixels of every picture.

    Parameters
    ----------
    dataset : Dataset
        Any.
    cache : EmbeddingCache, optional
        Where hashes are kept, by the hash of the encoded picture.

    Returns
    -------
    tuple of str
        SHA-256 (hexadecimal); "" for an item without a picture, or whose picture cannot be decoded.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> pixel_hashes(Dataset("one", (Item("a", ("a cat",)),)))
    ('',)
    """
    sources = {
        digest: item.picture
        for digest, item in zip(item_hashes(dataset), dataset.items, strict=True)
        if item.picture is not None
    }
    order = sorted(sources)
    found: dict[str, str] = {}
    for start in range(0, len(order), AT_ONCE):
        part = order[start : start + AT_ONCE]
        rows = cache.get(_RECIPE, "pixels", part) if cache else None
        if rows is None:
            rows = _hashed([sources[digest] for digest in part], part)
            if cache:
                cache.put(_RECIPE, "pixels", part, rows)
        found |= {digest: _words(row) for digest, row in zip(part, rows, strict=True)}
    return tuple(found.get(digest, "") for digest in item_hashes(dataset))


def _hashed(sources: Sequence[PictureSource], digests: Sequence[str]) -> Rows:
    """Give each digest as 32 numbers from 0 to 255, which a cache of rows holds exactly; zeros for none."""

    def one(source: PictureSource, digest: str) -> bytes:
        try:
            picture = read_picture(source, sha256=digest)
        except PictureError:
            return bytes(32)
        return hashlib.sha256(f"{picture.width} {picture.height} ".encode() + picture.tobytes()).digest()

    with ThreadPoolExecutor(THREADS) as threads:
        hashed = b"".join(threads.map(one, sources, digests))
    return np.frombuffer(hashed, dtype=np.uint8).reshape(-1, 32).astype(np.float32)


def _words(row: Rows) -> str:
    return row.astype(np.uint8).tobytes().hex() if row.any() else ""
