"""The page of a swap: may the new model, library or preprocessing take the old one's place; what flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipeval.counted import count
from clipeval.report.figures.margins import margins
from clipeval.report.html.charts_section import charts_section
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.swap_explorer import Explored
from clipeval.report.html.tables import NOTHING, Cell, table
from clipeval.report.names import display_names


def swap_page(document: Mapping[str, Any], explored: Explored, *, show_paths: bool = False) -> Page:
    """Lay out the page of a swap.

    Parameters
    ----------
    document : mapping
        From `clipeval.baseline.answer`.
    explored : Explored
        Heat map and items, where they are at hand.
    show_paths : bool
        Whether paths of the user's machine stay.

    Returns
    -------
    Page
    """
    # of two files of one name the folders stay that tell them apart
    names = display_names([document["old"], document["new"]])
    same, old, new = document["old"] == document["new"], names[document["old"]], names[document["new"]]
    document = document if show_paths else document_without_paths(document)
    answer = {
        **NOTHING,
        "chip": document["verdict"],
        "sentences": [document["reason"]],
        "tables": [_metrics(document["metrics"])] if document["metrics"] else [],
        "notes": [f"{guard['name']}: {guard['sentence']}" for guard in document["guards"]],
    }
    sections = [Section("answer", "Verdict", "tables", answer)]
    if document["flips"]:
        sections.append(Section("flips", "Flips", "tables", _flips(document["flips"])))
    sections += charts_section([margins(document, names=(old, new))])
    sections += explored.sections
    sections.append(Section("differs", "What differs", "tables", _differs(document)))
    return Page(
        title=old if same else f"{old} → {new}",
        kind="swap",
        facts=[
            *(f"{one['queries']:,} {one['direction']} queries" for one in document["queries"]),
            f"margin {document['margin']:g}",
            f"clipeval {document['clipeval']}",
        ],
        sections=sections,
        data=explored.data,
    )


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows: list[list[Cell | str]] = [
        [
            f"{one['metric']} {one['direction']}",
            f"{one['old']:.3f}",
            f"{one['new']:.3f}",
            Cell(
                f"{one['difference']:+.3f}",
                kind="strong",
                below=f"[{one['interval']['low']:+.3f}, {one['interval']['high']:+.3f}]",
                mark=(one["difference"], one["interval"]["low"], one["interval"]["high"]),
            ),
            Cell(one["verdict"], kind="chip") if one["judged"] else Cell("not judged"),
        ]
        for one in metrics
    ]
    level = metrics[0]["interval"]["level"]
    return table(
        f"Old and new on the same queries; {100 * level:g} % intervals of the difference.",
        ["Metric", "Old", "New", "Difference", "Verdict"],
        rows,
    )


def _flips(flips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tables = []
    for one in flips:
        for word in ("lost", "gained"):
            if one[word]:
                title = (
                    f"{one['direction']}: {count(len(one[word]), 'query', 'queries')} {word} the first place"
                )
                columns = ["Query", "Rank", "Score", "Best wrong answer now"]
                tables.append(table(title, columns, [_flip(flip) for flip in one[word]]))
    counts = {word: sum(len(one[word]) for one in flips) for word in ("lost", "gained")}
    return {
        **NOTHING,
        "sentences": [] if tables else ["No query lost or gained the first place."],
        "counts": [(word, number) for word, number in counts.items() if number],
        "tables": tables,
    }


def _flip(flip: Mapping[str, Any]) -> list[Cell]:
    rival = "" if flip["rival_score"] is None else f"{flip['rival_score']:.3f}"
    return [
        Cell(flip["caption"] or flip["item"], below=flip["item"] if flip["caption"] else ""),
        Cell(f"{flip['old_rank']:g} → {flip['new_rank']:g}", kind="strong"),
        Cell(f"{flip['old_score']:.3f} → {flip['new_score']:.3f}"),
        Cell(flip["rival"], below=rival),
    ]


def _differs(document: Mapping[str, Any]) -> dict[str, Any]:
    fields = [
        [one["label"], one["old"], one["new"], "yes" if one["matters"] else "no"]
        for one in document["fields"]
    ]
    moved: list[list[Cell | str]] = [
        [
            one["modality"],
            Cell(one["kind"], below=one["why"]),
            "" if one["median"] is None else f"{one['median']:.6f}",
            f"{one['n_beyond']:,} of {one['n']:,}",
            "\n".join(f"{row['cosine']:.6f}  {row['caption'] or row['item']}" for row in one["worst"]),
        ]
        for one in document["drift"]
    ]
    tables = [_data(document["data"])] if not document["data"]["same"] or document["data"]["changed"] else []
    if fields:
        columns = ["Field", "Old", "New", "Can change an embedding"]
        tables.append(table("Fingerprints: what differs, likeliest cause first.", columns, fields))
    if moved:
        columns = ["", "Moved", "Median cosine", "Beyond noise", "Furthest"]
        tables.append(table("Embeddings, old against new.", columns, moved))
    same = [] if fields else ["No field of the fingerprint differs."]
    return {**NOTHING, "sentences": same, "tables": tables}


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    rows = [["added", one, "", ""] for one in data["added"]] + [
        ["removed", one, "", ""] for one in data["removed"]
    ]
    rows += [[f"{one['what']} changed", one["id"], one["old"], one["new"]] for one in data["changed"]]
    caption = f"The data: {count(data['n_old'], 'item')} before, {count(data['n_new'], 'item')} now."
    return table(caption, ["", "Item", "Before", "Now"], rows)
