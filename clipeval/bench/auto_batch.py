"""The best batch size of a model on this machine, found by measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clipeval.encoders.memory import ran_out
from clipeval.errors import NotAvailableError

GAIN = 0.02
"""A batch twice as large must be so much faster, or the smaller one stays the best."""

PATIENCE = 2
"""Doublings without a gain after which the search ends."""


@dataclass(frozen=True)
class Trial:
    """One batch size that was tried.

    Attributes
    ----------
    batch_size : int
    items_per_second : float or None
        None where it did not fit.
    """

    batch_size: int
    items_per_second: float | None


@dataclass(frozen=True)
class AutoBatch:
    """How the best batch size was found.

    Attributes
    ----------
    batch_size : int
        The smallest whose rate no larger one exceeds by more than `GAIN`.
    part : str
        What was timed.
    trials : tuple of Trial
        In the order in which they were made.
    ended : str
        Why no larger batch was tried.
    """

    batch_size: int
    part: str
    trials: tuple[Trial, ...]
    ended: str


def find_batch(rate: Callable[[int], float], part: str, *, most: int, longest: float = 20.0) -> AutoBatch:
    """Double the batch from 1 until it is no faster, takes too long, or does not fit; then halve it.

    Parameters
    ----------
    rate : callable
        From a batch size to the items per second that were measured; raises where memory runs out.
    part : str
        What is timed, for the answer.
    most : int
        Largest batch that is tried.
    longest : float
        Seconds that one call may take.

    Returns
    -------
    AutoBatch

    Raises
    ------
    NotAvailableError
        Not even one input fits.

    Examples
    --------
    >>> found = find_batch(lambda size: min(size, 8) * 100.0, "forward image", most=1024)
    >>> found.batch_size, [trial.batch_size for trial in found.trials]
    (8, [1, 2, 4, 8, 16, 32])
    """
    trials: list[Trial] = []
    best, size, ended = Trial(0, 0.0), 1, f"{most} is the largest batch that is tried"
    while size <= most:
        try:
            found = rate(size)
        except Exception as error:  # torch, numpy and a user's own code each say it their way
            if not ran_out(error):
                raise
            trials.append(Trial(size, None))
            ended = f"{size} did not fit into memory, so it was halved"
            break
        trials.append(Trial(size, found))
        if found > (1 + GAIN) * (best.items_per_second or 0.0):
            best = trials[-1]
        elif size >= best.batch_size * 2**PATIENCE:
            ended = f"{size} was no faster than {best.batch_size}"
            break
        if 2 * size / found > longest:
            ended = f"a batch of {2 * size} would take more than {longest:g} seconds"
            break
        size *= 2
    if not best.batch_size:
        raise NotAvailableError("not even one input fits into memory", fix="use a smaller model or dtype")
    return AutoBatch(best.batch_size, part, tuple(trials), ended)
