"""A picture of a benchmark: throughput against batch size, with the roof that no forward pass can pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipeval.report.names import display_names
from clipeval.report.style import GRID, INK, PALETTE, new_figure, save_png
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = ("forward image", "forward text", "end to end image, overlapped", "end to end text")
MARKERS = ("o", "s", "^", "D", "v", "P")

Json = Mapping[str, Any]


def draw_throughput(path: Path, document: Json) -> bool:
    """Draw items per second against batch size: one panel for each part, one line for each model and backend.

    A dashed line is the roof: the machine's own matrix-product rate over the operations of one item. A speed
    whose answers were wrong, or that is too noisy, is hollow.

    Parameters
    ----------
    path : Path
        A PNG file.
    document : mapping
        From `clipeval.bench.document`.

    Returns
    -------
    bool
        False where nothing of this was timed, and no file was written.
    """
    parts = [part for part in SHOWN if any(one["part"] == part for one in document["measurements"])]
    if not parts:
        return False
    names = _names(document["models"])
    rows = -(-len(parts) // 2)
    figure = new_figure(6 if len(parts) == 1 else 11, 1.2 + 3.4 * rows + 0.22 * len(names))
    panels = figure.subplots(rows, min(len(parts), 2), squeeze=False).ravel()
    for axes, part in zip(panels, parts, strict=False):
        _draw(axes, part, document, names)
    for axes in panels[len(parts) :]:
        axes.set_visible(False)
    found: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in found}
    figure.legend(
        list(found.values()),
        [wrapped(label, width=70, lines=2) for label in found],
        loc="outside lower center",
        ncols=1 if max(map(len, found)) > 50 else 2,
        frameon=False,
        fontsize=8,
    )
    machine = document["machine"]
    threads = machine.get("torch threads", "?")
    title = f"{machine.get('processor', '')}, {threads} thread{'s'[: threads != '1']}"
    if "accelerator" in machine:
        title = machine["accelerator"]
    partial = "PARTIAL: " if document["partial"] else ""
    figure.suptitle(partial + printable(title, longest=80), fontsize=11, color=INK)
    save_png(figure, path)
    return True


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
        doubtful = [one for one in own if _doubtful(one)]
        axes.plot(
            [one["batch_size"] for one in doubtful],
            [one["items_per_second"] for one in doubtful],
            color=colour,
            marker=marker,
            markersize=5,
            linestyle="none",
            markerfacecolor="white",
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
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


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
