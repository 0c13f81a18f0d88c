"""What the user is told on standard error: one line a thought, hostile characters spelt out."""

from __future__ import annotations

from contextlib import suppress

import typer


def complain(error: Exception) -> None:
    """Print an error that we know, without a stack trace."""
    head, *more = str(error).splitlines()
    say("\n".join([f"error: {head}", *more]))


def say(text: str) -> None:
    """Print a message; where standard error is closed, nobody is told."""
    from clipeval.report.text import printable

    with suppress(OSError):
        typer.echo("\n".join(printable(line) for line in text.splitlines()), err=True)
