"""Two parts of one dataset, the same for everybody: what is learned from, and what is held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from clipeval.data.dataset import Dataset
from clipeval.data.held_out import held_out
from clipeval.errors import DatasetError

Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
TEST_SHARE = 0.2


def part_of(dataset: Dataset, part: Part, *, share: float = TEST_SHARE) -> Dataset:
    """Take the training or the test part of a dataset.

    An item's side is decided by a hash of its id (`clipeval.data.held_out`), so it depends neither on the
    order of the items nor on how many there are: a dataset that grows moves none of them, unless a new item
    connects two. Items with the same picture or caption (`clipeval.data.content.independent_units`) are on
    one side.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    part : {"train", "test"}
        Which side.
    share : float, optional
        Of the units that are held out, on average; above 0 and below 1.

    Returns
    -------
    Dataset
        Called ``NAME#train`` or ``NAME#test``.

    Raises
    ------
    DatasetError
        No item is on this side.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> whole = load_dataset("embedded")
    >>> train, test = part_of(whole, "train"), part_of(whole, "test")
    >>> (train.n_images, test.n_images, test.name), set(train.ids) & set(test.ids)
    ((16, 4, 'embedded#test'), set())
    """
    out = held_out(dataset.ids, dataset.units, share=share)
    keep = np.flatnonzero(out if part == "test" else ~out)
    if not keep.size:
        n_units = len(set(dataset.units.tolist()))
        raise DatasetError(
            f"no item is in the part '{part}': {n_units} independent items are too few",
            where=dataset.name,
            fix="use more items, or two datasets of your own",
        )
    return replace(dataset, name=f"{dataset.name}#{part}", items=tuple(dataset.items[row] for row in keep))
