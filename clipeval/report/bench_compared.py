"""Two benchmarks side by side on a terminal: first what is not alike, then the ratios."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.bench.compared import Compared
from clipeval.report.bench_table import RANDOM_WEIGHTS, crossed
from clipeval.report.text import printable


def print_compared(found: Compared, console: Console) -> None:
    """Print two benchmarks side by side: first what is not alike, then the ratios.

    Parameters
    ----------
    found : Compared
    console : Console
    """
    if found.unlike:
        console.print(Text("not alike (first, second):", style="bold"))
        for line in found.unlike:
            console.print(Text(f"  {printable(line)}"))
    # names are long and may differ at their ends: numbers stand for them in the table
    names = list(dict.fromkeys(pair.model for pair in found.pairs))
    for number, name in enumerate(names, start=1):
        words = f": {RANDOM_WEIGHTS}" if name in found.random else ""
        console.print(Text.assemble((f"{number} ", "bold"), printable(name), words))
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("#", "part", "batch", "first / second, seconds"):
        table.add_column(head)
    for pair in found.pairs:
        ratio = f"{pair.ratio:.3f} [{pair.interval.low:.3f}, {pair.interval.high:.3f}]"
        cell = Text(ratio)
        if pair.unsound:
            cell = Text.assemble(crossed(ratio), (f" {printable(pair.unsound)}", "yellow"))
        if pair.noisy:
            cell = Text.assemble(cell, (f" too noisy against itself: {pair.noisy}", "yellow"))
        table.add_row(str(1 + names.index(pair.model)), pair.part, str(pair.batch_size), cell)
    console.print(table)
    if found.alone:
        console.print(Text(f"{found.alone} measurements stand on one side only"))
