"""How fast a cluster was, and which stage all others waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from clipeval.counted import count

WHAT = {"images": "picture", "texts": "caption"}


@dataclass
class SideTiming:
    """Seconds of one side.

    Attributes
    ----------
    inputs, first : int
        That were encoded; those of a worker's first batch among them, whose time is that of loading.
    wall, decode, forward, loading : float
        Seconds: on the clock; in each stage, over all processes; for loading the model and the first batch.
    machines : set of str
        Where.
    workers : int
        Processes that held the model, at most.
    """

    inputs: int = 0
    first: int = 0
    wall: float = 0.0
    decode: float = 0.0
    forward: float = 0.0
    loading: float = 0.0
    machines: set[str] = field(default_factory=set)
    workers: int = 1


@dataclass
class Timing:
    """What a job took.

    Attributes
    ----------
    sides : dict of str to SideTiming
    cores : int
        Of the whole cluster.
    pairs, ranked : int, float
        Pairs that were ranked, and seconds on the clock.
    """

    sides: dict[str, SideTiming] = field(default_factory=dict)
    cores: int = 0
    pairs: int = 0
    ranked: float = 0.0

    def started(self, side: str, *, workers: int, cores: int) -> None:
        """Note how many workers one side is given, and the cores of the cluster."""
        here = self.sides.setdefault(side, SideTiming())
        here.workers = max(here.workers, workers)
        self.cores = cores

    @contextmanager
    def ranking(self, pairs: int) -> Iterator[None]:
        """Run the clock of a ranking of so many pairs."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.pairs += pairs
            self.ranked += time.perf_counter() - began

    @contextmanager
    def running(self, side: str) -> Iterator[Callable[[dict[str, Any], int], None]]:
        """Run the clock of one side.

        Yields
        ------
        callable
            To be called with each row (`clipeval.cluster.tasks.Row`) that came back, and its inputs.
        """
        here = self.sides.setdefault(side, SideTiming())
        began = time.perf_counter()

        def count(row: dict[str, Any], n: int) -> None:
            here.inputs += n
            here.first += n if row["loading_s"] else 0
            here.decode += row["decode_s"]
            here.forward += row["forward_s"]
            here.loading += row["loading_s"]
            here.machines.add(row["machine"])

        try:
            yield count
        finally:
            here.wall += time.perf_counter() - began

    def told(self, *, cpus: int) -> list[str]:
        """Say how fast each side was, and what bound it.

        Parameters
        ----------
        cpus : int
            Cores of a worker.

        Returns
        -------
        list of str

        Examples
        --------
        >>> side = SideTiming(inputs=672, first=32, wall=10.0, decode=2.0, forward=8.5, loading=1.0)
        >>> for line in Timing({"images": side}, cores=2).told(cpus=1):
        ...     print(line)
        672 pictures in 10.0 s: 67.2 a second, 1 worker on 1 machine
          decoding 3.0 ms each, 20 % of 1 core; network 13.3 ms each, 85 % of 1 worker: bound by the network
        """
        lines = []
        for side, one in self.sides.items():
            if not one.inputs:
                continue
            machines = max(1, len(one.machines))
            lines.append(
                f"{count(one.inputs, WHAT[side])} in {one.wall:.1f} s: {one.inputs / one.wall:.1f} a second, "
                f"{count(one.workers, 'worker')} on {count(machines, 'machine')}"
            )
            lines.append("  " + self._stages(side, one, cpus))
        if self.pairs:
            rate = self.pairs / self.ranked / 1e6
            lines.append(f"{self.pairs:,} pairs ranked in {self.ranked:.1f} s: {rate:.3g} million a second")
        return lines

    def _stages(self, side: str, one: SideTiming, cpus: int) -> str:
        beside = max(1, self.cores - one.workers * cpus)
        busy = {
            "the network": one.forward / (one.wall * one.workers),
            "decoding": one.decode / (one.wall * beside),
        }
        timed = one.inputs - one.first
        told = (
            f"network {1000 * one.forward / timed:.1f} ms each, "
            f"{100 * busy['the network']:.0f} % of {count(one.workers, 'worker')}"
            if timed
            else "network: first batches only, which load it"
        )
        if side == "images":
            told = (
                f"decoding {1000 * one.decode / one.inputs:.1f} ms each, "
                f"{100 * busy['decoding']:.0f} % of {count(beside, 'core')}; {told}"
            )
        first = max(busy, key=lambda stage: busy[stage])
        return f"{told}: bound by {first if busy[first] >= _BUSY else 'the start of the workers'}"


_BUSY = 0.5
"""Where no stage was at work for half of the time, none of them was what all waited for."""
