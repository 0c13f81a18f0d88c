"""Reader: webdataset shards, tar files with ``KEY.jpg`` beside ``KEY.json`` or ``KEY.txt``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipeval.data.dataset import Dataset, Item, PictureSource
from clipeval.data.json_text import captions_from, parse_json
from clipeval.data.pictures import PICTURE_SUFFIXES
from clipeval.data.plain_file import decode_utf8
from clipeval.data.remote_path import AnyPath, RemotePath, place
from clipeval.data.shards import expand_braces, series_of, whole_series
from clipeval.data.sources import span_source
from clipeval.data.tar_index import Member, read_tar
from clipeval.errors import DatasetError, near


def read_webdataset(
    path: str | AnyPath | Sequence[str | AnyPath], *, name: str | None = None, require_pictures: bool = True
) -> Dataset:
    """Read webdataset shards without unpacking them.

    ``KEY.json`` holds ``captions`` (a list) or ``caption``, and may hold a ``category``; without either of
    the first two, ``KEY.txt`` holds one caption a line. Members with other endings are ignored.

    Parameters
    ----------
    path : str, Path, RemotePath or sequence of them
        One shard, a folder of shards, a pattern (``val-*.tar``, ``val-{000..005}.tar``) or a list of shards.
        All but the first must be a whole series; one shard of several is read with a warning.
    name : str, optional
        Name of the dataset; if not given, the folder's name, the series' name, or the stem of one shard.
    require_pictures : bool, optional
        Whether a key without a picture is an error; if not, its item has no picture.

    Returns
    -------
    Dataset
        In the order of the shards; ids are keys.

    Raises
    ------
    DatasetError
        A shard missing, truncated or corrupt, a key used twice, without captions or without a picture.

    Warns
    -----
    UserWarning
        One shard was named and its folder holds others of the series.
    """
    shards, stem = _shards(path)
    items: dict[str, Item] = {}
    shard_of: dict[str, str] = {}
    for shard in shards:
        for key, sample in _samples(shard).items():
            if key in items:
                raise DatasetError(
                    f"the key '{key}' is used twice",
                    where=f"{shard_of[key]} and {shard.name}",
                    fix="give every picture its own key; several captions of one go into a list",
                )
            items[key] = _item(key, sample, shard=shard, require_pictures=require_pictures)
            shard_of[key] = shard.name
    if not items:
        raise DatasetError(
            "the shards hold no pictures", where=stem, fix="write KEY.jpg and KEY.json members"
        )
    return Dataset(name or stem, tuple(items.values()))


@dataclass
class _Sample:
    pictures: list[Member] = field(default_factory=list)
    json: Member | None = None
    txt: Member | None = None


def _shards(path: str | AnyPath | Sequence[str | AnyPath]) -> tuple[tuple[AnyPath, ...], str]:
    if not isinstance(path, str | Path | RemotePath):
        shards = whole_series((place(shard) for shard in path), where="the list of shards")
        return shards, series_of(shards[0])
    whole = place(path)
    if whole.is_dir():
        shards = whole_series((file for file in whole.glob("*.tar") if file.is_file()), where=whole.name)
        return shards, whole.resolve().name or "shards"
    if whole.is_file():
        others = [other for other in whole.parent.glob("*.tar") if series_of(other) == series_of(whole)]
        if len(others) > 1:
            warnings.warn(
                f"'{whole.name}' is one of {len(others)} shards: its figures are not those of the whole "
                f"dataset (for that name the folder or '{series_of(whole)}-*.tar')",
                UserWarning,
                stacklevel=3,
            )
        return (whole,), whole.stem
    names = expand_braces(whole.name)
    found: list[AnyPath] = [whole.parent / name for name in names]
    if len(names) == 1:
        found = list(whole.parent.glob(whole.name))
    shards = whole_series(found, where=whole.name)
    return shards, series_of(shards[0])


def _samples(shard: AnyPath) -> dict[str, _Sample]:
    samples: dict[str, _Sample] = {}
    for member in read_tar(shard):
        # the key ends at the first dot of the file name, as in the webdataset library
        folder, slash, file = member.name.rpartition("/")
        stem, _, ending = file.partition(".")
        suffix = f".{ending.lower()}"
        if not stem or (suffix not in PICTURE_SUFFIXES and suffix not in {".json", ".txt"}):
            continue
        sample = samples.setdefault(folder + slash + stem, _Sample())
        if suffix in PICTURE_SUFFIXES:
            sample.pictures.append(member)
        elif suffix == ".json":
            _once(sample.json, member, shard=shard)
            sample.json = member
        else:
            _once(sample.txt, member, shard=shard)
            sample.txt = member
    return samples


def _once(known: Member | None, member: Member, *, shard: AnyPath) -> None:
    if known is not None:
        raise DatasetError(
            f"the member '{member.name}' is there twice",
            where=shard.name,
            fix="give every picture its own key",
        )


def _item(key: str, sample: _Sample, *, shard: AnyPath, require_pictures: bool) -> Item:
    if len(sample.pictures) > 1:
        raise DatasetError(
            f"the key '{key}' has {len(sample.pictures)} pictures",
            where=f"{shard.name}: " + ", ".join(member.name for member in sample.pictures),
            fix="give every picture its own key",
        )
    if not sample.pictures and require_pictures:
        raise DatasetError(
            f"the key '{key}' has no picture",
            where=shard.name,
            fix=f"add a member '{key}.jpg' or remove the key",
        )
    captions, category = _texts(key, sample, shard=shard)
    picture: PictureSource | None = None
    for member in sample.pictures:
        where = f"{shard.name}: {member.name}"
        picture = span_source(shard, offset=member.offset, size=member.size, where=where)
    return Item(key, captions, picture, category)


def _texts(key: str, sample: _Sample, *, shard: AnyPath) -> tuple[tuple[str, ...], str | None]:
    category = None
    keys: list[str] = []
    if sample.json is not None:
        where = f"{shard.name}: {sample.json.name}"
        value = parse_json(sample.json.text, where=where)
        if not isinstance(value, dict):
            raise DatasetError(
                f"the member must hold an object, not {type(value).__name__}",
                where=where,
                fix='write {"captions": ["..."]}',
            )
        label = value.get("category")
        category = label if isinstance(label, str) and label else None
        for name in ("captions", "caption"):
            if value.get(name) is not None:
                return captions_from(value[name], where=where), category
        keys = list(value)
    if sample.txt is not None:
        where = f"{shard.name}: {sample.txt.name}"
        lines = decode_utf8(sample.txt.text, where=where).splitlines()
        return captions_from([line.strip() for line in lines if line.strip()], where=where), category
    raise DatasetError(
        f"the key '{key}' has no caption",
        where=shard.name,
        fix=near("captions", keys) if keys else f"add a member '{key}.json' with captions or '{key}.txt'",
    )
