"""Whether a swap loses less than its margin: each metric's change with its interval, beside the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipeval.baseline.result import MetricChange, SwapResult
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.names import display_names
from clipeval.report.style import INK, PALETTE, new_figure, plain
from clipeval.report.text import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "margins", "What the swap changes"


def margins(result: SwapResult) -> Chart | NotDrawn:
    """Chart new minus old of every metric with its interval, and the margin that decides.

    Parameters
    ----------
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.

    Returns
    -------
    Chart or NotDrawn
        The latter where the data were not the same, so that nothing was compared.
    """
    if not result.metrics:
        return NotDrawn(NAME, TITLE, f"Nothing was compared: {result.reason}")
    names = display_names([result.old, result.new])
    old, new = names[result.old], names[result.new]
    level = result.metrics[0].interval.level
    sizes = ", ".join(f"{queries:,} {way} queries" for way, queries, _ in result.n_queries)
    return Chart(
        NAME,
        TITLE,
        f"{new} minus {old} on the same queries ({sizes}), with {level:.0%} intervals that resample whole "
        f"pictures. Left of the dashed line the loss is above the margin of {result.margin:g}; filled marks "
        "decide, hollow ones are for information.",
        f"{result.verdict.value}: "
        + "; ".join(f"{_label(one)} {_words(one)}, {one.verdict.value}" for one in result.metrics)
        + ".",
        ("metric", "direction", "old", "new", "difference", "low", "high", "margin", "verdict", "judged"),
        [
            [
                one.metric,
                one.direction,
                one.old,
                one.new,
                one.difference,
                one.interval.low,
                one.interval.high,
                one.margin,
                one.verdict.value,
                "yes" if one.judged else "no",
            ]
            for one in result.metrics
        ],
        lambda: _figure(result, f"{new} minus {old}: {result.verdict.value}"),
    )


def _label(one: MetricChange) -> str:
    return f"{one.metric} {one.direction}"


def _words(one: MetricChange) -> str:
    return f"{one.difference:+.3f} [{one.interval.low:+.3f}, {one.interval.high:+.3f}]"


def _figure(result: SwapResult, title: str) -> Figure:
    found = result.metrics
    figure = new_figure(7.5, 1.5 + 0.36 * len(found))
    axes = figure.add_subplot()
    for row, one in enumerate(found):
        axes.hlines(row, one.interval.low, one.interval.high, color=PALETTE[0], linewidth=1.8)
        (mark,) = axes.plot(
            one.difference,
            row,
            "o",
            color=PALETTE[0],
            markersize=6,
            markerfacecolor=PALETTE[0] if one.judged else "white",
        )
        tell(mark, f"{_label(one)}: {one.old:.3f} to {one.new:.3f}, {_words(one)}, {one.verdict.value}")
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.axvline(
        -result.margin, color=PALETTE[1], linewidth=1.4, linestyle="--", label=f"margin {result.margin:g}"
    )
    axes.set_yticks(range(len(found)), [f"{_label(one)}, {one.verdict.value}" for one in found], fontsize=8)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel("new minus old", fontsize=9, color=INK)
    axes.set_title(wrapped(title, width=90, lines=3), fontsize=9, color=INK, loc="left")
    plain(axes, grid="x")
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
