"""Reading the manifest of an embedding store, which may be broken or hostile."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipeval.encoders.store_manifest import (
    FIRST_SCHEMA,
    MANIFEST,
    MODALITIES,
    SCHEMA,
    Manifest,
    Modality,
    Portion,
    Shard,
    Side,
    items_name,
    shard_name,
)
from clipeval.errors import EncoderError, NotAvailableError, near

MOST_ROWS = 2**40
MOST_SHARDS = 2**20
MOST_PORTIONS = 2**20
MOST_COLUMNS = 2**20
MOST_BYTES = 2**29
"""Of the manifest file itself; it holds some 200 bytes for each shard."""

_HASH = re.compile(r"[0-9a-f]{64}")


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a store; it may be broken or hostile.

    Parameters
    ----------
    folder : Path
        The store.

    Returns
    -------
    Manifest
        Nothing is said yet about the shards' files, nor whether all are there.

    Raises
    ------
    NotAvailableError
        There is no such folder.
    EncoderError
        It is no store, or its manifest is not what `Manifest.text` writes; the entry is named.
    """
    path = folder / MANIFEST
    if not folder.exists():
        raise NotAvailableError(f"there is no store '{folder}'", fix="clipeval embed makes one")
    if not path.is_file():
        raise EncoderError(
            f"'{folder}' is a folder without a {MANIFEST}",
            fix="name a store that 'clipeval embed' made, or a file of embeddings",
        )
    where = f"{folder.name}/{MANIFEST}"
    if path.stat().st_size > MOST_BYTES:
        raise EncoderError(f"the manifest is larger than {MOST_BYTES // 2**20} MiB", where=where)
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(
            f"the manifest cannot be read: {str(error)[:200] or type(error).__name__}",
            where=where,
            fix="restore it, or delete the folder and embed again",
        ) from None
    return _parsed(document, where=where)


def _parsed(document: object, *, where: str) -> Manifest:
    top = _Entries(document, where)
    schema = top.text("schema")
    if schema not in (FIRST_SCHEMA, SCHEMA):
        raise EncoderError(
            f"the store's schema is '{schema[:80]}', this clipeval reads '{FIRST_SCHEMA}' and '{SCHEMA}'",
            where=where,
            fix="use the version of clipeval that made it, or embed again",
        )
    if top.text("dtype") != "float32":
        raise EncoderError(f"the rows are {top.text('dtype')[:80]}, not float32", where=where)
    if schema == FIRST_SCHEMA:
        portions = [_dataset(top.entries("dataset"), items=None)]
        rows = {m: [top.entries(m).number("rows", most=MOST_ROWS)] for m in MODALITIES}
    else:
        portions, rows = _portions(top, where=where)
    width = top.value("width")
    manifest = Manifest(
        model=top.text("model"),
        fingerprint=top.words("fingerprint"),
        settings=top.words("settings"),
        recipe=top.text("recipe"),
        portions=tuple(portions),
        images=_side(top.entries("images"), "images", rows["images"]),
        texts=_side(top.entries("texts"), "texts", rows["texts"]),
        width=None if width is None else top.number("width", most=MOST_COLUMNS),
    )
    for what, side, ids in (
        ("images", manifest.images, manifest.last.n_images),
        ("captions", manifest.texts, manifest.last.n_captions),
    ):
        if side.rows > ids:
            raise EncoderError(f"{side.rows} distinct {what} of {ids}", where=where)
    if manifest.n_there and manifest.width is None:
        raise EncoderError("there are shards, but 'width' is null", where=where)
    # stores of the first schema hold no plan of their own: all of it can be read off the manifest
    return manifest.sealed() if schema == FIRST_SCHEMA else manifest


def _portions(top: _Entries, *, where: str) -> tuple[list[Portion], dict[Modality, list[int]]]:
    listed = top.many("portions")
    if not 1 <= len(listed) <= MOST_PORTIONS:
        raise EncoderError(f"'portions' must hold 1 to {MOST_PORTIONS:,} entries", where=where)
    portions: list[Portion] = []
    rows: dict[Modality, list[int]] = {modality: [] for modality in MODALITIES}
    for number, entry in enumerate(listed):
        one = _Entries(entry, f"{where}, portion {number}")
        items = one.entries("items")
        if items.text("file") != items_name(number):
            raise EncoderError(f"'file' must be '{items_name(number)}'", where=items.where)
        portion = _dataset(one.entries("dataset"), items=items.hash("sha256"), plan=one.hash("plan"))
        if portions and portion.n_images <= portions[-1].n_images:
            raise EncoderError("this portion brought no item", where=one.where)
        portions.append(portion)
        for modality in MODALITIES:
            # only the first portion cannot find all of its content there already
            counts = one.entries("rows")
            rows[modality].append(counts.number(modality, most=MOST_ROWS, least=0 if number else 1))
    return portions, rows


def _dataset(entries: _Entries, *, items: str | None, plan: str = "") -> Portion:
    return Portion(
        dataset=entries.text("name"),
        dataset_sha256=entries.hash("sha256"),
        n_images=entries.number("images", most=MOST_ROWS),
        n_captions=entries.number("captions", most=MOST_ROWS),
        items=items,
        plan=plan,
    )


def _side(entries: _Entries, modality: Modality, rows: list[int]) -> Side:
    side = Side(tuple(rows), rows_per_shard=entries.number("rows_per_shard", most=MOST_ROWS))
    if side.n_shards > MOST_SHARDS:
        raise EncoderError(
            f"{side.n_shards:,} shards are more than the {MOST_SHARDS:,} that are read", where=entries.where
        )
    listed = entries.many("shards")
    known = {shard_name(modality, number): number for number in range(side.n_shards)}
    shards: dict[int, Shard] = {}
    for row, entry in enumerate(listed):
        one = _Entries(entry, f"{entries.where}, shard {row}")
        name = one.text("file")
        if name not in known:
            raise EncoderError(
                f"'{name[:200]}' is no name of a shard of this store",
                where=one.where,
                fix=f"there are {side.n_shards}, from '{shard_name(modality, 0)}' on; nothing else is opened",
            )
        number = known[name]
        if number in shards:
            raise EncoderError(f"the shard '{name}' is listed twice", where=one.where)
        expected = len(side.rows_of(number))
        if one.number("rows", most=MOST_ROWS) != expected:
            raise EncoderError(f"'{name}' must have {expected} rows", where=f"{one.where}, rows")
        shards[number] = Shard(name, expected, one.hash("sha256"))
    return replace(side, shards=dict(sorted(shards.items())))


class _Entries:
    """A JSON object whose entries are checked as they are asked for."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise EncoderError(f"this is a {type(value).__name__}, not a JSON object", where=where)
        self._values: dict[str, Any] = value
        self.where = where

    def value(self, name: str) -> Any:
        if name not in self._values:
            raise EncoderError(f"there is no '{name}'", where=self.where, fix=near(name, self._values))
        return self._values[name]

    def entries(self, name: str) -> _Entries:
        return _Entries(self.value(name), f"{self.where}, {name}")

    def many(self, name: str) -> list[Any]:
        value = self.value(name)
        if not isinstance(value, list):
            raise EncoderError(f"'{name}' is not a list", where=self.where)
        return value

    def text(self, name: str) -> str:
        value = self.value(name)
        if not isinstance(value, str):
            raise self._wrong(name, "text")
        return value

    def hash(self, name: str) -> str:
        value = self.text(name)
        if not _HASH.fullmatch(value):
            raise self._wrong(name, "a SHA-256 in hexadecimal")
        return value

    def number(self, name: str, *, most: int, least: int = 1) -> int:
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most:,}")
        return value

    def words(self, name: str) -> dict[str, str]:
        value = self.value(name)
        if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
            raise self._wrong(name, "an object of texts")
        return value

    def _wrong(self, name: str, right: str) -> EncoderError:
        return EncoderError(f"'{name}' must be {right}", where=self.where)
