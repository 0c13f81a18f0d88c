"""The items of a store's portion: what each was when it was embedded, and which rows of others it shares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.store_layout import Tensor, laid_out, text_tensor
from clipeval.encoders.store_manifest import MODALITIES, Manifest, Modality, items_name
from clipeval.errors import EncoderError

ITEMS_SCHEMA = "clipeval-store-items/1"
HASH_BYTES = 32
Shared: TypeAlias = Mapping[Modality, Mapping[str, int]]


@dataclass(frozen=True, eq=False)
class PortionItems:
    """What a store keeps of the items of a portion, so that a later append can tell whether they changed.

    Attributes
    ----------
    ids : tuple of str, length n
        In the order of the dataset that brought them.
    pictures : ndarray of uint8, shape (n, 32)
        SHA-256 of each picture's bytes.
    captions : ndarray of uint8, shape (n, 32)
        `clipeval.data.content.captions_hash` of each item.
    shared : mapping of {"images", "texts"} to mapping of str to int
        Items and captions (``ITEM#0`` ...) whose picture or text an earlier portion brought, and the row,
        counted over all shards, that they share.
    """

    ids: tuple[str, ...]
    pictures: NDArray[np.uint8]
    captions: NDArray[np.uint8]
    shared: Shared


def items_bytes(items: PortionItems) -> list[bytes]:
    """Lay the items of a portion out as safetensors, to be written one after the other.

    Examples
    --------
    >>> one = np.zeros((1, 32), dtype=np.uint8)
    >>> parts = items_bytes(PortionItems(("a",), one, one, {"images": {"a": 7}, "texts": {}}))
    >>> [part for part in parts[1:] if part != one.tobytes()]
    [b'["a"]', b'{"images":{"a":7},"texts":{}}']
    """
    return laid_out(
        {
            "ids": text_tensor(list(items.ids)),
            "pictures": Tensor("U8", items.pictures.shape, items.pictures.tobytes()),
            "captions": Tensor("U8", items.captions.shape, items.captions.tobytes()),
            "shared": text_tensor({modality: dict(items.shared[modality]) for modality in MODALITIES}),
        },
        metadata={"format": ITEMS_SCHEMA},
    )


def read_items(folder: Path, manifest: Manifest, portion: int) -> PortionItems:
    """Read the items of a portion.

    Parameters
    ----------
    folder : Path
        The store.
    manifest : Manifest
        Not of the first schema.
    portion : int
        Which one.

    Returns
    -------
    PortionItems

    Raises
    ------
    EncoderError
        The file is absent, altered, or not what `items_bytes` writes.
    """
    tensors = _read(folder, manifest, portion)
    try:
        ids = json.loads(tensors["ids"].tobytes())
        pictures, captions = tensors["pictures"], tensors["captions"]
        fits = pictures.shape == captions.shape == (len(ids), HASH_BYTES)
        if not fits or not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
            raise ValueError
    except (KeyError, ValueError, TypeError, RecursionError):
        raise _altered(folder, manifest, portion) from None
    return PortionItems(tuple(ids), pictures, captions, _shared(tensors, folder, manifest, portion))


def read_shared(folder: Path, manifest: Manifest) -> Shared:
    """Read which rows the items of later portions share with earlier ones.

    Parameters
    ----------
    folder : Path
        The store.
    manifest : Manifest

    Returns
    -------
    mapping of {"images", "texts"} to mapping of str to int
        See `PortionItems.shared`; the first portion shares nothing.

    Raises
    ------
    EncoderError
        As from `read_items`.
    """
    shared: dict[Modality, dict[str, int]] = {modality: {} for modality in MODALITIES}
    for portion in range(1, len(manifest.portions)):
        tensors = _read(folder, manifest, portion)
        for modality, rows in _shared(tensors, folder, manifest, portion).items():
            shared[modality].update(rows)
    return shared


def _read(folder: Path, manifest: Manifest, portion: int) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = (folder / items_name(portion)).read_bytes()
    except FileNotFoundError:
        raise EncoderError("the file is absent", **_place(folder, manifest, portion)) from None
    except OSError as error:
        words = f"the file cannot be read: {error.strerror}"
        raise EncoderError(words, **_place(folder, manifest, portion)) from error
    if hashlib.sha256(data).hexdigest() != manifest.portions[portion].items:
        raise _altered(folder, manifest, portion)
    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError):
        raise _altered(folder, manifest, portion) from None


def _shared(tensors: Mapping[str, NDArray[Any]], folder: Path, manifest: Manifest, portion: int) -> Shared:
    try:
        document = json.loads(tensors["shared"].tobytes())
        shared: Shared = {modality: dict(document[modality]) for modality in MODALITIES}
    except (KeyError, ValueError, TypeError, RecursionError):
        raise _altered(folder, manifest, portion) from None
    for modality, rows in shared.items():
        before = manifest.side(modality).first_row(portion)
        if not all(type(row) is int and 0 <= row < before for row in rows.values()):
            raise _altered(folder, manifest, portion)
    return shared


def _place(folder: Path, manifest: Manifest, portion: int) -> dict[str, str]:
    return {
        "where": f"{folder.name}, '{items_name(portion)}'",
        "fix": f"{manifest.command(folder)} makes it again",
    }


def _altered(folder: Path, manifest: Manifest, portion: int) -> EncoderError:
    return EncoderError("the file was altered", **_place(folder, manifest, portion))
