"""Whether a dataset still holds what a store was made of, item by item, and what it holds beyond that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from clipeval.data.content import captions_hash, dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.store_items import PortionItems, read_items
from clipeval.encoders.store_manifest import Manifest, items_name
from clipeval.encoders.store_rows import open_store
from clipeval.errors import DatasetError, EncoderError
from clipeval.evaluation.store.portions import hash_rows

Members: TypeAlias = list[list[int]]


@dataclass(frozen=True)
class Growth:
    """A dataset that holds everything a store was made of, unchanged.

    Attributes
    ----------
    members : list of list of int
        For each portion of the store its items' places in the dataset, in the portion's own order.
    new : list of int
        Places of the items that the store does not hold.
    """

    members: Members
    new: list[int]


def members_of(folder: Path, store: Manifest, dataset: Dataset) -> Members:
    """Find each portion's items in the dataset that the store was made of, or is to be made of.

    Parameters
    ----------
    folder : Path
    store : Manifest
    dataset : Dataset
        Its hash is that of the store.

    Returns
    -------
    list of list of int
        Places in the dataset, in each portion's own order.

    Raises
    ------
    EncoderError
        More files of items are damaged than can be made again.
    """
    if len(store.portions) == 1:
        return [list(range(dataset.n_images))]
    place_of = {key: place for place, key in enumerate(dataset.ids)}
    members: list[list[int] | None] = []
    for portion in range(len(store.portions)):
        try:
            members.append([place_of[key] for key in read_items(folder, store, portion).ids])
        except (EncoderError, KeyError):
            members.append(None)
    damaged = [items_name(portion) for portion, rows in enumerate(members) if rows is None]
    if len(damaged) > 1:
        raise EncoderError(
            f"files are damaged that tell which items came with which append: {', '.join(damaged)}",
            where=str(folder),
            fix="restore all but one of them from a copy, or embed again into another folder",
        )
    taken = {place for rows in members for place in rows or ()}
    rest = [place for place in range(dataset.n_images) if place not in taken]
    return [rest if rows is None else rows for rows in members]


def growth_of(folder: Path, store: Manifest, dataset: Dataset, *, hashes: Sequence[str]) -> Growth:
    """Compare a dataset with the items that a finished store was made of.

    Parameters
    ----------
    folder : Path
    store : Manifest
        Finished.
    dataset : Dataset
    hashes : sequence of str
        `clipeval.data.content.item_hashes`.

    Returns
    -------
    Growth

    Raises
    ------
    DatasetError
        An item that the store holds is gone, or has another picture or other captions; it is named.
    EncoderError
        A file of the store is damaged.
    """
    place_of = {key: place for place, key in enumerate(dataset.ids)}
    if store.last.items is None:
        members = [_of_the_first_schema(folder, store, dataset, place_of, hashes)]
    else:
        portions = [read_items(folder, store, portion) for portion in range(len(store.portions))]
        _require_unchanged(folder, store, portions, dataset, place_of, hashes)
        members = [[place_of[key] for key in portion.ids] for portion in portions]
    held = {place for rows in members for place in rows}
    return Growth(members, [place for place in range(dataset.n_images) if place not in held])


def require_append(folder: Path, store: Manifest, dataset: Dataset, growth: Growth, *, append: bool) -> None:
    """Refuse to go on with another dataset than the store's, unless what is new in it is to be appended.

    Parameters
    ----------
    folder : Path
    store : Manifest
        Finished, and not of this dataset.
    dataset : Dataset
    growth : Growth
        Of the dataset.
    append : bool
        What the user says.

    Raises
    ------
    DatasetError
        The user does not say so; what is new is counted.
    """
    if append:
        return
    n_old = dataset.n_images - len(growth.new)
    if growth.new:
        raise DatasetError(
            f"the dataset has grown since the store was made: the store's {n_old:,} items are unchanged, "
            f"{len(growth.new):,} more are new, the first is '{dataset.ids[growth.new[0]]}'",
            where=_where(folder, store, dataset),
            fix="--append embeds what is new into this store; or name another folder",
        )
    raise DatasetError(
        f"the dataset holds the store's {n_old:,} items, unchanged, but their order or a category differs",
        where=_where(folder, store, dataset),
        fix="there is nothing to embed: frozen:STORE serves this dataset as it is",
    )


def require_finished(folder: Path, store: Manifest, dataset: Dataset, *, append: bool) -> None:
    """Refuse to go on with other data while a store is not finished.

    Parameters
    ----------
    folder, store, dataset, append
        As in `require_append`.

    Raises
    ------
    DatasetError
        Says what to finish, with which dataset.
    """
    if store.n_there == store.n_shards:
        return
    last = store.last
    there = f"{last.n_images:,} images and {last.n_captions:,} captions"
    here = f"{dataset.n_images:,} images and {dataset.n_captions:,} captions"
    how = (
        f"{there} there, {here} here"
        if there != here
        else "equal counts, but an id, a picture, a caption, a category or their order differs"
    )
    raise DatasetError(
        f"the store was begun with another dataset, and it is not finished: {how}",
        where=_where(folder, store, dataset),
        fix=f"finish it first, with the data as it was, then append: {store.command(folder)}"
        if append
        else "go on with the same data, or name another folder",
    )


def _require_unchanged(
    folder: Path,
    store: Manifest,
    portions: Sequence[PortionItems],
    dataset: Dataset,
    place_of: dict[str, int],
    hashes: Sequence[str],
) -> None:
    _require_there(folder, store, [key for portion in portions for key in portion.ids], place_of)
    for portion in portions:
        places = [place_of[key] for key in portion.ids]
        pictures = hash_rows([hashes[place] for place in places])
        captions = hash_rows([captions_hash(dataset.items[place]) for place in places])
        for what, there, here in (
            ("another picture", portion.pictures, pictures),
            ("other captions", portion.captions, captions),
        ):
            changed = np.flatnonzero((there != here).any(axis=1))
            if changed.size:
                more = f" ({changed.size:,} items in all)" if changed.size > 1 else ""
                raise DatasetError(
                    f"the item '{portion.ids[changed[0]]}' has {what} than when it was embedded{more}",
                    where=_where(folder, store, dataset),
                    fix="a store keeps what it holds: give what is new a new id and put the old item back, "
                    "or embed into another folder",
                )


def _require_there(folder: Path, store: Manifest, ids: Sequence[str], place_of: dict[str, int]) -> None:
    gone = [key for key in ids if key not in place_of]
    if gone:
        raise DatasetError(
            f"{len(gone):,} of the {len(ids):,} items in the store are not in this dataset, "
            f"the first is '{gone[0]}'",
            where=f"{folder}: '{store.last.dataset}' there",
            fix="give the dataset with them, or embed into another folder "
            "(frozen:STORE also serves a dataset that has only some of a store's items)",
        )


def _of_the_first_schema(
    folder: Path, store: Manifest, dataset: Dataset, place_of: dict[str, int], hashes: Sequence[str]
) -> list[int]:
    """Find the items of a store that knows their ids, and all else of them by a single hash."""
    _, ids = open_store(folder).read("images")
    _require_there(folder, store, ids, place_of)
    places = sorted(place_of[key] for key in ids)
    old = Dataset(dataset.name, tuple(dataset.items[place] for place in places))
    if dataset_hash(old, pictures=[hashes[place] for place in places]) != store.last.dataset_sha256:
        raise DatasetError(
            f"something of the {len(ids):,} items in the store has changed since it was made: a picture, a "
            "caption, a category, or the order of these items among themselves",
            where=_where(folder, store, dataset),
            fix="which one cannot be told, as an earlier clipeval made this store: put the old items back as "
            "they were, or embed into another folder",
        )
    return places


def _where(folder: Path, store: Manifest, dataset: Dataset) -> str:
    return f"{folder}: '{store.last.dataset}' there, '{dataset.name}' here"
