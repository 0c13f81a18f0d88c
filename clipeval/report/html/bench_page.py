"""The page of a benchmark: how fast, beside the proof that the answers are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipeval.counted import count
from clipeval.report.bench_table import too_noisy
from clipeval.report.figures.throughput import throughput
from clipeval.report.html.charts_section import charts_section
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.render import page_html
from clipeval.report.html.tables import NOTHING, Cell, table

IN_THE_TITLE = 3
"""More models than this are counted in the page's title, not named."""


def bench_page(document: Mapping[str, Any]) -> Page:
    """Lay out the page of a benchmark.

    Parameters
    ----------
    document : mapping
        From `clipeval.bench.document`.

    Returns
    -------
    Page
    """
    settings = document["settings"]
    answer = {
        **NOTHING,
        "sentences": _sentences(document),
        "tables": [
            _models(document),
            *([_speeds(document)] if document["measurements"] else []),
            *_ratios(document),
        ],
    }
    machine = {
        **NOTHING,
        "tables": [table("What it ran on.", ["", ""], [[k, str(v)] for k, v in document["machine"].items()])],
    }
    return Page(
        title=_title(document),
        kind="benchmark",
        facts=[settings["device"], settings["dtype"], f"clipeval {document['clipeval']}"],
        sections=[
            Section("answer", "Speeds", "tables", answer),
            *charts_section([throughput(dict(document))]),
            Section("machine", "Machine", "tables", machine),
        ],
    )


def _title(document: Mapping[str, Any]) -> str:
    names = tuple(dict.fromkeys(model["label"] for model in document["models"]))
    if len(names) > IN_THE_TITLE:
        return count(len(names), "model")
    return " and ".join(names) or "nothing was timed"


def bench_html(document: Mapping[str, Any]) -> str:
    """Write a benchmark as a page, without paths of the user's machine."""
    return page_html(bench_page(document_without_paths(dict(document))))


def _sentences(document: Mapping[str, Any]) -> list[str]:
    found = ["The benchmark was interrupted: this is part of it."] if document["partial"] else []
    sound = [one for one in document["measurements"] if one["sound"]]
    if len(sound) < len(document["measurements"]):
        found.append("A speed whose answers were wrong is struck out: it does not count.")
    return found


def _models(document: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[list[Cell | str]] = [
        [
            Cell(model["label"], below=f"{model['backend']}, {model['dtype'] or 'not loaded'}"),
            _state(model),
            "\n".join([*([model["reason"]] if model["reason"] else []), *_wrong(model), *model["not_timed"]]),
        ]
        for model in document["models"]
    ]
    return table("Models, and whether their answers agree with float32.", ["Model", "", "Note"], rows)


def _state(model: Mapping[str, Any]) -> Cell:
    if model["status"] != "ok":
        return Cell(model["status"], kind="chip")
    right = all(one["agrees"] for one in model["quality"].values())
    return Cell("agrees" if right else "wrong answers", kind="chip", colour="holds" if right else "refuted")


def _wrong(model: Mapping[str, Any]) -> list[str]:
    lines = [f"batch {size}: {one['reason']}" for size, one in model["quality"].items() if not one["agrees"]]
    return [*lines, *(["random weights: speed only"] if model["random_init"] else [])]


def _speeds(document: Mapping[str, Any]) -> dict[str, Any]:
    rows: list[list[Cell | str]] = []
    for one in document["measurements"]:
        product = one["matrix_product"]
        rows.append(
            [
                one["model"],
                one["part"],
                f"{one['batch_size']:,}",
                Cell(f"{one['items_per_second']:,.1f}", kind="strong" if one["sound"] else "struck"),
                Cell(
                    f"{1000 * one['median']:.2f}",
                    below=f"[{1000 * one['low']:.2f}, {1000 * one['high']:.2f}]",
                ),
                "" if product is None else f"{100 * product['share']:.0f} %",
                "; ".join(note for note in (one["warning"] or "", too_noisy(one)) if note),
            ]
        )
    columns = ["Model", "Part", "Batch", "Items/s", "ms a call", "Of the matrix product", "Note"]
    return table("Medians with 95 % intervals.", columns, rows)


def _ratios(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[list[Cell | str]] = [
        [
            one["first"],
            one["second"],
            f"{one['part']}, batch {one['batch_size']}",
            Cell(
                f"{one['ratio']:.3f}",
                kind="strong" if one["sound"] else "struck",
                below=f"[{one['low']:.3f}, {one['high']:.3f}]",
            ),
            too_noisy(one),
        ]
        for one in document["ratios"]
    ]
    if not rows:
        return []
    return [
        table(
            "How many times as long the first takes, measured in turns.",
            ["First", "Second", "Part", "Ratio", "Note"],
            rows,
        )
    ]
