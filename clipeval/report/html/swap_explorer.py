"""Old and new model of a swap side by side: heat map and items of two snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipeval.baseline.snapshot import Snapshot
from clipeval.core.ranking import rank_retrieval
from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Rows
from clipeval.evaluation import Evaluation
from clipeval.report.html.explorer import explorer_data, explorer_sections, too_large_to_explore
from clipeval.report.html.page import Section
from clipeval.report.html.saved_run import SavedDataset
from clipeval.report.html.thumbnails import thumbnails


@dataclass(frozen=True)
class Explored:
    """Sections and their data.

    Attributes
    ----------
    sections : sequence of Section
        Empty where the embeddings are not at hand.
    data : mapping
        By id.
    """

    sections: Sequence[Section] = ()
    data: Mapping[str, Any] | None = None


def swap_explorer(
    before: Snapshot,
    after: Snapshot,
    *,
    dataset: Dataset | None = None,
    names: tuple[str, str] = ("old", "new"),
) -> Explored:
    """Gather both models of a swap.

    Parameters
    ----------
    before, after : Snapshot
        Of the same data, with their embeddings; otherwise there is nothing to show.
    dataset : Dataset, optional
        With the pictures.
    names : tuple of str
        Of the old and the new model.

    Returns
    -------
    Explored
    """
    same = before.items == after.items
    if (
        not same
        or before.images is None
        or before.texts is None
        or after.images is None
        or after.texts is None
    ):
        return Explored()
    items = tuple(Item(one.id, one.captions, category=one.category) for one in after.items)
    data = SavedDataset(after.data, items, hashes=tuple(one.picture for one in after.items))
    if too_large_to_explore(data):
        return Explored()
    models = [
        (names[0], _evaluation(before, data, before.images, before.texts)),
        (names[1], _evaluation(after, data, after.images, after.texts)),
    ]
    found = explorer_data(data, models, pictures=_pictures(items, dataset))
    # the new one on the left would make "lost" mean "won": the old one stands first, whichever is better
    found |= {"best": 0, "beside": 1}
    return Explored(explorer_sections(data, names), {"explorer": found})


def _evaluation(kept: Snapshot, data: Dataset, images: Rows, texts: Rows) -> Evaluation:
    return Evaluation(
        model=kept.model,
        fingerprint=kept.fingerprint,
        dataset=data,
        images=images,
        texts=texts,
        ranks=rank_retrieval(images, texts, data.image_of_caption),
        encoded=0,
        precomputed=kept.precomputed,
    )


def _pictures(items: Sequence[Item], dataset: Dataset | None) -> list[str | None]:
    if dataset is None:
        return [None] * len(items)
    by_id = {item.id: item for item in dataset.items}
    return thumbnails([by_id.get(item.id, item) for item in items])
