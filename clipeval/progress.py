"""A progress bar for long encodings, on standard error and on terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Report: TypeAlias = Callable[[str, str, int, int], None]


@contextmanager
def encoding_progress(*, quiet: bool = False) -> Iterator[Report]:
    """Show one bar for each model and modality while they are encoded.

    Parameters
    ----------
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        Called with the model spec, what is encoded, how many are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=quiet or not console.is_terminal
    ) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}

        def report(spec: str, what: str, done: int, total: int) -> None:
            key = (spec, what)
            if key not in tasks:
                tasks[key] = bars.add_task(f"{spec.split('?')[0]}: {what}", total=total)
            bars.update(tasks[key], completed=done)

        yield report
