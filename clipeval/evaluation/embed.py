"""Where an encoder meets a dataset: every distinct picture and caption is encoded once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Playback, Rows
from clipeval.encoders.joined_towers import JoinedTower, side_by_side
from clipeval.encoders.towers import Towers
from clipeval.errors import EncoderError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.distinct import DistinctInputs, distinct_images, distinct_texts

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the step (pictures, captions, ranking or scoring), how many are done, and of how many."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """The rows of one modality in the dataset's order, and how many of them had to be computed."""

    rows: Rows
    encoded: int


def embed_images(
    encoder: Encoder,
    dataset: Dataset,
    *,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embed the pictures of a dataset.

    Distinct pictures (by their bytes) are encoded in the order of their content hash, so neither the order
    of the dataset nor repetitions change a bit of the result.

    Parameters
    ----------
    encoder : Encoder
        Its image tower encodes or plays back; its bridge is applied to the rows, batch by batch. Joined
        towers embed one after the other, each with rows of its own in the cache.
    dataset : Dataset
        With pictures, unless the tower plays back.
    cache : EmbeddingCache, optional
        Where tower rows are kept.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    Embedded
        ``rows`` of shape ``(n_images, d)``.

    Raises
    ------
    NotAvailableError
        The tower needs pictures and the dataset has none.
    EncoderError
        NaN or infinity, or a wrong shape; the item is named.
    PictureError
        A picture cannot be decoded.
    """
    tower = encoder.image_tower
    if isinstance(tower, JoinedTower):
        parts = [
            embed_images(Towers(encoder.name, part, part), dataset, cache=cache, progress=progress)  # type: ignore[arg-type]
            for part in tower.parts
        ]
        rows = side_by_side([part.rows for part in parts])
        # equal rows are bridged once, as below
        first, place = np.unique([row.tobytes() for row in rows], return_index=True, return_inverse=True)[1:]
        return Embedded(encoder.bridge_images(rows[first])[place], max(part.encoded for part in parts))
    if isinstance(tower, Playback):
        return Embedded(encoder.bridge_images(tower.play_images(dataset.ids)), 0)
    return _embed(distinct_images(encoder, dataset), "pictures", cache=cache, progress=progress)


def embed_texts(
    encoder: Encoder,
    dataset: Dataset,
    *,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embed the captions of a dataset.

    Distinct captions are encoded shortest first (less padding), ties in alphabetical order, so identical
    captions stay identical and the dataset's order does not matter.

    Parameters
    ----------
    encoder : Encoder
        Its text tower encodes or plays back; its bridge is applied to the rows, batch by batch.
    dataset : Dataset
        Its captions.
    cache, progress
        As in `embed_images`.

    Returns
    -------
    Embedded
        ``rows`` of shape ``(n_captions, d)``.

    Raises
    ------
    EncoderError
        NaN or infinity, or a wrong shape; the caption is named.
    DatasetError
        A caption cannot be written as UTF-8.
    """
    tower = encoder.text_tower
    if isinstance(tower, Playback):
        return Embedded(encoder.bridge_texts(tower.play_texts(dataset.caption_ids)), 0)
    return _embed(distinct_texts(encoder, dataset), "captions", cache=cache, progress=progress)


def _embed(
    inputs: DistinctInputs, what: str, *, cache: EmbeddingCache | None, progress: Progress | None
) -> Embedded:
    total = len(inputs.order)
    parts: list[Rows] = []
    encoded = done = 0
    if progress:
        progress(what, 0, total)
    with closing(inputs.batches(range(0, total, inputs.step), cache=cache)) as batches:
        for rows, new in batches:
            parts.append(rows)
            encoded += new
            done += len(rows)
            if progress:
                progress(what, done, total)
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise EncoderError(f"the batches gave rows of different widths: {', '.join(map(str, widths))}")
    # rows are bridged before they are spread: a product's last bits depend on a row's place among the others
    return Embedded(np.concatenate(parts)[inputs.row_of], encoded)
