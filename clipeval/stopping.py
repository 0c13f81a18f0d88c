"""How a command ends when it is stopped, or when what it prints cannot be printed: one line, a status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT


class Stopped(BaseException):
    """The command was interrupted.

    Parameters
    ----------
    message : str
        What became of its work.
    status : int
        Exit status: 128 and the signal's number.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Ended(Exception):  # noqa: N818  (an end, not an error)
    """The command ends with a status that typer would take for wrong usage.

    Parameters
    ----------
    status : int
        2, as a rule: not decided.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Terminated(KeyboardInterrupt):
    """SIGTERM, made to unwind as Ctrl-C does."""


@contextmanager
def stoppable(message: str | Callable[[], str]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one line.

    Parameters
    ----------
    message : str or callable
        What becomes of the work so far; called at the end, where that has to be looked up.

    Raises
    ------
    Stopped
        On either signal.
    """
    here = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if here else None
    try:
        yield
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT
        text = message if isinstance(message, str) else message()
        raise Stopped(text, status=128 + number) from None
    finally:
        if here:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def give_up_output() -> None:
    """Let nothing more be written to a standard output that failed, not even at the interpreter's end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
