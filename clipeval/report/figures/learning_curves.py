"""How a training went: loss, and hit@1 of training and held-out pairs, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clipeval.report.chart import Chart
from clipeval.report.style import INK, PALETTE, new_figure, plain
from clipeval.report.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "curves"
WAYS = {"i2t": "image finds text", "t2i": "text finds image"}
PARTS = {"train": ("training pairs", PALETTE[0], "o"), "held_out": ("held out", PALETTE[1], "s")}

History = Sequence[Mapping[str, Any]]


def learning_curves(history: History, *, best: int, title: str) -> Chart:
    """Chart the loss and, where something is held out, hit@1 of both parts with chance.

    Parameters
    ----------
    history : sequence of mapping
        One for each epoch, at least one, as a trained model's document has them.
    best : int
        Row of the epoch that was kept.
    title : str
        What was trained.

    Returns
    -------
    Chart
        Its table is the history as it was computed.
    """
    columns = list(history[0])
    kept = history[best]
    held = "held_out_hit1_i2t" in history[0]
    words = f"{len(history)} epochs, number {kept['epoch']} kept with loss {kept['loss']:.3f}"
    if held:
        words += "; held-out hit@1 there: " + ", ".join(
            f"{name} {kept[f'held_out_hit1_{way}']:.3f} (chance {kept[f'held_out_chance1_{way}']:.3f})"
            for way, name in WAYS.items()
        )
    return Chart(
        NAME,
        f"Training of {printable(title)}",
        f"Training of {printable(title)}, epoch by epoch; the vertical line is the epoch that was kept."
        + (
            f" hit@1 is among the {history[-1]['held_out_n_images']:,} held-out pictures, and among as many "
            "of the training's; dotted lines are chance. One run: the scatter between runs is not shown."
            if held
            else " Nothing was held out."
        ),
        words + ".",
        columns,
        [[row.get(column, "") for column in columns] for row in history],
        lambda: _figure(history, best, title, held=held),
    )


def _figure(history: History, best: int, title: str, *, held: bool) -> Figure:
    figure = new_figure(9.5 if held else 5.0, 3.6)
    panels = figure.subplots(1, 3 if held else 1, squeeze=False)[0]
    epochs = [row["epoch"] for row in history]
    panels[0].plot(epochs, [row["loss"] for row in history], color=PALETTE[0], marker="o", markersize=3)
    _frame(panels[0], "training loss", history, best)
    if held:
        for axes, way in zip(panels[1:], WAYS, strict=True):
            _rates(axes, history, way)
            axes.margins(y=0.15)
            n = history[-1]["held_out_n_images"]
            _frame(axes, f"hit@1, {WAYS[way]} (of {n:,} pictures)", history, best)
    figure.suptitle(printable(title), fontsize=9, color=INK)
    return figure


def _rates(axes: Axes, history: History, way: str) -> None:
    epochs = [row["epoch"] for row in history]
    for part, (words, colour, marker) in PARTS.items():
        values = [row[f"{part}_hit1_{way}"] for row in history]
        axes.plot(epochs, values, color=colour, marker=marker, markersize=3)
        axes.annotate(
            words,
            (epochs[-1], values[-1]),
            textcoords="offset points",
            xytext=(-2, 5),
            ha="right",
            color=INK,
            fontsize=8,
        )
    chance = history[-1][f"held_out_chance1_{way}"]
    axes.axhline(chance, color=INK, linestyle=":", linewidth=1)
    axes.annotate(
        "chance", (epochs[0], chance), textcoords="offset points", xytext=(0, 3), fontsize=8, color=INK
    )


def _frame(axes: Axes, title: str, history: History, best: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.set_xlabel("epoch", fontsize=8, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axvline(history[best]["epoch"], color=INK, linewidth=0.8, alpha=0.5, zorder=0)
    axes.set_ylim(bottom=0)
    plain(axes, grid="y")
