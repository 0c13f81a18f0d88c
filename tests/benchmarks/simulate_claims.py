"""How often do clipeval's checks say something wrong about encoders that are made to be equal?

Every check is called as it ships, on evaluations of simulated encoders (``simulated_worlds.py``); every error
is measured where it is largest: at equality, or at the margin (``simulated_cases.py``). Run from the
repository's root:

    python tests/benchmarks/simulate_claims.py --processes 2 --keep simulated.jsonl > tables.md

It prints the tables of ``docs/claims.md``, the same numbers each time: each repetition has a seed of its own.
What is done is kept in the file, so that a run that was stopped goes on (all of it: about an hour and a half
of one core). ``--divide 20`` makes fewer repetitions; some are judged by
``tests/unit/claims/test_error_rates.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from simulated_cases import WORLDS, World

from clipeval.core.verdict import Verdict

SEED = 2026
CHUNK = {20: 500, 100: 100, 1000: 20}


@dataclass
class Counts:
    """Verdicts of one check on one truth; ``effect`` is the sum of what was measured."""

    n: int = 0
    holds: int = 0
    refuted: int = 0
    effect: float = 0.0

    def add(self, verdict: Verdict, effect: float) -> None:
        self.n += 1
        self.holds += verdict is Verdict.HOLDS
        self.refuted += verdict is Verdict.REFUTED
        self.effect += effect

    def share(self, word: str) -> float:
        return float(getattr(self, word)) / self.n


@dataclass(frozen=True, order=True)
class Chunk:
    """Repetitions ``start`` to ``stop`` of one world at one size."""

    world: str
    n: int
    captions: int
    start: int
    stop: int


Result = dict[tuple[str, str], Counts]


def simulate(chunk: Chunk) -> Result:
    """Judge each repetition by a random stream that nothing else touches."""
    (world,) = (one for one in WORLDS if one.name == chunk.world)
    found: Result = defaultdict(Counts)
    for repetition in range(chunk.start, chunk.stop):
        seed = [SEED, zlib.crc32(chunk.world.encode()), chunk.n, chunk.captions, repetition]
        for name, finding in world.judge(chunk.n, chunk.captions, np.random.default_rng(seed)):
            found[name].add(finding.verdict, finding.effect or 0.0)
    return dict(found)


def chunks(worlds: tuple[World, ...], divide: int) -> Iterator[Chunk]:
    """Cut the work; what was asked for first comes first."""
    for world in worlds:
        for (n, captions), repetitions in world.repetitions.items():
            last = max(1, repetitions // divide)
            for start in range(0, last, CHUNK[n]):
                yield Chunk(world.name, n, captions, start, min(start + CHUNK[n], last))


@dataclass
class Kept:
    """What is done, in memory and in a file of one line for each chunk."""

    path: Path | None
    done: dict[Chunk, Result] = field(default_factory=dict)

    def read(self) -> None:
        if self.path is None or not self.path.exists():
            return
        text = self.path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.splitlines():
            try:
                kept = json.loads(line)
            except ValueError:
                continue  # the line that was being written when the run was stopped
            result = {(check, truth): Counts(*numbers) for check, truth, *numbers in kept["counts"]}
            self.done[Chunk(*kept["chunk"])] = result

    def add(self, chunk: Chunk, result: Result) -> None:
        self.done[chunk] = result
        if self.path is not None:
            counts = [[*name, c.n, c.holds, c.refuted, c.effect] for name, c in result.items()]
            key = [chunk.world, chunk.n, chunk.captions, chunk.start, chunk.stop]
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"chunk": key, "counts": counts}) + "\n")


def tables(done: dict[Chunk, Result]) -> str:
    """Write two Markdown tables: errors, and how often what is true is found."""
    power = {world.name: world.power for world in WORLDS}
    sizes = sorted({(c.n, c.captions) for c in done}, key=lambda size: (size[1], size[0]))
    total: dict[tuple[bool, str, str], dict[tuple[int, int], Counts]] = defaultdict(
        lambda: defaultdict(Counts)
    )
    order = {world.name: at for at, world in enumerate(WORLDS)}
    for chunk in sorted(done, key=lambda c: (order[c.world], c.n, c.captions, c.start)):
        for (check, true), counts in done[chunk].items():
            sum_ = total[power[chunk.world], check, true][chunk.n, chunk.captions]
            for name in ("n", "holds", "refuted", "effect"):
                setattr(sum_, name, getattr(sum_, name) + getattr(counts, name))
    return "\n".join(_table(total, sizes, is_power) for is_power in (False, True))


def _table(total: dict, sizes: list[tuple[int, int]], power: bool) -> str:
    def cell(check: str, counts: Counts) -> str:
        if not counts.n:
            return ""
        if not power:
            return f"{100 * counts.share('holds'):.1f} / {100 * counts.share('refuted'):.1f}"
        mean = f" at {counts.effect / counts.n:+.2f}" if "better_than" in check else ""
        return f"{100 * counts.share('holds'):.0f}{mean}"

    head = ["check", "what is true", *(f"{n} x {captions}" for n, captions in sizes), "repetitions"]
    rows = [head, ["---"] * len(head)]
    for (is_power, check, true), by_size in total.items():
        if is_power == power:
            times = [by_size[size].n for size in sizes]
            cells = [cell(check, by_size[size]) for size in sizes]
            rows.append(
                [
                    check,
                    true,
                    *cells,
                    ", ".join(f"{n:,}" for n in (times if len(set(times)) > 1 else times[:1])),
                ]
            )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    """Judge, keep, print."""
    parser = argparse.ArgumentParser(
        description="Simulate the error rates and the power of clipeval's checks."
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="file of what is done; a stopped run goes on from it")
    parser.add_argument("--only", help="simulate this size of the data alone, such as 1000x5; print nothing")
    parser.add_argument("--divide", type=int, default=1, help="make so many times fewer repetitions")
    arguments = parser.parse_args()
    kept = Kept(arguments.keep)
    kept.read()
    wanted = list(chunks(WORLDS, arguments.divide))
    left = [chunk for chunk in wanted if chunk not in kept.done]
    if arguments.only:
        left = [chunk for chunk in left if arguments.only == f"{chunk.n}x{chunk.captions}"]
    with ProcessPoolExecutor(arguments.processes) as pool:
        running = {pool.submit(simulate, chunk): chunk for chunk in left}
        for at, future in enumerate(as_completed(running), 1):
            kept.add(running[future], future.result())
            sys.stderr.write(f"{at} of {len(left)}: {running[future]}\n")
    if not arguments.only:
        sys.stdout.write(tables({chunk: kept.done[chunk] for chunk in wanted}))


if __name__ == "__main__":
    main()
