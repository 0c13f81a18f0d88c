"""Shards of a store: those that are there and sound are kept, the others are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from clipeval.encoders.base import Rows
from clipeval.encoders.store_manifest import MANIFEST, MODALITIES, Manifest, Modality, Shard, shard_name
from clipeval.encoders.store_shard import content_is_whole, file_sha256, read_header, shard_bytes
from clipeval.errors import EncoderError
from clipeval.evaluation.store.files import write_whole


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
    shard = Shard(path.name, len(bare.side(modality).rows_of(number)), file_sha256(path))
    named = {"kind": modality, "plan": bare.plan, "shard": str(number)}
    if (
        header.rows != shard.rows
        or any(header.metadata[key] != value for key, value in named.items())
        or (entry != shard if entry else not content_is_whole(path, header))
    ):
        raise EncoderError("the shard belongs to another store or was altered", where=path.name)
    return shard, header.width


def write_shard(
    folder: Path, manifest: Manifest, modality: Modality, number: int, rows: Rows, ids: list[list[str]]
) -> Manifest:
    """Write a shard, then the manifest that lists it.

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
        With this shard; so it stands on the disk.
    """
    name = shard_name(modality, number)
    parts = shard_bytes(
        np.asarray(rows, dtype=np.float32), ids, kind=modality, plan=manifest.plan, number=number
    )
    shard = Shard(name, len(rows), write_whole(folder / name, parts))
    listed = with_shard(manifest, modality, number, shard, rows.shape[1])
    write_manifest(folder, listed)
    return listed


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, unless it stands there already."""
    path, content = folder / MANIFEST, manifest.text().encode("ascii")
    if not path.is_file() or path.read_bytes() != content:
        write_whole(path, [content])
