"""Reading an embedding store: whole or not at all, rows mapped into memory and found by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.encoders.base import Rows
from clipeval.encoders.store_items import Shared, read_shared
from clipeval.encoders.store_manifest import Manifest, Modality, Shard
from clipeval.encoders.store_reading import read_manifest
from clipeval.encoders.store_shard import ShardRows, file_sha256, read_header, read_ids
from clipeval.errors import EncoderError


class MappedRows:
    """Rows of many files that read as one matrix; only the rows that are asked for are loaded.

    Parameters
    ----------
    parts : sequence of ShardRows, or of ndarray of float32, shape (n_i, d)
        In order.
    row_of : ndarray of int, shape (n,)
        Row of the joined parts that stands at each place: several ids can share a row.

    Examples
    --------
    >>> parts = [np.zeros((2, 3), dtype=np.float32), np.ones((1, 3), dtype=np.float32)]
    >>> rows = MappedRows(parts, np.array([2, 0, 2]))
    >>> rows.shape, rows[[0, 1]].tolist()
    ((3, 3), [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, parts: Sequence[ShardRows | Rows], row_of: NDArray[np.int64]) -> None:
        self._parts = tuple(parts)
        self._row_of = row_of
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (len(row_of), parts[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: ArrayLike | slice) -> Rows:
        """Load the rows at these places, shape ``(len(places), d)``, into memory."""
        rows = self._row_of[places if isinstance(places, slice) else np.asarray(places, dtype=np.int64)]
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        loaded = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        # one part after the other, each from its start to its end, as a disk likes it
        order = np.lexsort((rows, part_of))
        borders = np.searchsorted(part_of[order], np.arange(len(self._parts) + 1))
        for number, part in enumerate(self._parts):
            at = order[borders[number] : borders[number + 1]]
            if at.size:
                loaded[at] = part[rows[at] - self._starts[number]]
        return loaded

    def part(self, places: NDArray[np.int64]) -> MappedRows:
        """Give the rows at these places as rows of their own, nothing loaded: what another process needs."""
        rows = self._row_of[places]
        shard = np.searchsorted(self._starts, rows, side="right") - 1
        needed, place = np.unique(shard, return_inverse=True)
        parts = [self._parts[number] for number in needed] or self._parts[:1]
        starts = np.cumsum([0, *(len(part) for part in parts)])
        return MappedRows(parts, rows - self._starts[shard] + starts[place])

    def copy(self) -> Rows:
        """Load all."""
        return self[np.arange(len(self))]


@dataclass(frozen=True)
class OpenStore:
    """A store that is whole, as its manifest was when it was opened.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
        A job that appends replaces the one in the folder when it is done: what is open here stays as it is.
    shared : mapping of {"images", "texts"} to mapping of str to int
        `clipeval.encoders.store_items.read_shared`.
    """

    folder: Path
    manifest: Manifest
    shared: Shared

    def read(self, modality: Modality) -> tuple[MappedRows, tuple[str, ...]]:
        """Open the pictures or the captions, every shard checked against the manifest.

        Parameters
        ----------
        modality : {"images", "texts"}

        Returns
        -------
        rows : MappedRows, shape (n, d)
            One for each id.
        ids : tuple of str, length n
            Of items, or of captions (``ITEM#0`` ...).

        Raises
        ------
        EncoderError
            A shard is absent, truncated or altered, an id is there twice, or there are not as many ids as
            the dataset had. Every byte of this side is read once and hashed.
        """
        folder, manifest = self.folder, self.manifest
        side = manifest.side(modality)
        parts: list[ShardRows] = []
        row_of: dict[str, int] = {}

        def add(key: str, row: int, file: str) -> None:
            if key in row_of:
                raise EncoderError(
                    f"the id '{key}' is used twice",
                    where=f"{folder.name}, {modality} rows {row_of[key]} and {row}",
                    fix=f"delete {file}; {manifest.command(folder)} makes it again",
                )
            row_of[key] = row

        for number, shard in side.shards.items():
            part, ids = _open(folder, manifest, shard)
            for row, keys in enumerate(ids, side.rows_of(number).start):
                for key in keys:
                    add(key, row, shard.file)
            parts.append(part)
        for key, row in self.shared[modality].items():
            add(key, row, "the files of items")
        expected = manifest.last.n_images if modality == "images" else manifest.last.n_captions
        if len(row_of) != expected:
            raise EncoderError(
                f"the shards hold {len(row_of)} ids of {modality}, the manifest says {expected}",
                where=folder.name,
                fix="delete the folder and embed again",
            )
        return MappedRows(parts, np.fromiter(row_of.values(), np.int64, len(row_of))), tuple(row_of)


def open_store(folder: Path) -> OpenStore:
    """Open a store for reading.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    OpenStore

    Raises
    ------
    NotAvailableError
        There is none, or it is not finished.
    EncoderError
        Its manifest, or a file of items, is broken.
    """
    manifest = read_manifest(folder)
    manifest.require_whole(folder)
    return OpenStore(folder, manifest, read_shared(folder, manifest))


def _open(folder: Path, manifest: Manifest, shard: Shard) -> tuple[ShardRows, list[list[str]]]:
    where = f"{folder.name}, shard '{shard.file}'"
    path = folder / shard.file
    try:
        header = read_header(path, where=where)
        if (header.rows, header.width) != (shard.rows, manifest.width):
            raise EncoderError(
                f"the shard is {header.rows} x {header.width}, the manifest says "
                f"{shard.rows} x {manifest.width}",
                where=where,
            )
        if file_sha256(path) != shard.sha256:
            raise EncoderError("the shard was altered: its SHA-256 is not the manifest's", where=where)
        return ShardRows(path, header), read_ids(path, header, where=where)
    except OSError as error:
        raise EncoderError(f"the shard cannot be read: {error.strerror}", where=where) from error
    except EncoderError as error:
        fix = f"{manifest.command(folder)} makes it again"
        raise EncoderError(error.what, where=error.where, fix=error.fix or fix) from None
