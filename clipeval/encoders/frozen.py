"""Family ``frozen``: embeddings on disk, played back by item and caption id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image

from clipeval.encoders.base import Encoder, Fingerprint, JointEncoder, Rows, as_rows
from clipeval.encoders.frozen_files import StoredRows, read_stored
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.store_manifest import MODALITIES, Modality
from clipeval.encoders.store_rows import OpenStore, open_store
from clipeval.encoders.weight_files import digest
from clipeval.errors import EncoderError, SpecError

__all__ = ["FrozenEncoder", "FrozenTower", "Modality", "load", "load_frozen_tower"]


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Load embeddings of pictures and of texts as an encoder that plays them back.

    Parameters
    ----------
    spec : ModelSpec
        ``frozen:PATH``: ``.npy`` of shape ``(2, n, d)``, images then texts; ``.npz`` or ``.safetensors``
        with arrays ``images`` and ``texts`` (or those named by ``?images=NAME&texts=NAME``). Ids come from
        arrays or metadata ``image_ids`` and ``caption_ids`` (or ``text_ids``), or from a JSON file
        (``STEM-ids.json`` beside it, or ``?ids=FILE``). Without ids, rows are taken in the dataset's order.
        Or a folder: a store that ``clipeval embed`` made, with its own ids.
    options : LoadOptions
        Not used: nothing is computed.

    Returns
    -------
    FrozenEncoder

    Raises
    ------
    EncoderError
        The file is truncated, not what its ending says, holds one modality only, widths that differ, or
        values that are not finite; or a shard of the store is absent, truncated or altered.
    NotAvailableError
        There is no such file, or the store is not finished.
    """
    del options
    spec.only({"images", "texts", "ids"})
    if spec.revision:
        raise SpecError("a file has no revisions", where=str(spec), fix=f"leave out '@{spec.revision}'")
    path = Path(spec.name).expanduser()
    ids = spec.options.get("ids")
    # opened once: an append may replace the manifest between one side and the other
    store = open_store(path) if path.is_dir() else None
    towers: dict[str, FrozenTower] = {}
    for modality in MODALITIES:
        tensor = spec.options.get(modality)
        if store:
            towers[modality] = _tower_of_store(store, modality=modality, options=(tensor, ids))
        else:
            towers[modality] = load_frozen_tower(path, modality=modality, tensor=tensor, ids=ids)
    return FrozenEncoder(name=str(spec), images=towers["images"], texts=towers["texts"])


def load_frozen_tower(
    path: str | Path,
    *,
    modality: Modality,
    tensor: str | None = None,
    ids: str | None = None,
    fingerprint: Fingerprint | None = None,
) -> FrozenTower:
    """Load the embeddings of one modality, to serve as one tower.

    Parameters
    ----------
    path : str or Path
        ``.npy`` of shape ``(n, d)`` or ``(2, n, d)``, ``.npz`` or ``.safetensors``; or the folder of a
        store that is finished.
    modality : {"images", "texts"}
        Which side is played back.
    tensor : str, optional
        Name of the array in the file; by default ``images`` or ``texts``, or the only one there is.
    ids : str, optional
        JSON file with the ids, relative to the folder of ``path``: a list, or an object that holds a list
        under the array's name or under ``image_ids`` / ``caption_ids``.
    fingerprint : mapping, optional
        Of the tower that made the rows, where that is known.

    Returns
    -------
    FrozenTower

    Raises
    ------
    EncoderError
        The file or its ids cannot be read, or a value is not finite.
    NotAvailableError
        There is no such file, or the store is not finished.
    """
    path = Path(path)
    if path.is_dir():
        store = open_store(path)
        return _tower_of_store(store, modality=modality, options=(tensor, ids), fingerprint=fingerprint)
    stored = read_stored(path, modality=modality, tensor=tensor, ids=ids)
    return FrozenTower(stored, modality=modality, fingerprint=fingerprint)


def _tower_of_store(
    store: OpenStore,
    *,
    modality: Modality,
    options: tuple[str | None, str | None],
    fingerprint: Fingerprint | None = None,
) -> FrozenTower:
    folder, manifest = store.folder, store.manifest
    if any(options):
        raise EncoderError(
            "a store has its own arrays and ids",
            where=folder.name,
            fix="leave out the options that name arrays or ids",
        )
    rows, ids = store.read(modality)
    words = {
        "family": "frozen",
        "model": folder.name,
        "made by": manifest.model,
        "weights": manifest.sha256,  # which holds the hash of every shard
        "array": f"{modality}, {len(rows)} x {rows.shape[1]}, stored as float32",
        "ids": "in the store",
    }
    stored = StoredRows(
        folder,
        modality,
        "float32",
        rows,
        ids,
        absent=f"use the dataset of this store, or add what is new: {manifest.append_command(folder)}",
    )
    return FrozenTower(stored, modality=modality, fingerprint=fingerprint or words)


class FrozenTower:
    """Rows of one modality, found by id, or taken in order where the file has no ids.

    Parameters
    ----------
    stored : StoredRows
        What was read.
    modality : {"images", "texts"}
        What the rows are.
    fingerprint : mapping, optional
        Of the tower that made the rows, where that is known; by default the file's own.
    """

    def __init__(
        self, stored: StoredRows, *, modality: Modality, fingerprint: Fingerprint | None = None
    ) -> None:
        self._stored = stored
        self._modality = modality
        self._row_of = {key: row for row, key in enumerate(stored.ids)} if stored.ids is not None else None
        self._fingerprint: Fingerprint = fingerprint or {
            "family": "frozen",
            "model": stored.path.name,
            "weights": digest([stored.path]),
            "array": f"{stored.array}, {len(stored.rows)} x {stored.rows.shape[1]}, stored as {stored.dtype}",
            "ids": digest([stored.ids_path])
            if stored.ids_path
            else "in the file"
            if stored.ids
            else "by order",
        }

    @property
    def fingerprint(self) -> Fingerprint:
        """The file's hash, and which of its rows are used."""
        return self._fingerprint

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self._stored.rows.shape[1])

    def play_images(self, item_ids: Sequence[str]) -> Rows:
        """Return the image rows of the named items, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            These are texts, an id is missing, or (without ids) the counts differ.
        """
        return self._play("images", item_ids)

    def play_texts(self, caption_ids: Sequence[str]) -> Rows:
        """Return the text rows of the named captions (``ITEM#0`` ...), shape ``(n, d)``.

        Raises
        ------
        EncoderError
            These are images, an id is missing, or (without ids) the counts differ.
        """
        return self._play("texts", caption_ids)

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Refuse: nothing can be encoded.

        Raises
        ------
        EncoderError
            Always.
        """
        raise _cannot_encode(self._stored.path.name)

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Refuse: nothing can be encoded.

        Raises
        ------
        EncoderError
            Always.
        """
        raise _cannot_encode(self._stored.path.name)

    def _play(self, modality: Modality, keys: Sequence[str]) -> Rows:
        where = f"{self._stored.path.name}, {self._stored.array}"
        if modality != self._modality:
            raise EncoderError(f"the file plays back {self._modality}, not {modality}", where=where)
        if self._row_of is None:
            if len(keys) != len(self._stored.rows):
                raise EncoderError(
                    f"{len(self._stored.rows)} rows without ids, but the dataset has {len(keys)} {modality}",
                    where=where,
                    fix="use the dataset of these embeddings, whole and in its order, or add a file of ids",
                )
            return self._stored.rows.copy()
        missing = [key for key in keys if key not in self._row_of]
        if missing:
            raise EncoderError(
                f"{len(missing)} of {len(keys)} ids have no {modality} here, the first is '{missing[0]}'",
                where=f"{where}, which starts with '{next(iter(self._row_of))}'",
                fix=self._stored.absent,
            )
        rows = self._stored.rows[[self._row_of[key] for key in keys]]
        return as_rows(rows, expected=len(keys), where=where)


class FrozenEncoder(JointEncoder):
    """Two frozen towers of one width.

    Parameters
    ----------
    name : str
        The model spec.
    images, texts : FrozenTower
        What is played back.
    fingerprint : mapping, optional
        Of the encoder that made the rows, where that is known.

    Raises
    ------
    EncoderError
        The widths differ.
    """

    def __init__(
        self,
        *,
        name: str,
        images: FrozenTower,
        texts: FrozenTower,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        if images.width != texts.width:
            raise EncoderError(
                f"image rows have {images.width} columns, text rows {texts.width}",
                where=name,
                fix="both must come from the same joint space; two spaces can be joined with preclip:",
            )
        self.name = name
        self._images, self._texts = images, texts
        self._fingerprint: Fingerprint = fingerprint or {
            **images.fingerprint,
            "array": f"images: {images.fingerprint['array']}; texts: {texts.fingerprint['array']}",
            "ids": f"images {images.fingerprint['ids']}; texts {texts.fingerprint['ids']}",
        }

    @property
    def fingerprint(self) -> Fingerprint:
        """The file's hash, and which of its rows are used."""
        return self._fingerprint

    def play_images(self, item_ids: Sequence[str]) -> Rows:
        """Return the image rows of the named items, shape ``(n, d)``; errors as in `FrozenTower`."""
        return self._images.play_images(item_ids)

    def play_texts(self, caption_ids: Sequence[str]) -> Rows:
        """Return the text rows of the named captions, shape ``(n, d)``; errors as in `FrozenTower`."""
        return self._texts.play_texts(caption_ids)

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Refuse: nothing can be encoded.

        Raises
        ------
        EncoderError
            Always.
        """
        raise _cannot_encode(self.name)

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Refuse: nothing can be encoded.

        Raises
        ------
        EncoderError
            Always.
        """
        raise _cannot_encode(self.name)


def _cannot_encode(where: str) -> EncoderError:
    return EncoderError(
        "frozen embeddings are played back by id and encode nothing new",
        where=where,
        fix="evaluate on the dataset they were made from, or use a model that encodes",
    )
