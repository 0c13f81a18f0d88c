"""How fast at which batch size: throughput, with the roof that no forward pass can pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clipeval.counted import count
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.figures.models import legend_below
from clipeval.report.names import display_names
from clipeval.report.style import INK, MARKERS, PALETTE, new_figure, plain
from clipeval.report.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("forward image", "forward text", "end to end image, overlapped", "end to end text")
NAME, TITLE = "throughput", "Throughput against batch size"

Json = Mapping[str, Any]


def throughput(document: Json) -> Chart | NotDrawn:
    """Chart items per second against batch size: a panel for each part, a line for each model and backend.

    A dashed line is the roof: the machine's own matrix-product rate over the operations of one item. A speed
    whose answers were wrong, or that is too noisy, is hollow.

    Parameters
    ----------
    document : mapping
        From `clipeval.bench.document`.

    Returns
    -------
    Chart or NotDrawn
        The latter where nothing of this was timed.
    """
    parts = [part for part in SHOWN if any(one["part"] == part for one in document["measurements"])]
    if not parts:
        return NotDrawn(NAME, TITLE, "No forward pass was timed.")
    names = _names(document["models"])
    timed = [one for one in document["measurements"] if one["part"] in parts]
    best = [
        max(own, key=lambda one: float(one["items_per_second"]))
        for part in parts
        for label in names
        if (own := [one for one in timed if (one["model"], one["part"]) == (label, part)])
    ]
    return Chart(
        NAME,
        TITLE,
        f"Items per second against batch size on {_machine(document)}. Bars are the intervals of the median "
        "time. Dashed: the machine's own matrix-product rate over the operations of one item. Hollow marks: "
        "too noisy, or wrong answers, which makes a speed worth nothing.",
        "Fastest: "
        + "; ".join(
            f"{names[one['model']]}, {one['part']}: {one['items_per_second']:,.3g} a second at batch "
            f"{one['batch_size']}"
            for one in best
        )
        + ".",
        ("model", "part", "batch_size", "items_per_second", "low", "high", "sound", "too_noisy"),
        [
            [
                names[one["model"]],
                one["part"],
                one["batch_size"],
                one["items_per_second"],
                *_interval(one),
                "yes" if one["sound"] else "no",
                "yes" if one["against_itself"]["too_noisy"] else "no",
            ]
            for one in timed
        ],
        lambda: _figure(document, parts, names),
    )


def _interval(one: Json) -> tuple[float, float]:
    """Give items per second at the ends of the interval of the median time."""
    rate, median = float(one["items_per_second"]), float(one["median"])
    return rate * median / float(one["high"]), rate * median / float(one["low"])


def _machine(document: Json) -> str:
    machine = document["machine"]
    if "accelerator" in machine:
        return printable(machine["accelerator"], longest=80)
    threads = machine.get("torch threads", "?")
    return printable(
        f"{machine.get('processor', '')}, {threads if threads == '?' else count(int(threads), 'thread')}",
        longest=80,
    )


def _figure(document: Json, parts: Sequence[str], names: Mapping[str, str]) -> Figure:
    rows = -(-len(parts) // 2)
    figure = new_figure(6 if len(parts) == 1 else 11, 1.2 + 3.4 * rows + 0.22 * len(names))
    panels = figure.subplots(rows, min(len(parts), 2), squeeze=False).ravel()
    for axes, part in zip(panels, parts, strict=False):
        _draw(axes, part, document, names)
    for axes in panels[len(parts) :]:
        axes.set_visible(False)
    legend_below(figure, *panels)
    partial = "PARTIAL: " if document["partial"] else ""
    figure.suptitle(partial + _machine(document), fontsize=11, color=INK)
    return figure


def _names(models: Sequence[Json]) -> dict[str, str]:
    short = display_names([model["spec"] for model in models])
    return {
        model["label"]: short[model["spec"]]
        + model["label"].removeprefix(model["spec"])
        + f", {model['dtype'] or '?'}"
        for model in models
    }


def _draw(axes: Axes, part: str, document: Json, names: Mapping[str, str]) -> None:
    labels = [model["label"] for model in document["models"]]
    for at, label in enumerate(labels):
        own = sorted(
            (one for one in document["measurements"] if (one["model"], one["part"]) == (label, part)),
            key=lambda one: int(one["batch_size"]),
        )
        if not own:
            continue
        colour, marker = PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)]
        sizes, rates = [one["batch_size"] for one in own], [one["items_per_second"] for one in own]
        axes.plot(sizes, rates, color=colour, marker=marker, markersize=5, linewidth=1.6, label=names[label])
        for one in own:
            low, high = _interval(one)
            axes.vlines(one["batch_size"], low, high, color=colour, linewidth=1.2)
            (mark,) = axes.plot(
                one["batch_size"],
                one["items_per_second"],
                marker,
                color=colour,
                markersize=5,
                markerfacecolor="white" if _doubtful(one) else colour,
            )
            tell(
                mark,
                f"{names[label]}, batch {one['batch_size']}: {one['items_per_second']:,.4g} a second "
                f"[{low:,.4g}, {high:,.4g}]",
            )
    for number, (words, (sizes, rates)) in enumerate(_roofs(part, document, names).items()):
        axes.plot(
            sizes, rates, color=INK, linestyle=("--", ":", "-.")[number % 3], linewidth=1.2, label=words
        )
    axes.set_xscale("log", base=2)
    ticks = sorted({one["batch_size"] for one in document["measurements"] if one["part"] == part})
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.minorticks_off()
    if any(_doubtful(one) for one in document["measurements"] if one["part"] == part):
        axes.plot(
            [], [], "o", color=INK, markerfacecolor="white", label="hollow: too noisy, or wrong answers"
        )
    axes.set_ylim(0, 1.06 * axes.get_ylim()[1])
    axes.set_xlabel("batch size", fontsize=9)
    axes.set_ylabel("pictures a second" if "image" in part else "texts a second", fontsize=9)
    axes.set_title(part, fontsize=10, color=INK)
    plain(axes)


def _doubtful(one: Json) -> bool:
    return not one["sound"] or bool(one["against_itself"]["too_noisy"])


def _roofs(part: str, document: Json, names: Mapping[str, str]) -> dict[str, tuple[list[int], list[float]]]:
    """Give the roof of each spec and dtype: one line for all of its backends."""
    models = {model["label"]: model for model in document["models"]}
    found: dict[str, dict[int, float]] = {}
    for one in document["measurements"]:
        model = models[one["model"]]
        roof = document["roof"].get(model["dtype"])
        if one["part"] == part and one["operations"] and roof:
            plain = names[one["model"]].replace(f" [{model['backend']}]", "")
            line = found.setdefault(
                f"roof of {plain}: {roof['operations_per_second'] / 1e9:,.0f} GFLOP/s", {}
            )
            line[one["batch_size"]] = roof["operations_per_second"] / one["operations"] * one["batch_size"]
    lines = {words: (sorted(line), [line[size] for size in sorted(line)]) for words, line in found.items()}
    # one point alone is no line: it is drawn across the panel
    return {
        words: (sizes * 2 if len(sizes) == 1 else sizes, rates * 2 if len(sizes) == 1 else rates)
        for words, (sizes, rates) in lines.items()
    }
