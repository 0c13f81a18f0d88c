"""The page of ``clipeval check``: which claims hold, which do not, and which the data cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clipeval.report.claims_text import short_names
from clipeval.report.html.model_names import letter
from clipeval.report.html.numbers import count, p_value
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.render import page_html
from clipeval.report.html.tables import NOTHING, Cell, table
from clipeval.report.names import display_names

ORDER = ("refuted", "broken", "undecided", "holds", "not_run")
"""What calls for action comes first."""


def claims_page(document: Mapping[str, Any]) -> Page:
    """Lay out the page of judged claims.

    Parameters
    ----------
    document : mapping
        From `clipeval.claims.document`.

    Returns
    -------
    Page
    """
    specs = [model["spec"] for model in document["models"]]
    letters = {spec: letter(at) for at, spec in enumerate(specs)}
    cases = sorted(document["cases"], key=lambda case: ORDER.index(_word(case)))
    facts = [
        f"{data['name']}: {count(data['n_images'], 'picture')}, {count(data['n_captions'], 'caption')}"
        for data in document["datasets"]
    ]
    answer = {
        **NOTHING,
        "chip": {0: "holds", 1: "refuted", 2: "undecided"}[document["status"]],
        "sentences": [_sentence(document["counts"]), *_strict(document)],
        "counts": [(word, document["counts"][word]) for word in ORDER if document["counts"][word]],
        "tables": [_cases(cases, letters)] if cases else [],
    }
    return Page(
        title="Claims",
        kind="check",
        facts=[*facts, f"clipeval {document['clipeval']}"],
        sections=[
            Section("answer", "Verdicts", "tables", answer),
            Section("models", "Models", "tables", _models(document, letters)),
            *_outside(document["outside"]),
        ],
    )


def claims_html(document: Mapping[str, Any]) -> str:
    """Write judged claims as a page, without paths of the user's machine."""
    return page_html(claims_page(document_without_paths(document)))


def _word(case: Mapping[str, Any]) -> str:
    return "broken" if case["broken"] else str(case["verdict"])


def _sentence(counts: Mapping[str, int]) -> str:
    judged = sum(counts.values())
    words = [
        f"{counts['holds']} of {count(judged, 'claim')} {'holds' if counts['holds'] == 1 else 'hold'}",
        f"{counts['refuted']} refuted" if counts["refuted"] else "none is refuted",
    ]
    if counts["broken"]:
        words.append(f"{counts['broken']} broke")
    if counts["undecided"]:
        words.append(f"of {counts['undecided']} the data cannot tell")
    return ", ".join(words) + "."


def _strict(document: Mapping[str, Any]) -> list[str]:
    return ["Judged strictly: undecided and not run are not good enough."] if document["strict"] else []


def _cases(cases: Sequence[Mapping[str, Any]], letters: Mapping[str, str]) -> dict[str, Any]:
    words = short_names(letters)  # a long spec is spelt out once, under Models
    rows: list[list[Cell | str]] = [
        [
            Cell(case["statement"], below=f"{case['claim']}, {case['source']}"),
            Cell(_word(case), kind="chip"),
            " ".join(letters.get(spec, "?") for spec in case["models"]),
            _finding(case, words),
            _effect(case),
            Cell(p_value(case["p_corrected"]), below=f"of {case['family']}" if case["p"] is not None else ""),
        ]
        for case in cases
    ]
    columns = ["Claim", "Verdict", "Models", "Found", "Effect", "p (Holm)"]
    return table("Every claim with its evidence; 95 % intervals, p corrected over the family.", columns, rows)


def _finding(case: Mapping[str, Any], words: Callable[[str], str]) -> Cell:
    said = case["broken"] or words(case["sentence"] or "")
    why = case["reason"] if case["reason"] and case["reason"] != said else ""
    worst = ("What speaks most against it", *case["worst"]) if case["worst"] else ()
    return Cell(said or why or "", below=why if said else "", more=worst)


def _effect(case: Mapping[str, Any]) -> Cell:
    value, low, high = case["effect"], case["low"], case["high"]
    if value is None:
        return Cell("")
    if low is None or high is None:
        return Cell(f"{value:+.3f}", kind="strong")
    inside = all(-1 <= one <= 1 for one in (value, low, high))
    return Cell(
        f"{value:+.3f}",
        kind="strong",
        below=f"[{low:+.2f}, {high:+.2f}]",
        mark=(value, low, high) if inside else None,
    )


def _models(document: Mapping[str, Any], letters: Mapping[str, str]) -> dict[str, Any]:
    names = display_names([model["spec"] for model in document["models"]])
    rows = [
        [
            Cell(f"{letters[model['spec']]}  {names[model['spec']]}", below=model["role"] or ""),
            Cell(
                {"ok": "ran"}.get(model["status"], model["status"]),
                kind="chip",
                colour={"ok": "none"}.get(model["status"], model["status"]),
            ),
            Cell(model["reason"] or "\n".join(model["warnings"]) or _precomputed(model)),
        ]
        for model in document["models"]
    ]
    return {
        **NOTHING,
        "tables": [table("Models, and why one did not run.", ["Model", "", "Note"], rows)] if rows else [],
    }


def _precomputed(model: Mapping[str, Any]) -> str:
    return "precomputed: embeddings shipped with clipeval stood in" if model["precomputed"] else ""


def _outside(outside: Sequence[Mapping[str, Any]]) -> list[Section]:
    if not outside:
        return []
    rows = [[one["claim"], one["reason"]] for one in outside]
    values = {
        **NOTHING,
        "tables": [table("Claims that do not apply to these models or data.", ["Claim", "Why"], rows)],
    }
    return [Section("outside", "Not applicable", "tables", values)]
