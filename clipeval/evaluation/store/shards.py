"""Shards of a store: those that are there and sound are kept, the others are made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipeval.encoders.base import Rows
from clipeval.encoders.store_items import PortionItems, items_bytes
from clipeval.encoders.store_manifest import (
    MANIFEST,
    MODALITIES,
    Manifest,
    Modality,
    Shard,
    items_name,
    shard_name,
)
from clipeval.encoders.store_shard import file_and_content_sha256, file_sha256, read_header, shard_bytes
from clipeval.errors import EncoderError
from clipeval.evaluation.store.files import write_whole

_OWN = re.compile(rf"({'|'.join(MODALITIES)}|items)-\d{{5,}}\.safetensors")


def with_shard(manifest: Manifest, modality: Modality, number: int, shard: Shard, width: int) -> Manifest:
    """List one more shard."""
    side = manifest.side(modality)
    listed = replace(side, shards={**side.shards, number: shard})
    images, texts = (listed, manifest.texts) if modality == "images" else (manifest.images, listed)
    return replace(manifest, images=images, texts=texts, width=width)


def kept_shards(folder: Path, bare: Manifest, listed: Manifest) -> tuple[Manifest, tuple[str, ...]]:
    """Look which shards need not be made again.

    A shard that was renamed but not yet listed when a job was killed says itself which plan it belongs to
    and what its content hashes to.

    Parameters
    ----------
    folder : Path
        The store.
    bare : Manifest
        The plan, without shards.
    listed : Manifest
        What the store says that it holds.

    Returns
    -------
    manifest : Manifest
        With the shards that are sound.
    damaged : tuple of str
        Files that were listed or lie there and are not.
    """
    manifest, damaged = bare, []
    for modality in MODALITIES:
        for number in range(bare.side(modality).n_shards):
            path = folder / shard_name(modality, number)
            entry = listed.side(modality).shards.get(number)
            if entry is None and not path.exists():
                continue
            try:
                shard, width = _sound(path, bare, modality, number, entry)
                if manifest.width in (None, width):
                    manifest = with_shard(manifest, modality, number, shard, width)
                    continue
            except EncoderError:
                pass  # what is wrong with it does not matter: it is made again
            damaged.append(path.name)
    return manifest, tuple(damaged)


def _sound(
    path: Path, bare: Manifest, modality: Modality, number: int, entry: Shard | None
) -> tuple[Shard, int]:
    header = read_header(path, where=path.name)
    whole, content = file_and_content_sha256(path, header)
    shard = Shard(path.name, len(bare.side(modality).rows_of(number)), whole)
    named = {"kind": modality, "plan": plan_of(bare, modality, number), "shard": str(number)}
    if (
        header.rows != shard.rows
        or any(header.metadata[key] != value for key, value in named.items())
        or (entry != shard if entry else content != header.metadata["sha256"])
    ):
        raise EncoderError("the shard belongs to another store or was altered", where=path.name)
    return shard, header.width


def plan_of(manifest: Manifest, modality: Modality, number: int) -> str:
    """Give the plan that a shard carries: that of its portion."""
    return manifest.portions[manifest.side(modality).portion_of(number)].plan


def write_shard(
    folder: Path, manifest: Manifest, modality: Modality, number: int, rows: Rows, ids: list[list[str]]
) -> Manifest:
    """Write a shard.

    Parameters
    ----------
    folder : Path
        The store.
    manifest : Manifest
        Without this shard.
    modality, number
        Which shard.
    rows : ndarray of float32, shape (n, d)
    ids : list of list of str
        For each row.

    Returns
    -------
    Manifest
        With this shard; on the disk it is not listed yet.
    """
    name = shard_name(modality, number)
    parts = shard_bytes(
        np.asarray(rows, dtype=np.float32),
        ids,
        kind=modality,
        plan=plan_of(manifest, modality, number),
        number=number,
    )
    shard = Shard(name, len(rows), write_whole(folder / name, parts))
    return with_shard(manifest, modality, number, shard, rows.shape[1])


def write_items(folder: Path, plan: Manifest, portions: Sequence[PortionItems]) -> tuple[str, ...]:
    """Write the files that tell the items of each portion, where they are not there or not whole.

    Parameters
    ----------
    folder : Path
        The store.
    plan : Manifest
        What their bytes hash to.
    portions : sequence of PortionItems

    Returns
    -------
    tuple of str
        Files that were written.
    """
    written = []
    for number, items in enumerate(portions):
        path, expected = folder / items_name(number), plan.portions[number].items
        if expected and not (path.is_file() and file_sha256(path) == expected):
            write_whole(path, items_bytes(items))
            written.append(path.name)
    return tuple(written)


def remove_given_up(folder: Path, plan: Manifest, listed: Manifest) -> tuple[str, ...]:
    """Remove what an append left that was not finished and is not the one that is planned.

    Parameters
    ----------
    folder : Path
        The store.
    plan : Manifest
        What is to be.
    listed : Manifest
        What the store holds: never touched.

    Returns
    -------
    tuple of str
        Shards that were removed.
    """
    kept = {shard.file for modality in MODALITIES for shard in listed.side(modality).shards.values()}
    kept |= {items_name(number) for number in range(len(plan.portions))}
    for modality in MODALITIES:
        for number in range(plan.side(modality).n_shards):
            path = folder / shard_name(modality, number)
            if path.name not in kept and _carries(path, plan_of(plan, modality, number)):
                kept.add(path.name)
    own = (path for path in sorted(folder.iterdir()) if _OWN.fullmatch(path.name) and path.is_file())
    removed = [path for path in own if path.name not in kept]
    for path in removed:
        path.unlink()
    return tuple(path.name for path in removed if not path.name.startswith("items"))


def _carries(path: Path, plan: str) -> bool:
    try:
        return path.is_file() and read_header(path, where=path.name).metadata["plan"] == plan
    except EncoderError:
        return False


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, unless it stands there already."""
    path, content = folder / MANIFEST, manifest.text().encode("ascii")
    if not path.is_file() or path.read_bytes() != content:
        write_whole(path, [content])
