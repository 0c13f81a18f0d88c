"""The manifest of an embedding store: what was to be encoded, by what, and which shards are there."""

from __future__ import annotations

import hashlib
import json
import shlex
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from clipeval.encoders.base import Fingerprint
from clipeval.errors import NotAvailableError

MANIFEST = "manifest.json"
FIRST_SCHEMA = "clipeval-store/1"
"""Of stores that know their dataset by one hash, not item by item, and were never appended to."""
SCHEMA = "clipeval-store/2"
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
    portions : tuple of int
        Distinct pictures or captions that each portion is to add; 0 where all of them were there before.
    rows_per_shard : int
        In all shards of a portion but its last.
    shards : mapping of int to Shard
        Those that are there, by number; numbers run on over the portions.

    Examples
    --------
    >>> side = Side((70, 0, 5), 32)
    >>> side.rows, side.n_shards, side.shards_of(2), side.rows_of(2), side.portion_of(3)
    (75, 4, range(3, 4), range(64, 70), 2)
    """

    portions: tuple[int, ...]
    rows_per_shard: int
    shards: Mapping[int, Shard] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of distinct pictures or captions that there are to be."""
        return sum(self.portions)

    @property
    def n_shards(self) -> int:
        """Number of shards that there are to be."""
        return self._ends[-1]

    def shards_of(self, portion: int) -> range:
        """Give the numbers of the shards that a portion adds."""
        ends = (0, *self._ends)
        return range(ends[portion], ends[portion + 1])

    def portion_of(self, number: int) -> int:
        """Give the portion that a shard belongs to."""
        return bisect_right(self._ends, number)

    def rows_of(self, number: int) -> range:
        """Give the rows of a shard, counted over all shards."""
        portion = self.portion_of(number)
        first = self.first_row(portion)
        start = first + (number - self.shards_of(portion).start) * self.rows_per_shard
        return range(start, min(start + self.rows_per_shard, first + self.portions[portion]))

    def first_row(self, portion: int) -> int:
        """Count the rows of the portions before this one."""
        return sum(self.portions[:portion])

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(accumulate(-(-rows // self.rows_per_shard) for rows in self.portions))


@dataclass(frozen=True)
class Portion:
    """What one dataset brought: the one that the store was begun with, or one that was appended.

    Attributes
    ----------
    dataset : str
        Its name.
    dataset_sha256 : str
        `clipeval.data.content.dataset_hash` of it, with the items that were there before.
    n_images, n_captions : int
        Items and captions of it, with those that were there before, repetitions counted.
    items : str or None
        SHA-256 of the file that tells its items; None in a store of the first schema.
    plan : str
        SHA-256 of everything that decides what its shards hold: they carry it, and two jobs with one plan
        make the same files.
    """

    dataset: str
    dataset_sha256: str
    n_images: int
    n_captions: int
    items: str | None
    plan: str = ""


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
    portions : tuple of Portion
        At least one.
    images, texts : Side
    width : int or None
        Columns; None before the first shard.
    """

    model: str
    fingerprint: Fingerprint
    settings: Mapping[str, str]
    recipe: str
    portions: tuple[Portion, ...]
    images: Side
    texts: Side
    width: int | None = None

    @property
    def last(self) -> Portion:
        """The portion that came last: its dataset is that of the store as a whole."""
        return self.portions[-1]

    def side(self, modality: Modality) -> Side:
        """Give the pictures or the captions."""
        return self.images if modality == "images" else self.texts

    @property
    def shard_sizes(self) -> tuple[int, int]:
        """Rows of a shard: pictures, captions."""
        return self.images.rows_per_shard, self.texts.rows_per_shard

    @property
    def n_shards(self) -> int:
        """Number of shards that there are to be, of both sides."""
        return self.images.n_shards + self.texts.n_shards

    @property
    def n_there(self) -> int:
        """Number of shards that are listed."""
        return len(self.images.shards) + len(self.texts.shards)

    @property
    def bare(self) -> Manifest:
        """The same without shards: what is to be, not what is there."""
        images, texts = (replace(side, shards={}) for side in (self.images, self.texts))
        return replace(self, images=images, texts=texts, width=None)

    @property
    def sha256(self) -> str:
        """Hash of the file that `text` makes, hexadecimal."""
        return hashlib.sha256(self.text().encode("ascii")).hexdigest()

    def sealed(self) -> Manifest:
        """Give the last portion its plan; those of the others are part of it."""
        open_end = (*self.portions[:-1], replace(self.last, plan=""))
        plan = replace(self.bare, portions=open_end).sha256
        return replace(self, portions=(*self.portions[:-1], replace(self.last, plan=plan)))

    def text(self) -> str:
        """Write as JSON: one spelling for one content, no times, no paths."""
        document: dict[str, Any] = {
            "model": self.model,
            "fingerprint": dict(self.fingerprint),
            "settings": dict(self.settings),
            "recipe": self.recipe,
            "dtype": "float32",
            "width": self.width,
        }
        for modality in MODALITIES:
            document[modality] = _side_document(self.side(modality))
        if self.last.items is None:
            document |= {"schema": FIRST_SCHEMA, "dataset": _dataset_document(self.last)}
            for modality in MODALITIES:
                document[modality]["rows"] = self.side(modality).rows
        else:
            portions = [
                {
                    "dataset": _dataset_document(portion),
                    "items": {"file": items_name(number), "sha256": portion.items},
                    "plan": portion.plan,
                    "rows": {modality: self.side(modality).portions[number] for modality in MODALITIES},
                }
                for number, portion in enumerate(self.portions)
            ]
            document |= {"schema": SCHEMA, "portions": portions}
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
        return f"{self._embed(folder)} (DATA: the dataset '{self.last.dataset}')"

    def append_command(self, folder: Path) -> str:
        """Give the command that adds what is new in a dataset that has grown."""
        return f"{self._embed(folder)} --append"

    def _embed(self, folder: Path) -> str:
        words = ["clipeval", "embed", "--model", self.model, "--data", "DATA", "--out", str(folder)]
        return shlex.join(words)


def shard_name(modality: Modality, number: int) -> str:
    """Name a shard's file.

    Examples
    --------
    >>> shard_name("images", 3)
    'images-00003.safetensors'
    """
    return f"{modality}-{number:05d}.safetensors"


def items_name(portion: int) -> str:
    """Name the file that tells the items of a portion.

    Examples
    --------
    >>> items_name(0)
    'items-00000.safetensors'
    """
    return f"items-{portion:05d}.safetensors"


def _dataset_document(portion: Portion) -> dict[str, Any]:
    return {
        "name": portion.dataset,
        "sha256": portion.dataset_sha256,
        "images": portion.n_images,
        "captions": portion.n_captions,
    }


def _side_document(side: Side) -> dict[str, Any]:
    shards = [side.shards[number] for number in sorted(side.shards)]
    return {
        "rows_per_shard": side.rows_per_shard,
        "shards": [{"file": one.file, "rows": one.rows, "sha256": one.sha256} for one in shards],
    }
