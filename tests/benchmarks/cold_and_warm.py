"""How long `clipeval compare` takes with an empty and with a filled cache.

    python tests/benchmarks/cold_and_warm.py [--rounds 3]

Cold and warm runs are interleaved; medians and their ratio are printed. Every run is a new process, so
imports count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(folder: Path, cache: Path) -> tuple[float, int]:
    """Wall time of one run, and how many inputs it encoded."""
    command = [sys.executable, "-m", "clipeval.cli", "compare", "--offline", "--json", "--out", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "CLIPEVAL_CACHE": str(cache)}, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - started
    return seconds, sum(model["encoded"] for model in json.loads(done.stdout)["times"]["models"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as root:
        for number in range(rounds):
            cache = Path(root) / f"cache{number}"
            for kind in times:
                seconds, encoded = timed(Path(root) / "results", cache)
                times[kind].append(seconds)
                print(f"{kind}: {seconds:.1f} s, {encoded} inputs encoded", flush=True)
    cold, warm = (statistics.median(times[kind]) for kind in ("cold", "warm"))
    print(f"median cold {cold:.1f} s, warm {warm:.1f} s, ratio {cold / warm:.1f}")


if __name__ == "__main__":
    main()
