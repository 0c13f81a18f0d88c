"""What each portion of a store encodes: distinct pictures and captions that no earlier portion brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clipeval.data.content import captions_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.store_items import HASH_BYTES, PortionItems
from clipeval.encoders.store_manifest import MODALITIES, Modality
from clipeval.evaluation.distinct import DistinctInputs, distinct_images, distinct_texts


@dataclass(frozen=True, eq=False)
class PortionInputs:
    """A portion, before anything is encoded.

    Attributes
    ----------
    inputs : dict of {"images", "texts"} to DistinctInputs
        ``row_of`` is -1 where an earlier portion brought the picture or the caption.
    keys : dict of {"images", "texts"} to sequence of str
        Ids of its items and captions.
    items : PortionItems
        What the store keeps of them.
    """

    inputs: dict[Modality, DistinctInputs]
    keys: dict[Modality, Sequence[str]]
    items: PortionItems


def portions_of(
    encoder: Encoder, dataset: Dataset, members: Sequence[Sequence[int]], *, hashes: Sequence[str]
) -> list[PortionInputs]:
    """Divide a dataset into portions.

    Parameters
    ----------
    encoder : Encoder
        Its towers encode.
    dataset : Dataset
        All items of all portions.
    members : sequence of sequence of int
        For each portion its items' places in the dataset, in the portion's own order.
    hashes : sequence of str
        `clipeval.data.content.item_hashes`.

    Returns
    -------
    list of PortionInputs
        A batch holds inputs of one portion only: what a portion's rows are does not depend on what came
        later.

    Raises
    ------
    NotAvailableError
        The dataset lacks pictures.
    DatasetError
        A caption cannot be written as UTF-8.
    """
    known: dict[Modality, dict[str, int]] = {modality: {} for modality in MODALITIES}
    portions = []
    for rows in members:
        data = Dataset(dataset.name, tuple(dataset.items[row] for row in rows))
        own = [hashes[row] for row in rows]
        whole = {"images": distinct_images(encoder, data, hashes=own), "texts": distinct_texts(encoder, data)}
        keys: dict[Modality, Sequence[str]] = {"images": data.ids, "texts": data.caption_ids}
        inputs: dict[Modality, DistinctInputs] = {}
        shared: dict[Modality, dict[str, int]] = {}
        for modality in MODALITIES:
            inputs[modality], shared[modality] = _new(whole[modality], keys[modality], known[modality])
        items = PortionItems(
            ids=data.ids,
            pictures=hash_rows(own),
            captions=hash_rows([captions_hash(item) for item in data.items]),
            shared=shared,
        )
        portions.append(PortionInputs(inputs, keys, items))
    return portions


def hash_rows(hashes: Sequence[str]) -> NDArray[np.uint8]:
    """Turn hexadecimal SHA-256 into rows of bytes, shape ``(n, 32)``."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(-1, HASH_BYTES)


def _new(
    whole: DistinctInputs, keys: Sequence[str], known: dict[str, int]
) -> tuple[DistinctInputs, dict[str, int]]:
    """Leave out what is known, say who shares which known row, and note what is new."""
    new = [place for place, content in enumerate(whole.contents) if content not in known]
    place_of = np.full(len(whole.order), -1, dtype=np.int64)
    place_of[new] = np.arange(len(new))
    row_of = place_of[whole.row_of]
    shared = {keys[at]: known[whole.contents[whole.row_of[at]]] for at in np.flatnonzero(row_of < 0).tolist()}
    known.update({whole.contents[place]: row for row, place in enumerate(new, start=len(known))})
    order, contents = (tuple(values[place] for place in new) for values in (whole.order, whole.contents))
    return replace(whole, order=order, contents=contents, row_of=row_of), shared
