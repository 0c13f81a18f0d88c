"""The job that fills a store: it can be killed at any moment and goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clipeval.data.content import item_hashes
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Playback, Rows
from clipeval.encoders.store_manifest import Manifest, Modality
from clipeval.errors import EncoderError, InvalidInputError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.distinct import DistinctInputs, distinct_images, distinct_texts, has_fingerprint
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.store.files import remove_parts
from clipeval.evaluation.store.lock import only_job
from clipeval.evaluation.store.plan import ROWS_PER_SHARD, begun, planned, require_same_job
from clipeval.evaluation.store.shards import kept_shards, write_manifest, write_shard


@dataclass(frozen=True)
class StoredEmbeddings:
    """A finished store, and what this job did for it.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
        All shards are listed.
    encoded : int
        Distinct pictures and captions that were encoded now.
    made : int
        Shards that were written now.
    kept : int
        Shards that earlier jobs had finished.
    mended : tuple of str
        Files that were damaged and were made again.
    """

    folder: Path
    manifest: Manifest
    encoded: int
    made: int
    kept: int
    mended: tuple[str, ...]


def embed_to_store(
    encoder: Encoder,
    dataset: Dataset,
    folder: Path,
    *,
    shard_size: int | None = None,
    settings: Mapping[str, str] | None = None,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> StoredEmbeddings:
    """Embed a dataset into a folder of shards, or go on with one that was begun.

    Rows are those of `embed_images` and `embed_texts`, to the bit: distinct pictures and captions, encoded
    once, in the order of their content, in the same batches, bridges applied. No more than one shard is in
    memory. A job that was killed, at whatever moment, is continued by the same call; finished shards are
    kept, and the files end as if it had never been stopped. Captions come first: they are the shorter work,
    and towers whose widths differ are then found at the first picture.

    Parameters
    ----------
    encoder : Encoder
        With a fingerprint: without one nobody could tell whether a store goes on with the same model.
    dataset : Dataset
        With pictures.
    folder : Path
        New, empty, or a store that the same encoder began on the same dataset.
    shard_size : int, optional
        Rows of a shard, rounded up to whole batches (32 pictures, 256 captions). By default that of the
        store, or 8192.
    settings : mapping of str to str, optional
        What else can move the last bits of a row and is not in the fingerprint (the batch size). A job goes
        on only with equal ones.
    cache : EmbeddingCache, optional
        Where tower rows are looked up and kept, batch by batch.
    progress : callable, optional
        See `clipeval.evaluation.embed.Progress`; ``reading`` (the dataset's pictures, and shards that are
        there) is told at its start and end, of 1.

    Returns
    -------
    StoredEmbeddings

    Raises
    ------
    NotAvailableError
        Another job writes this store, or the dataset lacks pictures.
    EncoderError
        Another model began the store, the folder holds something else, rows are played back, there is no
        fingerprint, or a row is refused.
    DatasetError
        Another dataset began the store.
    PictureError
        A picture cannot be decoded.
    InvalidInputError
        ``shard_size`` is below 1.
    """
    folder = Path(folder)
    if shard_size is not None and shard_size < 1:
        raise InvalidInputError(f"the shard size is {shard_size}", fix="at least 1")
    _require_fit(encoder)
    with only_job(folder):
        before = begun(folder)
        if progress:
            progress("reading", 0, 1)
        hashes = item_hashes(dataset)
        images, texts = distinct_images(encoder, dataset, hashes=hashes), distinct_texts(encoder, dataset)
        plan = planned(
            encoder,
            dataset,
            images=images,
            texts=texts,
            hashes=hashes,
            shard_size=shard_size or ROWS_PER_SHARD,
            settings=settings or {},
        )
        if before is not None:
            require_same_job(before, plan, folder, any_size=shard_size is None)
            # the store's own names of model and dataset stand, so that all jobs on it write the same bytes
            plan = replace(
                before,
                images=replace(before.images, shards={}),
                texts=replace(before.texts, shards={}),
                width=None,
            )
        remove_parts(folder)
        manifest, damaged = kept_shards(folder, plan, before or plan)
        if progress:
            progress("reading", 1, 1)
        write_manifest(folder, manifest)
        kept = manifest.n_there
        job = _Job(folder, cache, progress)
        manifest, new_texts = job.fill(manifest, "texts", texts, dataset.caption_ids)
        manifest, new_images = job.fill(manifest, "images", images, dataset.ids)
    return StoredEmbeddings(folder, manifest, new_texts + new_images, manifest.n_there - kept, kept, damaged)


def _require_fit(encoder: Encoder) -> None:
    if isinstance(encoder.image_tower, Playback) or isinstance(encoder.text_tower, Playback):
        raise EncoderError(
            "frozen embeddings are on disk already, there is nothing to encode",
            where=encoder.name,
            fix="evaluate them as they are",
        )
    if not all(has_fingerprint(part.fingerprint) for part in (encoder.image_tower, encoder.text_tower)):
        raise EncoderError(
            "the encoder has no fingerprint: nobody could tell whether a store goes on with the same model",
            where=encoder.name,
            fix="give it a 'fingerprint', for example {'weights': 'v1'}, and change it with the weights",
        )


@dataclass(frozen=True)
class _Job:
    folder: Path
    cache: EmbeddingCache | None
    progress: Progress | None

    def fill(
        self, manifest: Manifest, modality: Modality, inputs: DistinctInputs, keys: Sequence[str]
    ) -> tuple[Manifest, int]:
        """Make the shards of one side that are not there."""
        side = manifest.side(modality)
        of_row = _Owners(inputs, keys)
        encoded = 0
        done = sum(shard.rows for shard in side.shards.values())
        self._tell(modality, done, side.rows)
        for number in range(side.n_shards):
            if number in side.shards:
                continue
            here = side.rows_of(number)
            parts: list[Rows] = []
            for start in range(here.start, here.stop, inputs.step):
                rows, new = inputs.batch(start, cache=self.cache)
                self._check_width(rows, parts[0].shape[1] if parts else manifest.width, manifest, modality)
                parts.append(rows)
                encoded += new
                done += len(rows)
                self._tell(modality, done, side.rows)
            ids = [of_row.keys(row) for row in here]
            manifest = write_shard(self.folder, manifest, modality, number, np.concatenate(parts), ids)
        return manifest, encoded

    @staticmethod
    def _check_width(rows: Rows, expected: int | None, manifest: Manifest, modality: Modality) -> None:
        if expected not in (None, rows.shape[1]):
            raise EncoderError(
                f"these {modality} have rows of {rows.shape[1]} columns, earlier rows have {expected}",
                where=manifest.model,
                fix="both towers must give rows of one space; two spaces can be joined with preclip:",
            )

    def _tell(self, modality: Modality, done: int, total: int) -> None:
        if self.progress:
            self.progress("pictures" if modality == "images" else "captions", done, total)


class _Owners:
    """The ids that share a distinct input, in the dataset's order."""

    def __init__(self, inputs: DistinctInputs, keys: Sequence[str]) -> None:
        self._keys = keys
        self._order = np.argsort(inputs.row_of, kind="stable")
        self._starts = np.searchsorted(inputs.row_of[self._order], np.arange(len(inputs.order) + 1))

    def keys(self, row: int) -> list[str]:
        return [self._keys[at] for at in self._order[self._starts[row] : self._starts[row + 1]]]
