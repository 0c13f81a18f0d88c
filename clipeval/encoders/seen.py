"""What a bridge has learned from: enough to tell later whether an item is new to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

Digests = tuple[str, ...]


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


def text_digests(texts: Sequence[str]) -> Digests:
    """Hash texts.

    Examples
    --------
    >>> text_digests(["a cat"])[0][:8]
    '51e46741'
    """
    return tuple(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() for text in texts)
