"""What a store is to hold, and whether a job may go on with what another one began."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.store_items import items_bytes
from clipeval.encoders.store_manifest import MANIFEST, MODALITIES, Manifest, Portion, Side
from clipeval.encoders.store_reading import read_manifest
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation.cache import RECIPE
from clipeval.evaluation.distinct import PICTURES_AT_ONCE, TEXTS_AT_ONCE, at_once
from clipeval.evaluation.store.files import PART
from clipeval.evaluation.store.lock import LOCK
from clipeval.evaluation.store.portions import PortionInputs

ROWS_PER_SHARD = 8192


def planned(
    encoder: Encoder,
    portions: Sequence[PortionInputs],
    *,
    newest: Portion,
    before: Manifest | None,
    settings: Mapping[str, str],
    shard_size: int | None,
) -> Manifest:
    """Describe a store with one portion more than there is, before anything is encoded.

    Parameters
    ----------
    encoder : Encoder
    portions : sequence of PortionInputs
        What all portions encode, the new one last.
    newest : Portion
        Its dataset.
    before : Manifest, optional
        What is there. Its names of model and datasets stand, and the rows of its shards: all jobs on a store
        write the same bytes.
    settings : mapping of str to str
        See `embed_to_store`.
    shard_size : int or None
        Rows of a shard in a new store, rounded up to whole batches; 8192 if None.

    Returns
    -------
    Manifest
        Without shards.
    """
    there = before.portions if before else ()
    if before and before.last.items is None:
        # an earlier clipeval did not keep what its items were; the dataset has just been shown to hold them
        there = (replace(before.last, items=_items_sha256(portions[0])),)
    images, texts = (
        Side(
            tuple(len(portion.inputs[modality].order) for portion in portions),
            before.side(modality).rows_per_shard
            if before
            else -(-(shard_size or ROWS_PER_SHARD) // step) * step,
        )
        for modality, step in at_once(encoder).items()
    )
    return Manifest(
        model=before.model if before else encoder.name,
        fingerprint=_words(encoder),
        settings=dict(settings),
        recipe=RECIPE,
        portions=(*there, replace(newest, items=_items_sha256(portions[-1]))),
        images=images,
        texts=texts,
    ).sealed()


def newest_portion(dataset: Dataset, *, dataset_sha256: str) -> Portion:
    """Note what dataset a portion comes with."""
    return Portion(dataset.name, dataset_sha256, dataset.n_images, dataset.n_captions, items=None)


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


def require_store(folder: Path) -> None:
    """Refuse to append to what is not there: a mistyped name would embed everything anew.

    Raises
    ------
    NotAvailableError
        There is no store.
    """
    if not (folder / MANIFEST).exists():
        raise NotAvailableError(
            f"there is no store '{folder}' to append to",
            fix="check the name; without --append a new store is made",
        )


def require_same_maker(
    before: Manifest,
    encoder: Encoder,
    folder: Path,
    *,
    settings: Mapping[str, str],
    shard_size: int | None,
) -> None:
    """Refuse to go on with what another model or other settings began.

    Parameters
    ----------
    before : Manifest
        Of the store.
    encoder : Encoder
    folder : Path
        For errors.
    settings : mapping of str to str
        See `embed_to_store`.
    shard_size : int or None
        None if the user named none: the store's own stands.

    Raises
    ------
    EncoderError
        The model, a setting or the shard size differs; the difference is named.
    """
    for what, there, here in (
        ("another model", before.fingerprint, _words(encoder)),
        ("other settings", before.settings, settings),
        ("another version of clipeval", {"recipe": before.recipe}, {"recipe": RECIPE}),
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
    if shard_size is None:
        return
    sizes = before.shard_sizes
    wanted = tuple(-(-shard_size // step) * step for step in at_once(encoder).values())
    if sizes != wanted:
        raise EncoderError(
            f"the store was begun with {sizes[0]} pictures and {sizes[1]} captions in a shard, "
            f"not {wanted[0]} and {wanted[1]}",
            where=str(folder),
            fix="leave the shard size out, or name another folder",
        )


def require_unaltered(plan: Manifest, portions: Sequence[PortionInputs], folder: Path) -> None:
    """Refuse a manifest whose numbers are not those of the dataset that it names.

    Raises
    ------
    EncoderError
        It was altered.
    """
    for modality in MODALITIES:
        side = plan.side(modality)
        rows = tuple(len(portion.inputs[modality].order) for portion in portions)
        if side.portions != rows or side.rows_per_shard % portions[0].inputs[modality].step:
            raise _was_altered("its numbers of rows do not fit the dataset and its batches", folder)
    items = [portion.items for portion in plan.portions]
    if items != [None] and items != [_items_sha256(portion) for portion in portions]:
        raise _was_altered("the hashes of its items are not those of the dataset", folder)


def settings_of(encoder: Encoder, settings: Mapping[str, str] | None) -> dict[str, str]:
    """Give the settings of a store: the caller's, and how many inputs are encoded together.

    Parameters
    ----------
    encoder : Encoder
        Its batch size counts where it is larger than a step of 32 pictures or 256 captions.
    settings : mapping of str to str, optional
        See `embed_to_store`.

    Returns
    -------
    dict of str to str
    """
    steps, usual = at_once(encoder), {"images": PICTURES_AT_ONCE, "texts": TEXTS_AT_ONCE}
    more = {f"{key} at once": str(step) for key, step in steps.items() if step != usual[key]}
    return {**(settings or {}), **more}


def _was_altered(why: str, folder: Path) -> EncoderError:
    return EncoderError(
        f"the manifest was altered: {why}",
        where=f"{folder}/{MANIFEST}",
        fix="delete the folder and embed again",
    )


def _words(encoder: Encoder) -> dict[str, str]:
    return {str(key): str(value) for key, value in encoder.fingerprint.items()}


def _items_sha256(portion: PortionInputs) -> str:
    digest = hashlib.sha256()
    for part in items_bytes(portion.items):
        digest.update(part)
    return digest.hexdigest()


def _shown(word: str | None) -> str:
    return "absent" if word is None else f"'{word[:100]}'"
