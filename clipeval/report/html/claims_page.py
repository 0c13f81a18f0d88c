"""The page of ``clipeval check``: which claims hold, which do not, and which the data cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipeval.counted import count
from clipeval.report.figures.claims import ORDER, claims_chart, in_order, lettered, word_of
from clipeval.report.html.charts_section import charts_section
from clipeval.report.html.numbers import p_value
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.tables import NOTHING, Cell, table


def claims_page(document: Mapping[str, Any], *, show_paths: bool = False) -> Page:
    """Lay out the page of judged claims.

    Parameters
    ----------
    document : mapping
        From `clipeval.claims.document`.
    show_paths : bool
        Whether paths of the user's machine stay.

    Returns
    -------
    Page
    """
    found = lettered(document)  # before the paths go, by which two files may differ
    document = found if show_paths else document_without_paths(found)
    cases = in_order(document["cases"])
    facts = [
        f"{data['name']}: {count(data['n_images'], 'picture')}, {count(data['n_captions'], 'caption')}"
        for data in document["datasets"]
    ]
    answer = {
        **NOTHING,
        "chip": {0: "holds", 1: "refuted", 2: "undecided"}[document["status"]],
        "sentences": [_sentence(document["counts"]), *_strict(document)],
        "counts": [(word, document["counts"][word]) for word in ORDER if document["counts"][word]],
    }
    sections = [Section("answer", "Verdicts", "tables", answer)]
    if cases:
        sections += charts_section([claims_chart(document)])
        sections.append(Section("claims", "Claims", "tables", {**NOTHING, "tables": [_cases(cases)]}))
    return Page(
        title="Claims",
        kind="check",
        facts=[*facts, f"clipeval {document['clipeval']}"],
        sections=[
            *sections,
            Section("models", "Models", "tables", _models(document)),
            *_outside(document["outside"]),
        ],
    )


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


def _cases(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows: list[list[Cell | str]] = [
        [
            Cell(case["statement"], below=f"{case['claim']}, {case['source']}"),
            Cell(word_of(case), kind="chip"),
            " ".join(case["models"]),
            _finding(case),
            _effect(case),
            Cell(p_value(case["p_corrected"]), below=f"of {case['family']}" if case["p"] is not None else ""),
        ]
        for case in cases
    ]
    columns = ["Claim", "Verdict", "Models", "Found", "Effect", "p (Holm)"]
    return table("Every claim with its evidence; 95 % intervals, p corrected over the family.", columns, rows)


def _finding(case: Mapping[str, Any]) -> Cell:
    said = case["broken"] or case["sentence"] or ""
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


def _models(document: Mapping[str, Any]) -> dict[str, Any]:
    rows = [
        [
            Cell(f"{model['letter']}  {model['name']}", below=model["role"] or ""),
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
