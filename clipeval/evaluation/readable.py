"""The items of a dataset whose pictures can be decoded; the others are listed, never lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

from clipeval.data.dataset import Dataset, Item
from clipeval.data.pictures import read_picture
from clipeval.errors import PictureError
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.overlap import usable_cores

Looked: TypeAlias = Callable[[Dataset], Iterator[str]]
"""Gives for each item, in order, why its picture cannot be decoded; "" where nothing is wrong."""


@dataclass(frozen=True)
class Skipped:
    """An item that was left out.

    Attributes
    ----------
    id : str
    reason : str
    """

    id: str
    reason: str


def readable_part(
    dataset: Dataset, *, looked: Looked | None = None, progress: Progress | None = None
) -> tuple[Dataset, tuple[Skipped, ...]]:
    """Leave out the items whose pictures cannot be decoded.

    Parameters
    ----------
    dataset : Dataset
        Each of its pictures is decoded once for this.
    looked : callable, optional
        Who decodes them; by default threads of this process.
    progress : callable, optional
        Told of ``checking``.

    Returns
    -------
    dataset : Dataset
        The same where nothing is left out; its name says so where something is.
    skipped : tuple of Skipped
        Every one, in the dataset's order.

    Raises
    ------
    PictureError
        No picture can be decoded.

    Examples
    --------
    >>> from clipeval.data.dataset import PictureSource
    >>> items = (Item("a", ("a cat",)), Item("b", ("a dog",), PictureSource("b.png", bytes)))
    >>> part, skipped = readable_part(Dataset("two", items))
    >>> part.name, part.ids, skipped[0].id
    ('two without 1 of 2 items', ('a',), 'b')
    """
    kept, skipped = [], []
    for item, reason in zip(dataset.items, (looked or _looked)(dataset), strict=True):
        if reason:
            skipped.append(Skipped(item.id, reason))
        else:
            kept.append(item)
        if progress:
            progress("checking", len(kept) + len(skipped), dataset.n_images)
    if not skipped:
        return dataset, ()
    if not kept:
        raise PictureError(f"no picture can be decoded; the first: {skipped[0].reason}", where=dataset.name)
    name = f"{dataset.name} without {len(skipped)} of {dataset.n_images} items"
    return replace(dataset, name=name, items=tuple(kept)), tuple(skipped)


def why_not(items: Sequence[Item]) -> list[str]:
    """Say for each item why its picture cannot be decoded; "" where it can."""
    return [_why_not(item) for item in items]


def _why_not(item: Item) -> str:
    if item.picture is None:
        return ""
    try:
        read_picture(item.picture)
    except PictureError as error:
        return error.what
    return ""


def _looked(dataset: Dataset) -> Iterator[str]:
    with ThreadPoolExecutor(usable_cores()) as threads:
        yield from threads.map(_why_not, dataset.items)
