"""A clock that waits: the device is idle when it starts and idle again when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from clipeval.bench.devices import Device
from clipeval.core.intervals import Interval
from clipeval.core.median import median_interval
from clipeval.core.percentiles import PercentileBound, percentile_bound
from clipeval.errors import InvalidInputError

Seconds = NDArray[np.float64]

PLATEAU_WINDOW = 5
PLATEAU_GAIN = 0.05
"""Warm when the median of five calls is no longer 5 % shorter than that of the five before."""

UNFINISHED = 0.1
"""Share of the true time that may pass, after a call returned, until its work is done."""


@dataclass(frozen=True, eq=False)
class Timing:
    """How long a call takes.

    Attributes
    ----------
    seconds : ndarray of float64, shape (n,)
        From an idle device to an idle device, one for each call, in order.
    returned : ndarray of float64, shape (n,)
        Until the call returned: all that a clock without synchronisation sees.
    idle : float
        What waiting for an idle device costs by itself, in seconds.
    warm_up : int
        Calls before the first that counts.
    plateau : bool
        Whether the calls had stopped getting shorter by then.
    """

    seconds: Seconds
    returned: Seconds
    idle: float
    warm_up: int
    plateau: bool

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return float(np.median(self.seconds))

    def interval(self, *, level: float = 0.95) -> Interval:
        """Bootstrap interval of the median; see `clipeval.core.median`."""
        return median_interval(self.seconds, level=level)

    def percentile(self, q: float) -> PercentileBound:
        """Upper bound of a percentile, or None where the calls are too few; see `percentile_bound`."""
        return percentile_bound(self.seconds, q)

    @property
    def unfinished(self) -> float:
        """Median share of the time that passed after the call had returned, waiting itself taken off."""
        tail = np.maximum(self.seconds - self.returned - self.idle, 0.0)
        return float(np.median(tail / np.maximum(self.seconds, np.finfo(float).tiny)))

    @property
    def returned_early(self) -> bool:
        """Whether the call came back before its work was done, so that a plain clock around it lies.

        It is no fault of a call on an accelerator; ``seconds`` count the whole work either way.
        """
        return self.unfinished > UNFINISHED

    @property
    def warning(self) -> str:
        """What a reader of the seconds must know, or an empty string."""
        notes = []
        if self.returned_early:
            notes.append(
                f"the call returned before its work was done: {self.unfinished:.0%} of the time passed "
                "afterwards, which a clock without synchronisation does not see"
            )
        if not self.plateau:
            notes.append("warm-up ended before the calls stopped getting faster")
        return "; ".join(notes)


def time_call(
    call: Callable[[], object],
    device: Device,
    *,
    seconds: float = 1.0,
    at_least: int = 5,
    at_most: int = 100_000,
    now: Callable[[], float] = perf_counter,
) -> Timing:
    """Time a call again and again; see `time_calls`.

    Examples
    --------
    >>> from clipeval.bench.devices import Cpu
    >>> timing = time_call(lambda: sum(range(1000)), Cpu(), seconds=0.01)
    >>> timing.median > 0, timing.returned_early
    (True, False)
    """
    (timing,) = time_calls([call], device, seconds=seconds, at_least=at_least, at_most=at_most, now=now)
    return timing


def time_calls(
    calls: Sequence[Callable[[], object]],
    device: Device,
    *,
    seconds: float = 1.0,
    at_least: int = 5,
    at_most: int = 100_000,
    now: Callable[[], float] = perf_counter,
) -> list[Timing]:
    """Time several calls in turns, so that whatever slows the machine down slows all of them.

    Each round makes every call once, every other round in the opposite order.

    Parameters
    ----------
    calls : sequence of callable
        The work; what they return is dropped.
    device : Device
        Where the work is done; it is waited for before the clock starts and before it is read.
    seconds : float
        How long to measure each; warm-up ends at a plateau, or after as long again.
    at_least, at_most : int
        Bounds of the number of rounds that count.
    now : callable
        The clock, in seconds.

    Returns
    -------
    list of Timing
        In the order of the calls; the i-th seconds of all are of one round.

    Raises
    ------
    InvalidInputError
        No calls, seconds that are not positive, or bounds that no number satisfies.

    Examples
    --------
    >>> from clipeval.bench.devices import Cpu
    >>> short, long = time_calls([lambda: sum(range(100)), lambda: sum(range(9999))], Cpu(), seconds=0.01)
    >>> short.median < long.median, len(short.seconds) == len(long.seconds)
    (True, True)
    """
    if not calls or not seconds > 0 or not 1 <= at_least <= at_most:
        raise InvalidInputError(
            f"cannot measure {len(calls)} calls for {seconds!r} seconds, {at_least} to {at_most} times",
            fix="at least one call, seconds above 0 and at least one time",
        )
    device.synchronise()
    warm = [_warm(call, device, seconds=seconds, now=now) for call in calls]
    waits = []
    for _ in range(PLATEAU_WINDOW):
        start = now()
        device.synchronise()
        waits.append(now() - start)
    rounds: list[list[tuple[float, float]]] = []
    begin = now()
    while len(rounds) < at_least or (now() - begin < seconds * len(calls) and len(rounds) < at_most):
        order = range(len(calls)) if len(rounds) % 2 == 0 else range(len(calls) - 1, -1, -1)
        found = {at: _once(calls[at], device, now) for at in order}
        rounds.append([found[at] for at in range(len(calls))])
    table = np.array(rounds)
    return [Timing(table[:, at, 1], table[:, at, 0], median(waits), *warm[at]) for at in range(len(calls))]


def _once(call: Callable[[], object], device: Device, now: Callable[[], float]) -> tuple[float, float]:
    device.synchronise()
    start = now()
    call()
    back = now()
    device.synchronise()
    return back - start, now() - start


def _warm(
    call: Callable[[], object], device: Device, *, seconds: float, now: Callable[[], float]
) -> tuple[int, bool]:
    """Call until calls stop getting shorter, or time is up; at least two windows."""
    found: list[float] = []
    begin = now()
    while True:
        found.append(_once(call, device, now)[1])
        if len(found) >= 2 * PLATEAU_WINDOW:
            before, last = found[-2 * PLATEAU_WINDOW : -PLATEAU_WINDOW], found[-PLATEAU_WINDOW:]
            if median(last) >= (1 - PLATEAU_GAIN) * median(before):
                return len(found), True
        # a call that takes longer than the whole measurement is warmed up once
        if now() - begin >= seconds:
            return len(found), False
