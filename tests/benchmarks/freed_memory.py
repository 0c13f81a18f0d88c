"""What it costs to give freed memory back between batches, and what keeping it costs in memory.

    python tests/benchmarks/freed_memory.py [--rounds 3] [--batch-size 32] [--model ViT-B-32]

Fresh processes in turns, one with `keep_freed_memory` and one without: milliseconds a picture (median of
seven batches), page faults of one batch, and the largest resident size. The weights are random.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

CHILD = """
import resource, sys, time
from statistics import median
from clipeval.encoders.allocator import keep_freed_memory
model, batch, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if how == "kept":
    assert keep_freed_memory(), "this process cannot keep freed memory"
import torch
from clipeval.encoders.load import load_encoder
tower = load_encoder(f"open_clip:{model}", offline=True, allow_random_init=True, batch_size=batch).image_tower
stage = tower.image_stage()
room = stage.room(batch)
room.normal_()
for _ in range(2):
    stage.rows(room, batch)
seconds, before = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(7):
    start = time.perf_counter()
    stage.rows(room, batch)
    seconds.append(time.perf_counter() - start)
used = resource.getrusage(resource.RUSAGE_SELF)
print(1e3 * median(seconds) / batch, (used.ru_minflt - before) / 7, used.ru_maxrss / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--model", default="ViT-B-32", help="a configuration of open_clip")
    options = parser.parse_args()
    found: dict[str, list[list[float]]] = {"given back": [], "kept": []}
    for number in range(options.rounds):
        for how in list(found)[:: 1 if number % 2 == 0 else -1]:
            done = subprocess.run(
                [sys.executable, "-c", CHILD, options.model, str(options.batch_size), how],
                check=True,
                capture_output=True,
                text=True,
            )
            found[how].append([float(word) for word in done.stdout.split()])
            ms, faults, mib = found[how][-1]
            print(
                f"{how:11} {ms:7.1f} ms a picture {faults:9,.0f} page faults a batch {mib:7,.0f} MiB",
                flush=True,
            )
    pairs = zip(found["given back"], found["kept"], strict=True)
    ratios = sorted(back[0] / kept[0] for back, kept in pairs)
    print(f"kept is {median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}] times as fast")


if __name__ == "__main__":
    main()
