"""What a training run looks like: a table of its epochs as CSV, and its curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipeval.report.files import write_csv
from clipeval.report.style import GRID, INK, PALETTE, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HISTORY = "history.csv"
CURVES = "curves.png"


def write_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write one line for each epoch; every number as it was computed, chance beside each rate."""
    columns = list(history[0])
    rows = [[row.get(column, "") for column in columns] for row in history]
    write_csv(folder / HISTORY, [columns, *rows])


def write_curves(folder: Path, history: Sequence[Mapping[str, Any]], *, best: int, title: str) -> None:
    """Draw the loss and, where something is held out, hit@1 of training and held-out pairs over the epochs.

    Parameters
    ----------
    folder : Path
    history : sequence of mapping
    best : int
        Row of the epoch that was kept.
    title : str
        What was trained.
    """
    held = "held_out_hit1_i2t" in history[0]
    figure = new_figure(9.5 if held else 5.0, 3.6)
    plots = figure.subplots(1, 3 if held else 1, squeeze=False)[0]
    epochs = [row["epoch"] for row in history]
    plots[0].plot(epochs, [row["loss"] for row in history], color=PALETTE[0], marker="o", markersize=3)
    _frame(plots[0], "training loss", history, best)
    plots[0].set_ylim(bottom=0)
    if held:
        for plot, way, name in ((plots[1], "i2t", "image finds text"), (plots[2], "t2i", "text finds image")):
            for part, colour, mark in (("train", PALETTE[0], "o"), ("held_out", PALETTE[1], "s")):
                values = [row[f"{part}_hit1_{way}"] for row in history]
                plot.plot(epochs, values, color=colour, marker=mark, markersize=3)
                plot.annotate(
                    {"train": "training pairs", "held_out": "held out"}[part],
                    (epochs[-1], values[-1]),
                    textcoords="offset points",
                    xytext=(-2, 5),
                    ha="right",
                    color=colour,
                    fontsize=8,
                )
            chance = history[-1][f"held_out_chance1_{way}"]
            plot.axhline(chance, color=INK, linestyle=":", linewidth=1)
            plot.annotate(
                "chance", (epochs[0], chance), textcoords="offset points", xytext=(0, 3), fontsize=8
            )
            n = history[-1]["held_out_n_images"]
            _frame(plot, f"hit@1, {name} (of {n:,} pictures)", history, best)
            plot.set_ylim(bottom=0)
            plot.margins(y=0.15)
    figure.suptitle(title, fontsize=9, color=INK)
    save_png(figure, folder / CURVES)


def _frame(plot: Axes, title: str, history: Sequence[Mapping[str, Any]], best: int) -> None:
    from matplotlib.ticker import MaxNLocator

    plot.set_title(title, fontsize=9, color=INK, loc="left")
    plot.set_xlabel("epoch", fontsize=8, color=INK)
    plot.tick_params(labelsize=8, colors=INK)
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.grid(axis="y", color=GRID, linewidth=0.7)
    plot.axvline(history[best]["epoch"], color=GRID, linewidth=1.5, zorder=0)
    for edge in ("top", "right"):
        plot.spines[edge].set_visible(False)
