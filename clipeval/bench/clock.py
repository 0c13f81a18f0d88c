"""A clock that waits: the device is idle when it starts and idle again when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import numpy as np

from clipeval.bench.devices import Device
from clipeval.bench.timing import Seconds, Timing
from clipeval.errors import InvalidInputError

PLATEAU_WINDOW = 5
PLATEAU_GAIN = 0.05
"""Warm when the median of five calls is no longer 5 % shorter than that of the five before."""


def time_call(
    call: Callable[[], object],
    device: Device,
    *,
    seconds: float = 1.0,
    at_least: int = 3,
    at_most: int = 50_000,
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
    at_least: int = 3,
    at_most: int = 50_000,
    patience: float = 1.0,
    quiet: Callable[[Sequence[Seconds]], bool] | None = None,
    now: Callable[[], float] = perf_counter,
) -> list[Timing]:
    """Time several calls in turns, so that whatever slows the machine down slows all of them.

    Each round makes every call twice, there and back (a b b a), every other round from the other end
    (b a a b): a drift within a round cancels between the calls, and the two times of one call show how much
    it differs from itself.

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
    patience : float
        How many times as long to go on where ``quiet`` says no, at least 1.
    quiet : callable, optional
        Given the seconds so far, one array for each call: whether they will do.
    now : callable
        The clock, in seconds.

    Returns
    -------
    list of Timing
        In the order of the calls. The seconds 2 i and 2 i + 1 of all are of round i.

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
    if not calls or not seconds > 0 or not 1 <= at_least <= at_most or not patience >= 1:
        raise InvalidInputError(
            f"cannot measure {len(calls)} calls for {seconds!r} seconds, {at_least} to {at_most} rounds",
            fix="at least one call, seconds above 0, at least one round, patience of at least 1",
        )
    device.synchronise()
    warm = [_warm(call, device, seconds=seconds, now=now) for call in calls]
    waits = []
    for _ in range(PLATEAU_WINDOW):
        start = now()
        device.synchronise()
        waits.append(now() - start)
    found: list[list[tuple[float, float]]] = [[] for _ in calls]
    budget = seconds * len(calls)
    begin, until, rounds = now(), budget, 0
    while True:
        there = range(len(calls)) if rounds % 2 == 0 else range(len(calls) - 1, -1, -1)
        for at in (*there, *reversed(there)):
            found[at].append(_once(calls[at], device, now))
        rounds += 1
        if rounds < at_least or (now() - begin < until and rounds < at_most):
            continue
        if quiet is None or rounds >= at_most or now() - begin >= patience * budget:
            break
        if quiet([np.array(one)[:, 1] for one in found]):
            break
        # asked again when half as much again was measured: asking costs time, and too often finds luck
        until = 1.5 * (now() - begin)
    tables = [np.array(one) for one in found]
    return [
        Timing(table[:, 1], table[:, 0], median(waits), *words)
        for table, words in zip(tables, warm, strict=True)
    ]


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
