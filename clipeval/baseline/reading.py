"""Plain data -> snapshot. Every value is looked at: the file may come from anywhere."""

from __future__ import annotations

import re
from typing import Any

from clipeval.baseline.checking import Check, kind
from clipeval.baseline.document import COLUMNS, FORMAT, VERSION, RowsFile
from clipeval.baseline.snapshot import DirectionSnapshot, ItemRecord, QueryResult, Snapshot
from clipeval.errors import BaselineError
from clipeval.evaluation import Direction

HEAD = (
    "format",
    "version",
    "sha256",
    "clipeval",
    "model",
    "data",
    "precomputed",
    "fingerprint",
    "embeddings",
)
KEYS = (*HEAD, "items", "i2t", "t2i")
_BESIDE = re.compile(r"[^/\\:\x00-\x1f]+\.safetensors")


def checkkind(document: dict[str, Any], *, where: str) -> None:
    """Refuse what is no baseline, or one of a format that this clipeval does not know.

    Raises
    ------
    BaselineError
        Another program's file; a newer format, with the version that made it.

    Examples
    --------
    >>> checkkind({"format": "clipeval baseline", "version": 2, "clipeval": "9.1"}, where="clip.json")
    Traceback (most recent call last):
    clipeval.errors.BaselineError: made by clipeval 9.1, needs a newer clipeval
      where: clip.json, version 2 of the format; this clipeval reads 1
      to do: pip install -U clipeval
    """
    if document.get("format") != FORMAT:
        raise BaselineError(
            "this is JSON, but no baseline", where=where, fix="name a file of clipeval baseline save"
        )
    version = document.get("version")
    if type(version) is int and version > VERSION:
        maker = document.get("clipeval")
        name = maker[:40] if isinstance(maker, str) and maker.isprintable() else "of unknown version"
        number = version if version < 10**9 else "of absurd size"
        raise BaselineError(
            f"made by clipeval {name}, needs a newer clipeval",
            where=f"{where}, version {number} of the format; this clipeval reads {VERSION}",
            fix="pip install -U clipeval",
        )


def snapshot_from(document: dict[str, Any], *, where: str, fix: str) -> tuple[Snapshot, RowsFile | None]:
    """Check plain data and make a snapshot of it.

    Parameters
    ----------
    document : dict
        What a file held, or what is to be written.
    where : str
        What an error calls it.
    fix : str
        What an error advises.

    Returns
    -------
    snapshot : Snapshot
        Without rows.
    rows : RowsFile or None
        Where they are.

    Raises
    ------
    BaselineError
        The first value that does not fit, by its key; the checksum is not looked at.

    Examples
    --------
    >>> snapshot_from({"format": "clipeval baseline", "version": 1}, where="clip.json", fix="look")
    Traceback (most recent call last):
    clipeval.errors.BaselineError: the key 'sha256' is missing
      where: clip.json
      to do: look
    """
    checkkind(document, where=where)
    check = Check(where, fix)
    check.keys(document, KEYS, "")
    check.whole(document["version"], "version", low=VERSION, high=VERSION)
    check.sha256(document["sha256"], "sha256")
    items = _items(check, document["items"])
    captions = {item.id: len(item.captions) for item in items}
    rows = check.keys(
        document["embeddings"], ("images_sha256", "texts_sha256", "file", "file_sha256"), "embeddings"
    )
    return Snapshot(
        model=check.text(document["model"], "model"),
        data=check.text(document["data"], "data"),
        fingerprint=_fingerprint(check, document["fingerprint"]),
        items=items,
        i2t=_direction(check, document["i2t"], "i2t", captions),
        t2i=_direction(check, document["t2i"], "t2i", captions),
        images_sha256=check.sha256(rows["images_sha256"], "embeddings.images_sha256"),
        texts_sha256=check.sha256(rows["texts_sha256"], "embeddings.texts_sha256"),
        precomputed=check.yes_or_no(document["precomputed"], "precomputed"),
        clipeval=check.text(document["clipeval"], "clipeval"),
    ), _rows_file(check, rows)


def _fingerprint(check: Check, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        check.refuse(f"an object is needed, not {kind(value)}", "fingerprint")
    words = {
        check.text(key, "fingerprint"): check.text(word, f"fingerprint.{key}") for key, word in value.items()
    }
    return dict(sorted(words.items()))


def _rows_file(check: Check, rows: dict[str, Any]) -> RowsFile | None:
    name, sha256 = rows["file"], rows["file_sha256"]
    if name is None and sha256 is None:
        return None
    # without a slash, a backslash and a drive's colon it cannot lead out of the folder
    if not _BESIDE.fullmatch(check.text(name, "embeddings.file")):
        check.refuse("the name of a safetensors file in the same folder is needed", "embeddings.file")
    return RowsFile(name, check.sha256(sha256, "embeddings.file_sha256"))


def _items(check: Check, value: object) -> tuple[ItemRecord, ...]:
    found: list[ItemRecord] = []
    for row, entry in enumerate(check.listed(value, "items")):
        place = f"items[{row}]"
        check.keys(entry, ("id", "picture", "captions", "category"), place)
        name = check.text(entry["id"], f"{place}.id")
        captions = tuple(
            check.text(caption, f"{place}.captions[{number}]")
            for number, caption in enumerate(check.listed(entry["captions"], f"{place}.captions"))
        )
        if list(captions) != sorted(captions):
            check.refuse("the captions are not sorted", f"{place}.captions")
        if found and name <= found[-1].id:
            wrong = "stands twice" if name == found[-1].id else "is not in its sorted place"
            check.refuse(f"the id {name[:200]!r} {wrong}", f"{place}.id")
        category = entry["category"]
        found.append(
            ItemRecord(
                name,
                check.sha256(entry["picture"], f"{place}.picture"),
                captions,
                None if category is None else check.text(category, f"{place}.category"),
            )
        )
    return tuple(found)


def _direction(
    check: Check, value: object, direction: Direction, captions: dict[str, int]
) -> DirectionSnapshot:
    part = check.keys(value, ("n_candidates", "columns", "queries"), direction)
    expected = len(captions) if direction == "t2i" else sum(captions.values())
    n = check.whole(part["n_candidates"], f"{direction}.n_candidates", low=1, high=10**12)
    if n != expected:
        what = "items" if direction == "t2i" else "captions"
        check.refuse(f"{n} candidates contradict the {expected} {what}", f"{direction}.n_candidates")
    if part["columns"] != list(COLUMNS[direction]):
        check.refuse(f"the columns must be {', '.join(COLUMNS[direction])}", f"{direction}.columns")
    position = {name: row for row, name in enumerate(captions)}
    queries: list[QueryResult] = []
    before = (-1, -1)
    for row, line in enumerate(check.listed(part["queries"], f"{direction}.queries")):
        place = f"{direction}.queries[{row}]"
        query = _query(check, line, place, direction, captions, n)
        here = (position[query.item], -1 if query.caption is None else query.caption)
        if here <= before:
            check.refuse("the query stands twice or is not in its sorted place", place)
        before = here
        queries.append(query)
    return DirectionSnapshot(n, tuple(queries))


def _query(
    check: Check, line: object, place: str, direction: Direction, captions: dict[str, int], n: int
) -> QueryResult:
    columns = COLUMNS[direction]
    if not isinstance(line, list) or len(line) != len(columns):
        check.refuse(f"a list of {len(columns)} values is needed: {', '.join(columns)}", place)
    value = dict(zip(columns, line, strict=True))

    def item(column: str) -> str:
        name = check.text(value[column], f"{place}, {column}")
        if name not in captions:
            check.refuse(f"there is no item {name[:200]!r}", f"{place}, {column}")
        return name

    def caption(column: str, of: str) -> int | None:
        if column not in value:
            return None
        return check.whole(value[column], f"{place}, {column}", low=0, high=captions[of] - 1)

    name = item("item")
    better = check.whole(value["better"], f"{place}, better", low=0, high=n - 1)
    tied = check.whole(value["tied"], f"{place}, tied", low=0, high=n - 1)
    positives_tied = check.whole(value["positives_tied"], f"{place}, positives_tied", low=1, high=n)
    if better + tied + positives_tied > n:
        check.refuse(f"the rank lies beyond the {n} candidates", place)
    beaten = (value["rival"], value.get("rival_caption"), value["rival_score"])
    rival = None
    if beaten == (None, None, None):
        if better + tied:
            check.refuse("a query with better or level candidates has a rival", f"{place}, rival")
    else:
        rival_item = item("rival")
        rival = (rival_item, caption("rival_caption", rival_item))
    return QueryResult(
        item=name,
        caption=caption("caption", name),
        better=better,
        tied=tied,
        positives_tied=positives_tied,
        score=check.score(value["score"], f"{place}, score"),
        rival=rival,
        rival_score=None if rival is None else check.score(value["rival_score"], f"{place}, rival_score"),
    )
