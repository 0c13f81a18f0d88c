"""The contest of bridges as a table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.bridges.contest import Contest, Entry
from clipeval.bridges.curve import Point
from clipeval.encoders.spec import parse_spec
from clipeval.evaluation import DIRECTIONS
from clipeval.evaluation.scores import CUTOFFS_SHOWN
from clipeval.report.learned_table import rate_cell
from clipeval.report.names import display_name
from clipeval.report.text import printable

LONGEST = 12
"""Characters of a name in the table, which leaves room for the numbers; below it the name is whole."""


def print_contest(job: Contest, points: Sequence[Point], console: Console) -> None:
    """Print the contest and the learning curve.

    Parameters
    ----------
    job : Contest
        What ran and what did not.
    points : sequence of Point
        Of the learning curve; may be empty.
    console : Console
    """
    train, test = job.train, job.test
    console.print(Text(display_name(job.towers), style="bold"))
    for word, data in (("learned from", train), ("held out", test)):
        name = printable(data.name, longest=60)
        console.print(Text(f"{word} {name}: {data.n_images} pictures, {data.n_captions} captions"))
    learned = next((entry.learned for entry in job.entries if entry.learned), None)
    if learned and learned.equal_captions:
        equal = f"{learned.equal_captions} of {test.n_captions} held-out captions"
        console.print(Text(f"{equal} are training captions too"))
    console.print()
    console.print(
        Text.assemble(
            ("Held out: hit_rate@k", "bold"), "  ", ("i2t: image finds caption; [95 % interval]", "dim")
        )
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("", overflow="fold")
    for direction in DIRECTIONS:
        for k in CUTOFFS_SHOWN:
            table.add_column(f"{direction} @{k}", justify="right", no_wrap=True)
    for entry in job.entries:
        table.add_row(Text(printable(shown_name(entry), longest=LONGEST)), *_cells(entry))
    console.print(table)
    console.print()
    for entry in job.entries:
        console.print(Text(_below(entry), style="dim"))
    if points:
        console.print()
        # rich would break a title at the width of its table
        console.print(
            Text("hit_rate@1 held out, i2t / t2i, by training pictures (mean over subsets)", "bold")
        )
        console.print(_curve(points), "", sep="\n")


def shown_name(entry: Entry) -> str:
    """Name a contestant for tables and charts; what was not measured here says so."""
    if entry.way == "published":
        return f"{printable(entry.name)} (published)"
    return display_name(entry.name) if is_spec(entry.name) else printable(entry.name)


def is_spec(name: str) -> bool:
    """Say whether a contestant is named by a model spec."""
    return ":" in name and " " not in parse_spec(name).family


def _cells(entry: Entry) -> list[str]:
    if entry.reason:
        return ["not_run", "", "", ""]
    return [
        rate_cell(entry.rates[direction].get(f"hit_rate@{k}")).replace(", ", ",")
        for direction in DIRECTIONS
        for k in CUTOFFS_SHOWN
    ]


def _below(entry: Entry) -> str:
    if entry.reason:
        return f"{shown_name(entry)}: not_run: {printable(' '.join(entry.reason.split()))}"
    text = f"{shown_name(entry)}: {printable(entry.words)}"
    if entry.learned:
        training = entry.learned.training
        rates = [f"{d} {training.rates[d]['hit_rate@1'].value:.3f}" for d in DIRECTIONS]
        text += f"; hit_rate@1 on {training.n_images} training pictures {', '.join(rates)}"
    return text


def _curve(points: Sequence[Point]) -> Table:
    sizes = sorted({point.n_images for point in points})
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for size in sizes:
        table.add_column(str(size), justify="right")
    for name in dict.fromkeys(point.name for point in points):
        cells = []
        for size in sizes:
            found = [(p.i2t, p.t2i) for p in points if p.name == name and p.n_images == size]
            means = np.mean(found, axis=0) if found else None
            cells.append("" if means is None else f"{means[0]:.3f} / {means[1]:.3f}")
        table.add_row(name, *cells)
    return table
