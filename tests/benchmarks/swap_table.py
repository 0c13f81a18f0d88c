"""What ``clipeval swap`` says of real encoders: a table of verdicts, and the time of a check.

    python tests/benchmarks/swap_table.py [--data PATH] [--rounds 3] [OLD NEW ...]

Without models: ConSE over efficientnet-lite0, -lite1 and -lite2, other numbers of classes, a random bridge in
its place, and ConSE in bfloat16. The second table is made by ``clipeval baseline check`` in fresh processes,
everything cached, beside the same process importing its libraries alone.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.measure import measure
from clipeval.baseline.result import SwapResult
from clipeval.baseline.snapshot import Snapshot
from clipeval.data.load import load_dataset
from clipeval.evaluation import default_cache
from clipeval.report.names import display_name

LITE = "conse:efficientnet-lite{}+all-MiniLM-L6-v2"
PAIRS = [
    (LITE.format(0), LITE.format(0)),
    (LITE.format(0), LITE.format(0) + "?dtype=bfloat16"),
    (LITE.format(0), LITE.format(0) + "?top=5"),
    (LITE.format(0), LITE.format(1)),
    (LITE.format(0), LITE.format(2)),
    (LITE.format(2), LITE.format(0)),
    (LITE.format(0), LITE.format(0).replace("conse:", "preclip:")),
]
HEADS = ("old", "new", "pictures", "captions", "hit@1 i2t", "hit@1 t2i", "lost", "gained", "verdict")


def row(result: SwapResult) -> str:
    kinds = [drift.kind for drift in result.drift]
    hits = [
        f"{change.old:.3f} → {change.new:.3f}" for change in result.metrics if change.metric == "hit_rate@1"
    ]
    lost, gained = (sum(len(getattr(one, side)) for one in result.flips) for side in ("lost", "gained"))
    names = (display_name(result.old), display_name(result.new))
    return "| " + " | ".join([*names, *kinds, *hits, str(lost), str(gained), result.verdict.value]) + " |"


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="embedded")
    parser.add_argument("--rounds", type=int, default=3, help="of the timing; 0 for none")
    parser.add_argument("models", nargs="*", help="pairs OLD NEW")
    given = parser.parse_args()
    pairs = list(zip(given.models[::2], given.models[1::2], strict=True)) or PAIRS
    dataset = load_dataset(given.data)
    print(f"{dataset.name}: {dataset.n_images} pictures, {dataset.n_captions} captions\n")
    print("| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|")
    kept: dict[str, Snapshot] = {}
    for pair in pairs:
        for spec in pair:
            if spec not in kept:
                kept[spec] = measure(spec, dataset, data=given.data, cache=default_cache())
        print(row(compare_snapshots(kept[pair[0]], kept[pair[1]])), flush=True)
    if not given.rounds:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "kept.json")
        clipeval = [sys.executable, "-m", "clipeval", "baseline"]
        spec = pairs[0][0]
        subprocess.run(
            [*clipeval, "save", "-m", spec, "-d", given.data, file], check=True, stdout=subprocess.DEVNULL
        )
        size = Path(file).stat().st_size
        libraries = [sys.executable, "-c", "import torch, transformers, sentence_transformers"]
        times = [
            (seconds([*clipeval, "check", file, "-d", given.data]), seconds(libraries))
            for _ in range(given.rounds)
        ]
    check, imports = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"\n{display_name(spec)}: the file is {size / 1000:.0f} kB; medians of {given.rounds} rounds")
    print(f"a check with everything cached: {check:.1f} s; importing the libraries alone: {imports:.1f} s")
    print(f"ratio {check / imports:.2f}")


if __name__ == "__main__":
    main()
