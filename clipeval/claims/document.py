"""Judged claims as one JSON document, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.resources import files
from typing import Any, TypeAlias

from clipeval._version import __version__
from clipeval.claims.results import FamilyResult, left_out, merged, status

Json: TypeAlias = dict[str, Any]


def claims_schema() -> Json:
    """Read the JSON Schema of the document.

    Examples
    --------
    >>> claims_schema()["title"]
    'clipeval claims'
    """
    schema: Json = json.loads(files("clipeval.claims").joinpath("schema.json").read_text(encoding="utf-8"))
    return schema


def claims_document(results: Iterable[FamilyResult], *, strict: bool = False) -> Json:
    """Turn what a session found into plain data.

    Parameters
    ----------
    results : iterable of FamilyResult
        The parts that were asked for.
    strict : bool
        Whether undecided and not_run count as failures.

    Returns
    -------
    dict
        Valid under `claims_schema`; the same session gives the same document.

    Examples
    --------
    >>> claims_document([])["status"]
    2
    """
    found = list(results)
    datasets, models, cases = merged(found)
    words = [case.word for case in cases]
    return {
        "clipeval": __version__,
        "strict": strict,
        "status": status(cases, models=models, strict=strict),
        "counts": {word: words.count(word) for word in VERDICT_WORDS},
        "datasets": [asdict(dataset) for dataset in datasets],
        "models": [
            {**asdict(model), "reason": model.reason or None, "warnings": list(model.warnings)}
            for model in models
        ],
        "cases": [
            {
                **asdict(case),
                "verdict": case.verdict.value,
                "broken": case.broken or None,
                "reason": case.reason or None,
                "models": list(case.models),
                "worst": list(case.worst),
                "accepted": list(case.accepted) if case.accepted else None,
                "discordant": list(case.discordant) if case.discordant else None,
            }
            for case in cases
        ],
        "outside": [{**asdict(one), "models": list(one.models)} for one in left_out(found)],
    }


def document_text(document: Json) -> str:
    """Write the document as text: indented, no NaN, a final line break."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


VERDICT_WORDS = ("holds", "refuted", "undecided", "not_run", "broken")
"""The words of every table, in their order."""
