"""Whether a swap loses less than its margin: each metric's change with its interval, beside the margin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.names import display_names
from clipeval.report.style import INK, PALETTE, new_figure, plain
from clipeval.report.text import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "margins", "What the swap changes"


Json = Mapping[str, Any]


def margins(document: Json, *, names: tuple[str, str] | None = None) -> Chart | NotDrawn:
    """Chart new minus old of every metric with its interval, and the margin that decides.

    Parameters
    ----------
    document : mapping
        From `clipeval.baseline.answer`.
    names : tuple of str, optional
        What old and new are called; by default their short names.

    Returns
    -------
    Chart or NotDrawn
        The latter where the data were not the same, so that nothing was compared.
    """
    found = document["metrics"]
    if not found:
        return NotDrawn(NAME, TITLE, f"Nothing was compared: {document['reason']}")
    short = display_names([document["old"], document["new"]])
    old, new = names or (short[document["old"]], short[document["new"]])
    level = found[0]["interval"]["level"]
    sizes = ", ".join(f"{one['queries']:,} {one['direction']} queries" for one in document["queries"])
    return Chart(
        NAME,
        TITLE,
        f"{new} minus {old} on the same queries ({sizes}), with {level:.0%} intervals that resample whole "
        f"pictures. Left of the dashed line the loss is above the margin of {document['margin']:g}; filled "
        "marks decide, hollow ones are for information.",
        f"{document['verdict']}: "
        + "; ".join(f"{_label(one)} {_words(one)}, {one['verdict']}" for one in found)
        + ".",
        ("metric", "direction", "old", "new", "difference", "low", "high", "margin", "verdict", "judged"),
        [
            [
                *(one[key] for key in ("metric", "direction", "old", "new", "difference")),
                one["interval"]["low"],
                one["interval"]["high"],
                one["margin"],
                one["verdict"],
                "yes" if one["judged"] else "no",
            ]
            for one in found
        ],
        lambda: _figure(document, f"{new} minus {old}: {document['verdict']}"),
    )


def _label(one: Json) -> str:
    return f"{one['metric']} {one['direction']}"


def _words(one: Json) -> str:
    low, high = one["interval"]["low"], one["interval"]["high"]
    return f"{one['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _figure(document: Json, title: str) -> Figure:
    found = document["metrics"]
    figure = new_figure(7.5, 1.5 + 0.36 * len(found))
    axes = figure.add_subplot()
    for row, one in enumerate(found):
        axes.hlines(row, one["interval"]["low"], one["interval"]["high"], color=PALETTE[0], linewidth=1.8)
        (mark,) = axes.plot(
            one["difference"],
            row,
            "o",
            color=PALETTE[0],
            markersize=6,
            markerfacecolor=PALETTE[0] if one["judged"] else "white",
        )
        tell(mark, f"{_label(one)}: {one['old']:.3f} to {one['new']:.3f}, {_words(one)}, {one['verdict']}")
    axes.axvline(0, color=INK, linewidth=0.9)
    margin = document["margin"]
    axes.axvline(-margin, color=PALETTE[1], linewidth=1.4, linestyle="--", label=f"margin {margin:g}")
    axes.set_yticks(range(len(found)), [f"{_label(one)}, {one['verdict']}" for one in found], fontsize=8)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel("new minus old", fontsize=9, color=INK)
    axes.set_title(wrapped(title, width=90, lines=3), fontsize=9, color=INK, loc="left")
    plain(axes, grid="x")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
