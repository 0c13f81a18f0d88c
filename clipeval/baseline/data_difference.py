"""(1) Is it the same data? A subset is never compared as the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from clipeval.baseline.result import DataDifference, ItemChange
from clipeval.baseline.snapshot import ItemRecord

NAMED = 3
"""Items that a reason names; the lists hold all."""


def data_difference(old: Sequence[ItemRecord], new: Sequence[ItemRecord]) -> DataDifference:
    """Find items that were added, removed or changed; the order of either side does not count.

    Parameters
    ----------
    old, new : sequence of ItemRecord
        With unique ids.

    Returns
    -------
    DataDifference
        By id. An item may be listed as changed up to three times: its picture, its captions (those that only
        one side has, as often as it has them), its category.

    Examples
    --------
    >>> before = [ItemRecord("a", "x", ("a cat", "a pet")), ItemRecord("b", "y", ("a dog",))]
    >>> after = [ItemRecord("c", "z", ("a cow",)), ItemRecord("a", "x", ("a kitten", "a pet"))]
    >>> found = data_difference(before, after)
    >>> found.added, found.removed, [(change.id, change.old, change.new) for change in found.changed]
    (('c',), ('b',), [('a', 'a cat', 'a kitten')])
    """
    before, after = ({item.id: item for item in items} for items in (old, new))
    return DataDifference(
        n_old=len(before),
        n_new=len(after),
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(
            change
            for id_ in sorted(before.keys() & after.keys())
            for change in _changes(before[id_], after[id_])
        ),
    )


def difference_in_words(data: DataDifference) -> str:
    """Say in one clause how the data differ: how many items, and the first of them.

    Parameters
    ----------
    data : DataDifference
        Not `DataDifference.same`.

    Returns
    -------
    str

    Examples
    --------
    >>> difference_in_words(DataDifference(3, 2, removed=("b.jpg",)))
    "1 item removed ('b.jpg'); the new data hold 2 of the old 3 items"
    """
    parts = [
        _counted(ids, verb)
        for ids, verb in (
            (data.added, "added"),
            (data.removed, "removed"),
            (_changed(data, "picture"), "with another picture"),
            (_changed(data, "captions"), "with other captions"),
        )
        if ids
    ]
    if data.removed and not data.added:
        parts.append(f"the new data hold {data.n_new} of the old {data.n_old} items")
    elif data.added and not data.removed:
        parts.append(f"the old data hold {data.n_old} of the new {data.n_new} items")
    return "; ".join(parts)


def _changes(old: ItemRecord, new: ItemRecord) -> list[ItemChange]:
    found: list[ItemChange] = []
    if old.picture != new.picture:
        found.append(ItemChange(old.id, "picture", old.picture, new.picture))
    had, has = Counter(old.captions), Counter(new.captions)
    if had != has:
        only = ["\n".join(sorted(side.elements())) for side in (had - has, has - had)]
        found.append(ItemChange(old.id, "captions", only[0], only[1]))
    if old.category != new.category:
        found.append(ItemChange(old.id, "category", old.category or "", new.category or ""))
    return found


def _changed(data: DataDifference, what: str) -> tuple[str, ...]:
    return tuple(change.id for change in data.changed if change.what == what)


def _counted(ids: Sequence[str], verb: str) -> str:
    named = ", ".join(f"'{id_}'" for id_ in ids[:NAMED]) + (" ..." if len(ids) > NAMED else "")
    return f"{len(ids)} {'item' if len(ids) == 1 else 'items'} {verb} ({named})"
