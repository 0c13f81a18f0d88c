"""Steps a second of ``train_heads`` beside a plain loop on the same rows: in turns, ratio of medians.

python tests/benchmarks/training_speed.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from torch.nn import functional

from clipeval.training import TrainingSettings, train_heads

PAIRS, IMAGE, TEXT, DIM, BATCH = 4096, 2048, 384, 512, 1024


def plain(images: torch.Tensor, texts: torch.Tensor, epochs: int) -> None:
    """What a notebook would do: no masks, no seeds for each step, no checks, no schedule."""
    heads = torch.nn.ModuleList([torch.nn.Linear(IMAGE, DIM), torch.nn.Linear(TEXT, DIM)])
    scale = torch.nn.Parameter(torch.tensor(2.66))
    optimiser = torch.optim.AdamW([*heads.parameters(), scale], lr=1e-3)
    right = torch.arange(BATCH)
    for _ in range(epochs):
        for chosen in torch.randperm(PAIRS).split(BATCH):
            x, y = (
                functional.normalize(head(rows[chosen]), dim=-1)
                for head, rows in zip(heads, (images, texts), strict=True)
            )
            logits = scale.exp() * x @ y.T
            loss = (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def main() -> None:
    """Print both medians and their ratio; the preparation of rows counts on both sides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    images, texts = (rng.normal(size=(PAIRS, d)).astype(np.float32) for d in (IMAGE, TEXT))
    settings = TrainingSettings(epochs=given.epochs, batch_size=BATCH, dim=DIM, held_out=0.0, clip=0.0)
    took: dict[str, list[float]] = {"plain loop": [], "train_heads": []}
    for turn in range(given.rounds + 1):
        for name in took:
            began = time.perf_counter()
            if name == "plain loop":
                plain(torch.from_numpy(images), torch.from_numpy(texts), given.epochs)
            else:
                train_heads(images, texts, settings=settings)
            if turn:  # the first turn warms up
                took[name].append(time.perf_counter() - began)
    steps = given.epochs * PAIRS // BATCH
    medians = {name: statistics.median(times) for name, times in took.items()}
    for name, median in medians.items():
        print(f"{name}: {steps / median:.1f} steps a second (median of {given.rounds})")
    print(f"ratio of medians: {medians['train_heads'] / medians['plain loop']:.2f}")


if __name__ == "__main__":
    main()
