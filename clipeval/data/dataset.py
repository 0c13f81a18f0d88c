"""The dataset: ordered items, each with one picture, its captions and a stable id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipeval.errors import DatasetError


@dataclass(frozen=True)
class PictureSource:
    """Where the bytes of one picture come from; nothing is read until asked for.

    Parameters
    ----------
    where : str
        What an error message calls it: a file relative to the dataset, a member of a shard, a row.
    read : callable
        Returns the encoded bytes (JPEG, PNG, ...).
    """

    where: str
    read: Callable[[], bytes] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Item:
    """One picture with its captions.

    Parameters
    ----------
    id : str
        Stable and unique in the dataset.
    captions : tuple of str
        At least one, none empty.
    picture : PictureSource or None
        None when only embeddings of the picture exist (frozen encoders).
    category : str, optional
        A label for tables by category.
    """

    id: str
    captions: tuple[str, ...]
    picture: PictureSource | None = None
    category: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Ordered items, checked when built.

    Parameters
    ----------
    name : str
        Short name for tables; never a path of the user's machine.
    items : tuple of Item
        At least one; ids unique; every item has a caption that is not blank.
    origin : str, optional
        Where it was loaded from, for this process alone: two datasets of one origin have their ids in common.

    Raises
    ------
    DatasetError
        No items, a repeated id, an item without captions, a blank caption.

    Examples
    --------
    >>> d = Dataset("two", (Item("a", ("a cat", "a pet")), Item("b", ("a dog",))))
    >>> d.n_images, d.n_captions, d.image_of_caption.tolist()
    (2, 3, [0, 0, 1])
    """

    name: str
    items: tuple[Item, ...]
    origin: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.items:
            raise DatasetError("the dataset has no items", where=self.name)
        first: dict[str, int] = {}
        for row, item in enumerate(self.items):
            if item.id in first:
                raise DatasetError(
                    f"the id '{item.id}' is used twice",
                    where=f"{self.name}, items {first[item.id]} and {row}",
                    fix="give every picture its own id or file name",
                )
            first[item.id] = row
            if not item.captions:
                raise DatasetError(
                    "an item has no caption", where=f"{self.name}, item {row} ('{item.id}')", fix="write one"
                )
            for number, caption in enumerate(item.captions):
                if not caption.strip():
                    raise DatasetError(
                        "a caption is empty",
                        where=f"{self.name}, item {row} ('{item.id}'), caption {number}",
                        fix="write the caption or remove it",
                    )

    @property
    def n_images(self) -> int:
        """Number of items (one picture each)."""
        return len(self.items)

    @property
    def n_captions(self) -> int:
        """Number of captions over all items."""
        return len(self.captions)

    @cached_property
    def captions(self) -> tuple[str, ...]:
        """All captions, item by item."""
        return tuple(caption for item in self.items for caption in item.captions)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The item ids in order."""
        return tuple(item.id for item in self.items)

    @cached_property
    def image_of_caption(self) -> NDArray[np.int64]:
        """Item index of every caption, shape ``(n_captions,)``."""
        return np.repeat(np.arange(len(self.items)), [len(item.captions) for item in self.items])

    @cached_property
    def caption_ids(self) -> tuple[str, ...]:
        """``ID#0``, ``ID#1`` ... for every caption; stable as long as the item's captions are."""
        return tuple(f"{item.id}#{number}" for item in self.items for number in range(len(item.captions)))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The distinct categories in order of first appearance."""
        return tuple(dict.fromkeys(item.category for item in self.items if item.category is not None))

    @cached_property
    def picture_hashes(self) -> tuple[str, ...]:
        """Hash of every item's picture (`clipeval.data.content.picture_hash`).

        Pictures are read for it once. A job asks several times (for each model, for the units, for its
        document), and its answers must be about the same pictures: whoever decodes one holds its bytes
        against the hash, so a file that changes meanwhile is an error, never a row under another's name.
        """
        from clipeval.data.content import picture_hash

        return tuple(picture_hash(item) for item in self.items)

    @cached_property
    def units(self) -> NDArray[np.int64]:
        """Unit of every item (`clipeval.data.content.independent_units`)."""
        from clipeval.data.content import independent_units

        return independent_units(self)

    @property
    def has_pictures(self) -> bool:
        """Whether every item has a picture that can be read."""
        return all(item.picture is not None for item in self.items)
