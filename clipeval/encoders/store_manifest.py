"""The manifest of an embedding store: what was to be encoded, by what, and which shards are there."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from clipeval.encoders.base import Fingerprint
from clipeval.errors import NotAvailableError

MANIFEST = "manifest.json"
SCHEMA = "clipeval-store/1"
Modality: TypeAlias = Literal["images", "texts"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)


@dataclass(frozen=True)
class Shard:
    """One file of rows.

    Attributes
    ----------
    file : str
        Its name in the store's folder.
    rows : int
        Distinct pictures or captions in it.
    sha256 : str
        Of the whole file, hexadecimal.
    """

    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Side:
    """The pictures or the captions of a store.

    Attributes
    ----------
    rows : int
        Distinct pictures or captions that there are to be.
    rows_per_shard : int
        In all shards but the last.
    shards : mapping of int to Shard
        Those that are there, by number.
    """

    rows: int
    rows_per_shard: int
    shards: Mapping[int, Shard] = field(default_factory=dict)

    @property
    def n_shards(self) -> int:
        """Number of shards that there are to be."""
        return -(-self.rows // self.rows_per_shard)

    def rows_of(self, number: int) -> range:
        """Give the rows of a shard, counted over all shards."""
        start = number * self.rows_per_shard
        return range(start, min(start + self.rows_per_shard, self.rows))


@dataclass(frozen=True)
class Manifest:
    """What a store is to hold, and what it holds so far.

    Attributes
    ----------
    model : str
        The model spec.
    fingerprint : mapping of str to str
        Of the encoder.
    settings : mapping of str to str
        What else can move the last bits of a row.
    recipe : str
        Of clipeval's own preparation of inputs.
    dataset : str
        Its name.
    dataset_sha256 : str
        `clipeval.data.content.dataset_hash`.
    n_images, n_captions : int
        Items and captions of the dataset, repetitions counted.
    images, texts : Side
    width : int or None
        Columns; None before the first shard.
    """

    model: str
    fingerprint: Fingerprint
    settings: Mapping[str, str]
    recipe: str
    dataset: str
    dataset_sha256: str
    n_images: int
    n_captions: int
    images: Side
    texts: Side
    width: int | None = None

    def side(self, modality: Modality) -> Side:
        """Give the pictures or the captions."""
        return self.images if modality == "images" else self.texts

    @property
    def n_shards(self) -> int:
        """Number of shards that there are to be, of both sides."""
        return self.images.n_shards + self.texts.n_shards

    @property
    def n_there(self) -> int:
        """Number of shards that are listed."""
        return len(self.images.shards) + len(self.texts.shards)

    @property
    def plan(self) -> str:
        """SHA-256 of everything but the shards: two jobs with one plan make the same files."""
        bare = replace(
            self,
            images=replace(self.images, shards={}),
            texts=replace(self.texts, shards={}),
            width=None,
        )
        return hashlib.sha256(bare.text().encode()).hexdigest()

    def text(self) -> str:
        """Write as JSON: one spelling for one content, no times, no paths."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "model": self.model,
            "fingerprint": dict(self.fingerprint),
            "settings": dict(self.settings),
            "recipe": self.recipe,
            "dataset": {
                "name": self.dataset,
                "sha256": self.dataset_sha256,
                "images": self.n_images,
                "captions": self.n_captions,
            },
            "dtype": "float32",
            "width": self.width,
            **{modality: _side_document(self.side(modality)) for modality in MODALITIES},
        }
        return json.dumps(document, indent=1, sort_keys=True) + "\n"

    def require_whole(self, folder: Path) -> None:
        """Refuse a store that is not finished.

        Raises
        ------
        NotAvailableError
            Says how many shards are there, the first that is not, and the command that goes on.
        """
        if self.n_there == self.n_shards:
            return
        absent = next(
            shard_name(modality, number)
            for modality in MODALITIES
            for number in range(self.side(modality).n_shards)
            if number not in self.side(modality).shards
        )
        raise NotAvailableError(
            f"the store is not finished: it holds {self.n_there} of {self.n_shards} shards",
            where=f"{folder.name}, the first that is missing is '{absent}'",
            fix=f"{self.command(folder)} goes on where it stopped",
        )

    def command(self, folder: Path) -> str:
        """Give the command that finishes or mends the store; the dataset's path is not known."""
        words = ["clipeval", "embed", "--model", self.model, "--data", "DATA", "--out", str(folder)]
        return f"{shlex.join(words)} (DATA: the dataset '{self.dataset}')"


def shard_name(modality: Modality, number: int) -> str:
    """Name a shard's file.

    Examples
    --------
    >>> shard_name("images", 3)
    'images-00003.safetensors'
    """
    return f"{modality}-{number:05d}.safetensors"


def _side_document(side: Side) -> dict[str, Any]:
    shards = [side.shards[number] for number in sorted(side.shards)]
    return {
        "rows": side.rows,
        "rows_per_shard": side.rows_per_shard,
        "shards": [{"file": one.file, "rows": one.rows, "sha256": one.sha256} for one in shards],
    }
