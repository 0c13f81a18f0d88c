"""What a store is to hold, and whether a job may go on with what another one began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.store_manifest import MANIFEST, Manifest, Side
from clipeval.encoders.store_reading import read_manifest
from clipeval.errors import DatasetError, EncoderError
from clipeval.evaluation.cache import RECIPE
from clipeval.evaluation.distinct import PICTURES_AT_ONCE, TEXTS_AT_ONCE, DistinctInputs
from clipeval.evaluation.store.files import PART
from clipeval.evaluation.store.lock import LOCK

ROWS_PER_SHARD = 8192


def planned(
    encoder: Encoder,
    dataset: Dataset,
    *,
    images: DistinctInputs,
    texts: DistinctInputs,
    hashes: Sequence[str],
    shard_size: int,
    settings: Mapping[str, str],
) -> Manifest:
    """Describe the store of an encoder and a dataset, before anything is encoded.

    Parameters
    ----------
    encoder : Encoder
    dataset : Dataset
    images, texts : DistinctInputs
        What is encoded.
    hashes : sequence of str
        `clipeval.data.content.item_hashes`.
    shard_size : int
        Rows of a shard, at least 1; rounded up to whole batches.
    settings : mapping of str to str
        See `embed_to_store`.

    Returns
    -------
    Manifest
        Without shards.
    """
    return Manifest(
        model=encoder.name,
        fingerprint={str(key): str(value) for key, value in encoder.fingerprint.items()},
        settings=dict(settings),
        recipe=RECIPE,
        dataset=dataset.name,
        dataset_sha256=dataset_hash(dataset, pictures=hashes),
        n_images=dataset.n_images,
        n_captions=dataset.n_captions,
        images=Side(len(images.order), -(-shard_size // images.step) * images.step),
        texts=Side(len(texts.order), -(-shard_size // texts.step) * texts.step),
    )


def begun(folder: Path) -> Manifest | None:
    """Read the manifest of a store that is to go on.

    Parameters
    ----------
    folder : Path
        It exists.

    Returns
    -------
    Manifest or None
        None for an empty folder.

    Raises
    ------
    EncoderError
        The folder holds something else, or the manifest is broken.
    """
    if (folder / MANIFEST).exists():
        return read_manifest(folder)
    strange = sorted(p.name for p in folder.iterdir() if p.name != LOCK and not p.name.endswith(PART))
    if strange:
        raise EncoderError(
            f"the folder is not empty and is no store: it holds '{strange[0]}' and no {MANIFEST}",
            where=str(folder),
            fix="name an empty or a new folder",
        )
    return None


def require_same_job(before: Manifest, now: Manifest, folder: Path, *, any_size: bool) -> None:
    """Refuse to go on with what another model, other data or other settings began.

    Parameters
    ----------
    before : Manifest
        Of the store.
    now : Manifest
        From `planned`.
    folder : Path
        For errors.
    any_size : bool
        The user named no shard size: the store's own stands.

    Raises
    ------
    DatasetError
        The dataset differs.
    EncoderError
        The model, a setting or the shard size differs; the difference is named.
    """
    for what, there, here in (
        ("another model", before.fingerprint, now.fingerprint),
        ("other settings", before.settings, now.settings),
        ("another version of clipeval", {"recipe": before.recipe}, {"recipe": now.recipe}),
    ):
        differences = [key for key in sorted({*there, *here}) if there.get(key) != here.get(key)]
        if differences:
            key = differences[0]
            more = f"; also: {', '.join(differences[1:4])}" if len(differences) > 1 else ""
            raise EncoderError(
                f"the store was begun with {what}: '{key}' is {_shown(there.get(key))} there, "
                f"{_shown(here.get(key))} here{more}",
                where=str(folder),
                fix="go on with what it was begun with, or name another folder",
            )
    if before.dataset_sha256 != now.dataset_sha256:
        counts = [f"{m.n_images:,} images and {m.n_captions:,} captions" for m in (before, now)]
        how = (
            f"{counts[0]} there, {counts[1]} here"
            if counts[0] != counts[1]
            else "equal counts, but an id, a picture, a caption, a category or their order differs"
        )
        raise DatasetError(
            f"the store was begun with another dataset: {how}",
            where=f"{folder}: '{before.dataset}' there, '{now.dataset}' here",
            fix="go on with the same data, or name another folder",
        )
    sizes = [(m.images.rows_per_shard, m.texts.rows_per_shard) for m in (before, now)]
    if not any_size and sizes[0] != sizes[1]:
        raise EncoderError(
            f"the store was begun with {sizes[0][0]} pictures and {sizes[0][1]} captions in a shard, "
            f"not {sizes[1][0]} and {sizes[1][1]}",
            where=str(folder),
            fix="leave the shard size out, or name another folder",
        )
    whole = (PICTURES_AT_ONCE, TEXTS_AT_ONCE)
    if any(size % batch for size, batch in zip(sizes[0], whole, strict=True)) or (
        (before.images.rows, before.texts.rows) != (now.images.rows, now.texts.rows)
    ):
        raise EncoderError(
            "the manifest was altered: its numbers of rows do not fit the dataset and its batches",
            where=f"{folder}/{MANIFEST}",
            fix="delete the folder and embed again",
        )


def _shown(word: str | None) -> str:
    return "absent" if word is None else f"'{word[:100]}'"
