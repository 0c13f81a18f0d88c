"""Study S3's three architectures from scratch, small: accuracy and top-100 against chance, seen and held out.

Build the data first (public domain, from a Debian package), then run it; some minutes for each network:

    python -m clipeval.data.recipes openclipart drawings/
    python tests/benchmarks/three_architectures.py drawings/ --items 3000 --epochs 5 --seeds 3
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.options import LoadOptions
from clipeval.training.job import train
from clipeval.training.settings import TrainingSettings

ARCHITECTURES = {
    "BERT + ResNet": ("tiny-resnet", "tiny-bert", None),
    "BERT + ViT": ("tiny-vit", "tiny-bert", None),
    "GPT-2 + ViT": ("tiny-vit", "tiny-gpt2", None),
    "GPT-2 + ViT, first token": ("tiny-vit", "tiny-gpt2", "first"),
}
COLUMNS = ("hit1_i2t", "chance1_i2t", "top100_i2t", "chance100_i2t")


def part_of(dataset: Dataset, items: int) -> Dataset:
    """Every so many-th item, so that all categories take part."""
    if items >= dataset.n_images:
        return dataset
    rows = np.linspace(0, dataset.n_images - 1, items).astype(int)
    return Dataset(f"{dataset.name}[{items} items]", tuple(dataset.items[row] for row in rows))


def main() -> None:
    """Train and print one line for each architecture and seed, then means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    dataset = part_of(load_dataset(given.data), given.items)
    print(f"{dataset.name}: {dataset.n_images} pictures, {given.epochs} epochs, batch 64, 128 dimensions")
    print("held out: hit@1 (chance)  top-100 (chance)   training pairs: hit@1  top-100")
    for name, (image, text, pooling) in ARCHITECTURES.items():
        held, seen, said = [], [], set()
        for seed in range(given.seeds):
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                run = train(
                    dataset,
                    image_tower=image,
                    text_tower=text,
                    pooling=pooling,
                    out=Path(folder, "run"),
                    settings=TrainingSettings(
                        epochs=given.epochs, tower_learning_rate=5e-4, held_out=0.15, seed=seed
                    ),
                    options=LoadOptions(allow_random_init=True, offline=True),
                )
            row = run.history[run.best]
            held.append([row[f"held_out_{column}"] for column in COLUMNS])
            seen.append([row[f"train_{column}"] for column in COLUMNS])
            said |= {finding.text for finding in run.findings}
            print(f"  {name}, seed {seed}: {held[-1]} | {seen[-1]}  {time.perf_counter() - began:.0f} s")
            sys.stdout.flush()
        (hit, chance, top, top_chance), spread = np.mean(held, axis=0), np.std(held, axis=0, ddof=1)
        print(
            f"{name}: {hit:.4f} ± {spread[0]:.4f} ({chance:.4f})  "
            f"{top:.3f} ± {spread[2]:.3f} ({top_chance:.3f})"
            f"   {np.mean(seen, axis=0)[0]:.4f}  {np.mean(seen, axis=0)[2]:.3f}"
        )
        for text_ in sorted(said):
            print(f"    {text_}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
