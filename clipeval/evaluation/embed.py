"""Where an encoder meets a dataset: every distinct picture and caption is encoded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from clipeval.data.content import item_hashes
from clipeval.data.dataset import Dataset
from clipeval.data.pictures import read_picture
from clipeval.encoders.base import Encoder, Fingerprint, Playback, Rows, as_rows
from clipeval.errors import DatasetError, EncoderError, NotAvailableError
from clipeval.evaluation.cache import EmbeddingCache

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the step (pictures, captions, ranking or scoring), how many are done, and of how many."""

PICTURES_AT_ONCE = 32
TEXTS_AT_ONCE = 256


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
        Its image tower encodes or plays back; its bridge is applied to the rows.
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
    if isinstance(tower, Playback):
        return Embedded(encoder.bridge_images(tower.play_images(dataset.ids)), 0)
    if not dataset.has_pictures:
        absent = next(item.id for item in dataset.items if item.picture is None)
        raise NotAvailableError(
            "this model encodes pictures, and the dataset lacks some of them",
            where=f"{dataset.name}, item '{absent}'",
            fix="add the pictures, or use frozen embeddings",
        )
    hashes = item_hashes(dataset)
    first = {digest: row for row, digest in reversed(list(enumerate(hashes)))}
    order = sorted(first)

    def encode(digests: Sequence[str]) -> Rows:
        pictures = [read_picture(_source(dataset, first[digest])) for digest in digests]
        return tower.encode_images(pictures)

    rows, encoded = _encode_all(
        order,
        order,
        encode,
        fingerprint=tower.fingerprint,
        kind="image",
        step=PICTURES_AT_ONCE,
        cache=cache,
        report=_reporter(progress, "pictures"),
        name_of=lambda digest: f"item '{dataset.ids[first[digest]]}'",
    )
    place = {digest: row for row, digest in enumerate(order)}
    # bridged before they are spread: a matrix product's last bits depend on a row's place among the others
    return Embedded(encoder.bridge_images(rows)[[place[digest] for digest in hashes]], encoded)


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
        Its text tower encodes or plays back; its bridge is applied to the rows.
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
    order = sorted(set(dataset.captions), key=lambda text: (len(text), text))
    rows, encoded = _encode_all(
        order,
        [hashlib.sha256(_bytes(text, dataset)).hexdigest() for text in order],
        tower.encode_texts,
        fingerprint=tower.fingerprint,
        kind="text",
        step=TEXTS_AT_ONCE,
        cache=cache,
        report=_reporter(progress, "captions"),
        name_of=lambda text: f"caption '{text}'",
    )
    place = {text: row for row, text in enumerate(order)}
    return Embedded(encoder.bridge_texts(rows)[[place[text] for text in dataset.captions]], encoded)


def _bytes(text: str, dataset: Dataset) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        caption = dataset.caption_ids[dataset.captions.index(text)]
        raise DatasetError(
            f"a caption is not text: character {error.start} is half of a surrogate pair",
            where=f"{dataset.name}, caption '{caption}'",
            fix="write the character as UTF-8, or as both halves",
        ) from None


def _source(dataset: Dataset, row: int) -> Any:
    return dataset.items[row].picture


def _reporter(progress: Progress | None, what: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(what, done, total) if progress else None


def _encode_all(
    inputs: Sequence[str],
    contents: Sequence[str],
    encode: Callable[[Sequence[str]], Rows],
    *,
    fingerprint: Fingerprint,
    kind: str,
    step: int,
    cache: EmbeddingCache | None,
    report: Callable[[int, int], None],
    name_of: Callable[[str], str],
) -> tuple[Rows, int]:
    if not fingerprint or "unfingerprinted" in fingerprint.values():
        cache = None  # nobody could tell when the rows are out of date
    parts: list[Rows] = []
    encoded = 0
    report(0, len(inputs))
    for start in range(0, len(inputs), step):
        batch, keys = inputs[start : start + step], contents[start : start + step]
        rows = cache.get(fingerprint, kind, keys) if cache else None
        if rows is None:
            rows = _checked(encode, batch, name_of)
            encoded += len(batch)
            if cache:
                cache.put(fingerprint, kind, keys, rows)
        parts.append(rows)
        report(start + len(batch), len(inputs))
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise EncoderError(f"the batches gave rows of different widths: {', '.join(map(str, widths))}")
    return np.concatenate(parts), encoded


def _checked(
    encode: Callable[[Sequence[str]], Rows], batch: Sequence[str], name_of: Callable[[str], str]
) -> Rows:
    try:
        rows = as_rows(encode(batch), expected=len(batch), where=name_of(batch[0]))
    except EncoderError as error:
        if len(batch) == 1:
            fix = error.fix or "check this input, the dtype and the weights"
            raise EncoderError(error.what, where=name_of(batch[0]), fix=fix) from error
        for single in batch:  # one at a time, to name the culprit
            _checked(encode, [single], name_of)
        where = f"a batch of {len(batch)}, from {name_of(batch[0])} on; each alone is fine"
        raise EncoderError(error.what, where=where, fix=error.fix) from error
    return rows
