"""Printing results that are also written to files: neither is lost to the other's trouble."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def printed_first(show: Callable[[], None]) -> Iterator[None]:
    """Print, then run the block that writes the files, even where nothing could be printed.

    What took minutes is on the screen before a full disk can stop the files, and in the files where the
    reader of a pipe has left (``clipeval bench … | head``) or standard output is a full disk.

    Parameters
    ----------
    show : callable
        Prints on standard output, which is flushed here.

    Raises
    ------
    OSError, SystemExit
        What printing raised, after the block; an error of the block comes first.

    Examples
    --------
    >>> def show() -> None:
    ...     raise BrokenPipeError
    >>> with printed_first(show):
    ...     print("written")
    Traceback (most recent call last):
    BrokenPipeError
    """
    unprinted: OSError | SystemExit | None = None
    try:
        show()
        sys.stdout.flush()
    except (OSError, SystemExit) as error:  # rich ends the program where a pipe is broken
        unprinted = error
    yield
    if unprinted is not None:
        raise unprinted
