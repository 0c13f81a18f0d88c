"""What a bridge has learned from: enough to tell later whether an item is new to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Digests = tuple[str, ...]
_DIGESTS = ("pictures", "pixels", "captions")


@dataclass(frozen=True)
class SeenPairs:
    """The training pairs of a bridge, as hashes.

    Attributes
    ----------
    name : str
        Of the training dataset.
    origin : str
        SHA-256 of where it was loaded from; a path of the user's machine is not kept.
    sha256 : str
        Of its content (`clipeval.data.content.dataset_hash`).
    ids : tuple of str
        Of its items.
    pictures, pixels : tuple of str
        SHA-256 of each item's encoded picture and of its decoded pixels; "" where the item has no picture.
    captions : tuple of str
        SHA-256 of each distinct caption.
    n_captions : int
        Pairs, counting every caption.
    """

    name: str
    origin: str
    sha256: str
    ids: tuple[str, ...]
    pictures: Digests
    pixels: Digests
    captions: Digests
    n_captions: int

    def facts(self) -> dict[str, Any]:
        """Give what a file keeps as words: all but the digests."""
        return {key: value for key, value in asdict(self).items() if key not in _DIGESTS}

    def tensors(self) -> dict[str, NDArray[np.uint8]]:
        """Give what a file keeps as arrays: 32 bytes for each digest."""
        return {f"seen_{name}": _packed(getattr(self, name)) for name in _DIGESTS}

    @classmethod
    def from_file(cls, facts: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> SeenPairs:
        """Make it again from what `facts` and `tensors` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            It was something else.

        Examples
        --------
        >>> seen = SeenPairs("two", "", "ab", ("x", "y"), ("", "ab" * 32), ("", ""), ("cd" * 32,), 2)
        >>> SeenPairs.from_file(seen.facts(), seen.tensors()) == seen
        True
        """
        digests: dict[str, Any] = {name: _unpacked(tensors[f"seen_{name}"]) for name in _DIGESTS}
        return cls(**{**facts, **digests, "ids": tuple(facts["ids"])})


def text_digests(texts: Sequence[str]) -> Digests:
    """Hash texts.

    Examples
    --------
    >>> text_digests(["a cat"])[0][:8]
    '51e46741'
    """
    return tuple(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() for text in texts)


def _packed(digests: Digests) -> NDArray[np.uint8]:
    rows = [bytes.fromhex(digest) if digest else bytes(32) for digest in digests]
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), 32)


def _unpacked(rows: NDArray[np.uint8]) -> Digests:
    return tuple(row.tobytes().hex() if row.any() else "" for row in rows)
