"""The answer of a check as one JSON document, described by ``answer.schema.json`` beside this file."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.baseline.result import SwapResult
from clipeval.core.verdict import Verdict

Json: TypeAlias = dict[str, Any]

STATUS = {Verdict.HOLDS: 0, Verdict.REFUTED: 1, Verdict.UNDECIDED: 2, Verdict.NOT_RUN: 2}
"""Exit status of a command that ends with a verdict."""


def answer_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> answer_schema()["title"]
    'clipeval swap'
    """
    text = files("clipeval.baseline").joinpath("answer.schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def answer_document(result: SwapResult) -> Json:
    """Turn an answer into plain data; every item, field and flip is listed.

    Parameters
    ----------
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.

    Returns
    -------
    dict
        Valid under `answer_schema`; the same comparison gives the same document.
    """
    return {
        "clipeval": __version__,
        "verdict": result.verdict.value,
        "status": STATUS[result.verdict],
        "reason": result.reason,
        "old": result.old,
        "new": result.new,
        "margin": result.margin,
        "queries": [
            {"direction": direction, "queries": queries, "units": units}
            for direction, queries, units in result.n_queries
        ],
        "data": {"same": result.data.same, **_plain(asdict(result.data))},
        "fields": [_plain(asdict(change)) for change in result.fields],
        "drift": [_plain(asdict(drift)) for drift in result.drift],
        "flips": [_plain(asdict(flips)) for flips in result.flips],
        "metrics": [
            {
                **_plain(asdict(change)),
                "verdict": change.verdict.value,
                "difference": change.difference,
                "interval": asdict(change.interval),
            }
            for change in result.metrics
        ],
        "guards": [_plain(asdict(guard)) for guard in result.guards],
        "rows": dict(zip(("old", "new"), map(asdict, result.rows), strict=True)) if result.rows else None,
    }


def answer_text(result: SwapResult) -> str:
    """Write the document as text: indented, no NaN, a final line break."""
    return json.dumps(answer_document(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(values: Json) -> Json:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
