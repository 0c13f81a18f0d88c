"""A snapshot as one JSON document, described by ``schema.json`` beside this file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

from clipeval.baseline.snapshot import DirectionSnapshot, Snapshot
from clipeval.evaluation import DIRECTIONS, Direction

Json: TypeAlias = dict[str, Any]

FORMAT = "clipeval baseline"
VERSION = 1
DECIMALS = 7
"""Of scores: float32 rows carry no more, and noise between machines stays out of the file."""

COLUMNS: dict[Direction, tuple[str, ...]] = {
    "i2t": ("item", "better", "tied", "positives_tied", "score", "rival", "rival_caption", "rival_score"),
    "t2i": ("item", "caption", "better", "tied", "positives_tied", "score", "rival", "rival_score"),
}
"""What the places of a query's line mean."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)

# what an editor takes for the end of a line, and what lets a text show itself in another order in a review
_MISLEADING = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class RowsFile:
    """The file with the embeddings.

    Attributes
    ----------
    name : str
        Beside the baseline.
    sha256 : str
        Of its bytes.
    """

    name: str
    sha256: str


def baseline_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> baseline_schema()["title"]
    'clipeval baseline'
    """
    schema: Json = json.loads(files("clipeval.baseline").joinpath("schema.json").read_text(encoding="utf-8"))
    return schema


def baseline_document(snapshot: Snapshot, *, rows: RowsFile | None = None) -> Json:
    """Turn a snapshot into plain data.

    Parameters
    ----------
    snapshot : Snapshot
        Its embeddings are named by their hashes; they go into a file of their own.
    rows : RowsFile, optional
        That file.

    Returns
    -------
    dict
        Valid under `baseline_schema`, with its checksum; not yet checked
        (`clipeval.baseline.reading.snapshot_from`).

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> kept = take_snapshot(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), fingerprint={}, data="")
    >>> baseline_document(kept)["t2i"]["queries"][0]
    ['picture 0', 0, 0, 0, 1, 1.0, 'picture 1', 0.0]
    """
    document: Json = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": "",
        "clipeval": snapshot.clipeval,
        "model": snapshot.model,
        "data": snapshot.data,
        "precomputed": snapshot.precomputed,
        "fingerprint": dict(sorted(snapshot.fingerprint.items())),
        "embeddings": {
            "images_sha256": snapshot.images_sha256,
            "texts_sha256": snapshot.texts_sha256,
            "file": rows.name if rows else None,
            "file_sha256": rows.sha256 if rows else None,
        },
        "items": [
            {
                "id": item.id,
                "picture": item.picture,
                "captions": list(item.captions),
                "category": item.category,
            }
            for item in snapshot.items
        ],
        **{direction: _queries(snapshot.direction(direction), direction) for direction in DIRECTIONS},
    }
    return {**document, "sha256": content_sha256(document)}


def document_text(document: Json) -> str:
    r"""Write the document as text.

    The head is indented, with one line for each word of the fingerprint, each item and each query. Characters
    that would break such a line or show it in another order are spelt out; all others stand as they are.

    Examples
    --------
    >>> document_text({"format": "clipeval baseline", "items": [{"id": "Käfer"}]})
    '{\n  "format": "clipeval baseline",\n  "items": [\n    {"id": "Käfer"}\n  ]\n}\n'
    """
    blocks = []
    for key, value in document.items():
        if isinstance(value, list):
            text = _list(value, indent=2)
        elif isinstance(value, dict):
            text = _object(value)
        else:
            text = _line(value)
        blocks.append(f"  {_line(key)}: {text}")
    text = "{\n" + ",\n".join(blocks) + "\n}\n"
    return _MISLEADING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # they stand inside texts only


def content_sha256(document: Json) -> str:
    """Hash the document's text without its line ``"sha256"``.

    The same as ``grep -v '^  "sha256"' FILE | sha256sum`` of a file with line feeds.

    Examples
    --------
    >>> content_sha256({"format": "x"}) == content_sha256({"format": "x", "sha256": "y"})
    True
    """
    rest = {key: value for key, value in document.items() if key != "sha256"}
    # half a surrogate pair cannot be written; the check that names it comes later
    return hashlib.sha256(document_text(rest).encode(errors="surrogatepass")).hexdigest()


def _queries(found: DirectionSnapshot, direction: Direction) -> Json:
    lines: list[list[object]] = []
    for query in found.queries:
        item, caption = query.rival or (None, None)
        counts = [query.better, query.tied, query.positives_tied, _rounded(query.score)]
        rival_score = None if query.rival_score is None else _rounded(query.rival_score)
        if direction == "i2t":
            lines.append([query.item, *counts, item, caption, rival_score])
        else:
            lines.append([query.item, query.caption, *counts, item, rival_score])
    return {"n_candidates": found.n_candidates, "columns": list(COLUMNS[direction]), "queries": lines}


def _rounded(value: float) -> float:
    return round(value, DECIMALS) + 0.0  # adding 0 turns -0 into 0


def _line(value: object) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, float):
        return f"{value:.{DECIMALS}f}"
    if isinstance(value, list):
        return f"[{', '.join(map(_line, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_line(key)}: {_line(one)}" for key, one in value.items()) + "}"
    return _ENCODER.encode(value)


def _list(values: list[object], *, indent: int) -> str:
    if not values:
        return "[]"
    outer, inner = " " * indent, " " * (indent + 2)
    return "[\n" + ",\n".join(inner + _line(value) for value in values) + f"\n{outer}]"


def _object(parts: Json) -> str:
    if not parts:
        return "{}"
    lines = []
    for key, value in parts.items():
        text = _list(value, indent=4) if key == "queries" and isinstance(value, list) else _line(value)
        lines.append(f"    {_line(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n  }"
