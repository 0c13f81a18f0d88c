"""Old and new model of a swap side by side: heat map and items of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from clipeval.baseline.snapshot import Snapshot, rows_sha256
from clipeval.core.ranking import rank_retrieval
from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Rows
from clipeval.evaluation import Evaluation
from clipeval.report.html.explorer import Integers, explorer_data, explorer_sections, shown_images
from clipeval.report.html.page import Section
from clipeval.report.html.saved_run import SavedDataset
from clipeval.report.html.tables import NOTHING
from clipeval.report.html.thumbnails import thumbnails

NAMES = ("old", "new")
BothRows: TypeAlias = tuple[tuple[Rows, Rows], tuple[Rows, Rows]]
ABSENT = (
    "Items are not shown: that takes the same items on both sides and the embeddings of both models. "
    "'clipeval baseline save --embeddings' keeps the old ones, '--report FOLDER' of swap and baseline check "
    "both, beside the answer."
)
OF_ANOTHER = (
    "Items are not shown: those beside this answer are of another swap, their embeddings have other hashes."
)


@dataclass(frozen=True, eq=False)
class Sides:
    """What both models gave for the same items.

    Attributes
    ----------
    dataset : SavedDataset
        In the order of a snapshot: items by id, captions by their text.
    pictures : sequence of str or None
        Small ones, as ``data:`` addresses.
    rows : tuple of (Rows, Rows)
        Embeddings of pictures and captions, of the old model and of the new one.
    """

    dataset: SavedDataset
    pictures: Sequence[str | None]
    rows: BothRows


@dataclass(frozen=True)
class Explored:
    """Sections and their data.

    Attributes
    ----------
    sections : sequence of Section
    data : mapping
        By id.
    """

    sections: Sequence[Section] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def both_sides(before: Snapshot, after: Snapshot, *, dataset: Dataset | None = None) -> Sides | None:
    """Gather what can be shown of both models.

    Parameters
    ----------
    before, after : Snapshot
        Of the swap.
    dataset : Dataset, optional
        With the pictures.

    Returns
    -------
    Sides or None
        None where the items are not the same, or a side's embeddings are not at hand.
    """
    old, new = ((side.images, side.texts) for side in (before, after))
    if before.items != after.items or old[0] is None or old[1] is None or new[0] is None or new[1] is None:
        return None
    items = tuple(Item(one.id, one.captions, category=one.category) for one in after.items)
    data = SavedDataset(after.data, items, hashes=tuple(one.picture for one in after.items))
    rows = ((old[0], old[1]), (new[0], new[1]))
    shown = shown_images(data, [one for _, one in _evaluations(data, rows)], first=0)
    return Sides(data, _pictures(items, dataset, shown), rows)


def are_of(sides: Sides, document: Mapping[str, Any]) -> bool:
    """Say whether items are those of an answer, by the hashes of all rows.

    Parameters
    ----------
    sides : Sides
        Read back from files beside it.
    document : mapping
        The answer, which holds hashes.
    """
    kept = document["rows"] or {}
    found = {
        name: {"pictures": rows_sha256(images), "captions": rows_sha256(texts)}
        for name, (images, texts) in zip(NAMES, sides.rows, strict=True)
    }
    return found == kept


def swap_explorer(sides: Sides | None, *, why: str = ABSENT) -> Explored:
    """Lay out both models' heat maps and items, or why they are not here.

    Parameters
    ----------
    sides : Sides, optional
        From `both_sides`, or read back.
    why : str
        They are not here.

    Returns
    -------
    Explored
    """
    if sides is None:
        return Explored([Section("items", "Items", "tables", {**NOTHING, "sentences": [why]})])
    data = sides.dataset
    # the new one on the left would make "lost" mean "won": the old one stands first, whichever is better
    found = explorer_data(data, _evaluations(data, sides.rows), pictures=sides.pictures, first=0)
    found |= {"beside": 1}
    return Explored(explorer_sections(data, NAMES, found), {"explorer": found})


def _evaluations(data: Dataset, rows: BothRows) -> list[tuple[str, Evaluation]]:
    return [(name, _evaluation(name, data, *mine)) for name, mine in zip(NAMES, rows, strict=True)]


def _evaluation(name: str, data: Dataset, images: Rows, texts: Rows) -> Evaluation:
    return Evaluation(
        model=name,
        fingerprint={},
        dataset=data,
        images=images,
        texts=texts,
        ranks=rank_retrieval(images, texts, data.image_of_caption),
        encoded=0,
    )


def _pictures(items: Sequence[Item], dataset: Dataset | None, shown: Integers) -> list[str | None]:
    if dataset is None:
        return [None] * len(items)
    by_id = {item.id: item for item in dataset.items}
    return thumbnails([by_id.get(item.id, item) for item in items], shown.tolist())
