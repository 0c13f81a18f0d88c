"""What a dataset holds, as hashes: for caches, and to tell a whole dataset from a part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipeval.data.dataset import Dataset, Item
from clipeval.data.picture_bytes import picture_bytes


def picture_hash(item: Item) -> str:
    """Hash the picture of an item.

    Parameters
    ----------
    item : Item
        With or without a picture.

    Returns
    -------
    str
        SHA-256 (hexadecimal) of the encoded bytes; of ``id:`` and the id where there is no picture.

    Raises
    ------
    PictureError
        The bytes cannot be read.

    Examples
    --------
    >>> picture_hash(Item("a", ("a cat",)))[:8]
    '85a0aaf3'
    """
    if item.picture is None:
        return hashlib.sha256(b"id:" + item.id.encode(errors="surrogatepass")).hexdigest()
    return hashlib.sha256(picture_bytes(item.picture)).hexdigest()


def item_hashes(dataset: Dataset) -> tuple[str, ...]:
    """Hash the picture of every item.

    Parameters
    ----------
    dataset : Dataset
        Its pictures are read one after the other, the first time somebody asks; see `Dataset.picture_hashes`.

    Returns
    -------
    tuple of str
        `picture_hash` of every item, in order.

    Examples
    --------
    >>> len(item_hashes(Dataset("two", (Item("a", ("a cat",)), Item("b", ("a dog",))))))
    2
    """
    return dataset.picture_hashes


def captions_hash(item: Item) -> str:
    """Hash the captions of an item, in their order.

    Parameters
    ----------
    item : Item

    Returns
    -------
    str
        SHA-256 (hexadecimal) of their canonical JSON.

    Examples
    --------
    >>> one, other = Item("a", ("a cat", "a pet")), Item("a", ("a pet", "a cat"))
    >>> captions_hash(one) == captions_hash(other)
    False
    """
    return hashlib.sha256(json.dumps(item.captions, separators=(",", ":")).encode()).hexdigest()


def dataset_hash(dataset: Dataset, *, pictures: Sequence[str] | None = None) -> str:
    """Hash everything that a result can depend on: ids, pictures, captions, categories and their order.

    Parameters
    ----------
    dataset : Dataset
        Its name does not count.
    pictures : sequence of str, optional
        `item_hashes`, if they are already known: pictures are then not read.

    Returns
    -------
    str
        SHA-256 (hexadecimal) over one line of canonical JSON for each item:
        ``[id, picture hash, [captions], category]``.

    Examples
    --------
    >>> one = Dataset("one", (Item("a", ("a cat",)),))
    >>> dataset_hash(one) == dataset_hash(Dataset("renamed", one.items))
    True
    >>> dataset_hash(one) == dataset_hash(Dataset("one", (Item("a", ("a dog",)),)))
    False
    """
    digest = hashlib.sha256()
    for item, picture in zip(dataset.items, pictures or item_hashes(dataset), strict=True):
        line = json.dumps([item.id, picture, item.captions, item.category], separators=(",", ":"))
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def independent_units(dataset: Dataset) -> NDArray[np.int64]:
    """Group the items that statistics must not count as independent: same picture, or same caption.

    Parameters
    ----------
    dataset : Dataset
        Its pictures are read one after the other.

    Returns
    -------
    ndarray of int, shape (n_images,)
        For every item the first item that it is connected with, by equal picture bytes or an equal caption,
        directly or through others. Near-duplicates are not recognised.

    Examples
    --------
    >>> items = (Item("a", ("a cat",)), Item("b", ("a dog",)), Item("c", ("a pet", "a cat")))
    >>> independent_units(Dataset("three", items)).tolist()
    [0, 1, 0]
    """
    return connected_units(item_hashes(dataset), [item.captions for item in dataset.items])


def connected_units(pictures: Sequence[str], captions: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Group items by equal picture hash or equal caption, directly or through others.

    Parameters
    ----------
    pictures : sequence of str, length n
        Hash of each item's picture.
    captions : sequence of sequences of str, length n
        Its captions.

    Returns
    -------
    ndarray of int, shape (n,)
        For every item the first item that it is connected with.

    Examples
    --------
    >>> connected_units(["x", "y", "x"], [["a cat"], ["a dog"], ["a pet"]]).tolist()
    [0, 1, 0]
    """
    leader = list(range(len(pictures)))

    def lead(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]  # halving the path keeps long chains short
            row = leader[row]
        return row

    first: dict[tuple[str, str], int] = {}
    for row, (picture, texts) in enumerate(zip(pictures, captions, strict=True)):
        for content in [("picture", picture), *(("caption", text) for text in texts)]:
            one, other = sorted((lead(row), lead(first.setdefault(content, row))))
            leader[other] = one
    return np.array([lead(row) for row in range(len(pictures))], dtype=np.int64)
