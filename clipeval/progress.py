"""What is going on, on standard error: bars on a terminal; plain lines elsewhere, for a job of hours."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from clipeval.messages import say
from clipeval.report.names import display_name
from clipeval.report.text import printable

Report: TypeAlias = Callable[[str, str, int, int], None]


EVERY = 10.0
"""Seconds between two lines, where no bar can be drawn."""


@contextmanager
def encoding_progress(*, quiet: bool = False, lines: bool = False) -> Iterator[Report]:
    """Show one bar for each model and modality while they are encoded.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    lines : bool
        Where there is no terminal, say in plain lines how far it is; by default nothing is said there.

    Yields
    ------
    callable
        Called with the model spec, what is encoded, how many are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    # asked directly: rich also says "terminal" when colours are forced in a log file
    shown = not quiet and sys.stderr.isatty()
    if lines and not quiet and not shown:
        yield _Lines()
        return
    console = Console(stderr=True)
    # a spec may hold what rich would read as markup
    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}
        beginning = bars.add_task("loading data and models", total=None)  # seconds, before the first report

        def report(spec: str, what: str, done: int, total: int) -> None:
            bars.update(beginning, visible=False)
            key = (spec, what)
            if key not in tasks:
                # one step is no progress: its bar only moves, to show that something happens
                length = total if total > 1 or done else None
                tasks[key] = bars.add_task(f"{display_name(spec)[:40]}: {what}", total=length)
            bars.update(tasks[key], completed=done, total=total if done else None)

        yield report


class _Lines:
    """How far each stage is: now and then, and when it is done."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, spec: str, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        # one step is no progress
        if total > 1 and (done == total or now - self._told >= EVERY):
            self._told = now
            say(f"{display_name(spec)[:40]}: {what} {done:,} of {total:,}")


@contextmanager
def working(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show which file is being made.

    Parameters
    ----------
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        Called with the file's name.
    """
    from rich.console import Console
    from rich.text import Text

    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True).status("") as status:
        yield lambda name: status.update(Text(f"writing {name}"))


@contextmanager
def step_progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Show one bar for a job of several steps, with what it is doing now.

    Parameters
    ----------
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        Called with what is being done, how many steps are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)  # a spec may hold what rich would read as markup
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), words)
    shown = not quiet and sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bars:
        task = bars.add_task("", total=None)

        def report(doing: str, done: int, total: int) -> None:
            bars.update(task, description=printable(doing, longest=70), completed=done, total=total)

        yield report
