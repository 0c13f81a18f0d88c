"""Shards of one dataset: in order, none missing, none from another split."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clipeval.data.remote_path import AnyPath
from clipeval.errors import DatasetError

MOST_SHARDS = 1_000_000
"""A pattern that names more files is taken for a slip of the pen."""

_MOST_DIGITS = 18
_NUMBERED = re.compile(r"^(?P<series>.*?)[-_.]?(?P<number>\d+)(?:-of-(?P<total>\d+))?$")
_BRACES = re.compile(r"^(.*)\{(\d+)\.\.(\d+)\}(.*)$")


def series_of(path: AnyPath) -> str:
    """Name the series that a shard belongs to.

    Parameters
    ----------
    path : Path or RemotePath
        A shard.

    Returns
    -------
    str
        The stem without its number.

    Examples
    --------
    >>> from pathlib import Path
    >>> series_of(Path("flickr8k-val-000.tar")), series_of(Path("train-00001-of-00005.parquet"))
    ('flickr8k-val', 'train')
    """
    match = _NUMBERED.match(path.stem)
    return match["series"] if match and match["series"] else path.stem


def expand_braces(pattern: str) -> list[str]:
    """Expand ``name-{000..005}.tar`` to its file names; other patterns come back alone.

    Parameters
    ----------
    pattern : str
        With at most one pair of braces.

    Returns
    -------
    list of str
        Empty where the second number is the smaller one.

    Raises
    ------
    DatasetError
        More names than `MOST_SHARDS`.

    Examples
    --------
    >>> expand_braces("s-{08..10}.tar")
    ['s-08.tar', 's-09.tar', 's-10.tar']
    """
    match = _BRACES.match(pattern)
    if not match:
        return [pattern]
    before, first, last, after = match.groups()
    # compared as text first: Python refuses to convert thousands of digits
    if max(len(first), len(last)) > _MOST_DIGITS or int(last) - int(first) >= MOST_SHARDS:
        raise DatasetError(
            f"the pattern names more than {MOST_SHARDS:,} files", where=pattern, fix="check the two numbers"
        )
    numbers = range(int(first), int(last) + 1)
    return [f"{before}{number:0{len(first)}d}{after}" for number in numbers]


def whole_series(paths: Iterable[AnyPath], *, where: str) -> tuple[AnyPath, ...]:
    """Put shards in order and refuse a series with a gap.

    Some shards of many measured as if they were the whole is an old mistake (CLIP_benchmark issue 88): fewer
    candidates make every score look better.

    Parameters
    ----------
    paths : iterable of Path or RemotePath
        Shards such as ``train-000.tar``; numbers may also be written ``00000-of-00005``.
    where : str
        Folder or pattern, for errors.

    Returns
    -------
    tuple of Path or RemotePath
        By number. A single file is a whole series unless its number is padded with zeros or says ``-of-``.

    Raises
    ------
    DatasetError
        No shard, several series at once, a number missing or there twice.

    Examples
    --------
    >>> from pathlib import Path
    >>> whole_series([Path("val-000.tar"), Path("val-002.tar")], where="flickr")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: shard 1 of the series 'val' is missing: 2 of 3 are there
      where: flickr
      to do: fetch all shards; a part must not be measured as the whole
    """
    shards = sorted(paths)
    if not shards:
        raise DatasetError("there are no shards", where=where, fix="check the folder or the pattern")
    series = sorted({series_of(shard) for shard in shards})
    if len(series) > 1:
        raise DatasetError(
            f"there are shards of {len(series)} series: {', '.join(series)}",
            where=where,
            fix=f"name one of them, for example '{series[0]}-*{shards[0].suffix}'",
        )
    if len(shards) == 1 and not _surely_numbered(shards[0]):
        return (shards[0],)
    by_number: dict[int, AnyPath] = {}
    totals: set[int] = set()
    for shard in shards:
        match = _NUMBERED.match(shard.stem)
        if match is None:
            raise DatasetError(f"the shard '{shard.name}' has no number", where=where, fix="name it NAME-000")
        number = int(match["number"])
        if number in by_number:
            raise DatasetError(
                f"shard {number} is there twice: '{by_number[number].name}' and '{shard.name}'",
                where=where,
                fix="remove one",
            )
        by_number[number] = shard
        totals |= {int(match["total"])} if match["total"] else set()
    if len(totals) > 1:
        raise DatasetError(
            f"the shards disagree about how many there are: {sorted(totals)}",
            where=where,
            fix="remove the old ones",
        )
    first = min([1, *by_number])  # numbering from 1 is as good as from 0
    last = max([*by_number, first + max(totals, default=0) - 1])
    # the first only: a file name may promise any number of others
    absent = next((number for number in range(first, last + 1) if number not in by_number), None)
    if absent is not None:
        raise DatasetError(
            f"shard {absent} of the series '{series[0]}' is missing: "
            f"{len(by_number)} of {last + 1 - first} are there",
            where=where,
            fix="fetch all shards; a part must not be measured as the whole",
        )
    return tuple(by_number[number] for number in sorted(by_number))


def _surely_numbered(shard: AnyPath) -> bool:
    # 'coco-2017.tar' alone is a year; '003.tar' and '3-of-5.tar' alone are what is left of a series
    match = _NUMBERED.match(shard.stem)
    return match is not None and (match["total"] is not None or re.match(r"0\d", match["number"]) is not None)
