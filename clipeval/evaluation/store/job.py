"""The job that fills a store: it can be killed at any moment and goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Playback
from clipeval.encoders.store_manifest import Manifest, items_name
from clipeval.errors import EncoderError, InvalidInputError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.distinct import has_fingerprint
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.store.decide import Hashed, decided
from clipeval.evaluation.store.files import remove_parts
from clipeval.evaluation.store.filling import Filling
from clipeval.evaluation.store.lock import only_job
from clipeval.evaluation.store.plan import begun, require_same_maker, require_store, settings_of
from clipeval.evaluation.store.shards import kept_shards, remove_given_up, write_items, write_manifest


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
    appended : int
        Items that were added to a finished store.
    given_up : tuple of str
        Shards that were removed: another append had begun them and was never finished.
    """

    folder: Path
    manifest: Manifest
    encoded: int
    made: int
    kept: int
    mended: tuple[str, ...]
    appended: int = 0
    given_up: tuple[str, ...] = ()


def embed_to_store(
    encoder: Encoder,
    dataset: Dataset,
    folder: Path,
    *,
    append: bool = False,
    shard_size: int | None = None,
    settings: Mapping[str, str] | None = None,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    hashed: Hashed | None = None,
    log: Callable[[str], None] | None = None,
) -> StoredEmbeddings:
    """Embed a dataset into a folder of shards, go on with one that was begun, or add to a finished one.

    Rows are those of `embed_images` and `embed_texts`, to the bit: distinct pictures and captions, encoded
    once, in the order of their content, in the same batches, bridges applied. No more than one shard is in
    memory. A job that was killed, at whatever moment, is continued by the same call; finished shards are
    kept, and the files end as if it had never been stopped. Captions come first: they are the shorter work,
    and towers whose widths differ are then found at the first picture.

    What is appended gets shards of its own, from batches of its own: its rows can differ in their last bits
    from those of a store that was made of the grown dataset in one go. Until it is finished, the store reads
    as it was before.

    Parameters
    ----------
    encoder : Encoder
        With a fingerprint: without one nobody could tell whether a store goes on with the same model.
    dataset : Dataset
        With pictures.
    folder : Path
        New, empty, or a store that the same encoder began on the same dataset.
    append : bool, optional
        The folder is a finished store whose items are all in the dataset, unchanged: embed the others.
    shard_size : int, optional
        Rows of a shard, rounded up to whole steps (32 pictures, 256 captions; more for larger batches).
        By default that of the store, or 8192.
    settings : mapping of str to str, optional
        What else can move the last bits of a row and is not in the fingerprint (the batch size). A job goes
        on only with equal ones.
    cache : EmbeddingCache, optional
        Where tower rows are looked up and kept, batch by batch.
    progress : callable, optional
        See `clipeval.evaluation.embed.Progress`; before ``captions`` and ``pictures`` are encoded, those of
        the dataset are read and hashed: ``reading``.
    hashed : callable, optional
        Gives `clipeval.data.content.item_hashes` where somebody else than this process reads the pictures.
    log : callable, optional
        Told of each shard that is written, and of the one that an error stopped.

    Returns
    -------
    StoredEmbeddings

    Raises
    ------
    NotAvailableError
        Another job writes this store, the dataset lacks pictures, or there is no store to append to.
    EncoderError
        Another model began the store, the folder holds something else, rows are played back, there is no
        fingerprint, or a row is refused.
    DatasetError
        Another dataset began the store, and it is not one that has grown and is to be appended.
    PictureError
        A picture cannot be decoded.
    InvalidInputError
        ``shard_size`` is below 1.
    """
    folder = Path(folder)
    if shard_size is not None and shard_size < 1:
        raise InvalidInputError(f"the shard size is {shard_size}", fix="at least 1")
    _require_fit(encoder)
    settings = settings_of(encoder, settings)
    if append:
        require_store(folder)
    with only_job(folder):
        before = begun(folder)
        if before:
            require_same_maker(before, encoder, folder, settings=settings, shard_size=shard_size)
        work = decided(
            encoder,
            dataset,
            folder,
            before,
            append=append,
            settings=settings,
            shard_size=shard_size,
            progress=progress,
            hashed=hashed,
        )
        remove_parts(folder)
        given_up = remove_given_up(folder, work.plan, before) if before and work.appended else ()
        manifest, damaged = kept_shards(folder, work.plan, before or work.plan)
        kept = manifest.n_there
        # what is appended is not listed before all of it is there: until then the store reads as it was
        listing = not work.appended
        if listing:
            write_manifest(folder, manifest)
        written = write_items(folder, work.plan, [portion.items for portion in work.portions])
        if before and before.n_there and before.last.items:
            old = {items_name(number) for number in range(len(before.portions))}
            damaged += tuple(name for name in written if name in old)
        filling = Filling(folder, work.portions, cache, progress, listing, log)
        manifest, new_texts = filling.fill(manifest, "texts")
        manifest, new_images = filling.fill(manifest, "images")
        write_manifest(folder, manifest)
    return StoredEmbeddings(
        folder,
        manifest,
        encoded=new_texts + new_images,
        made=manifest.n_there - kept,
        kept=kept,
        mended=damaged,
        appended=work.appended,
        given_up=given_up,
    )


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
