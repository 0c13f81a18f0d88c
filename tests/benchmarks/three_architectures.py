"""Study S3's three architectures from scratch, small: accuracy and top-100 against chance, seen and held out.

Build the data first (public domain, from a Debian package), then run it; some minutes for each network:

    python -m clipeval.data.recipes openclipart drawings/
    python tests/benchmarks/three_architectures.py drawings/ --items 1200 --kept runs.jsonl \
        --curves curves.png

Each run is one line of ``runs.jsonl`` when it ends, and is not made again: it may be stopped at any time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.options import LoadOptions
from clipeval.report.style import INK, PALETTE, new_figure, plain, save_png
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


def run(dataset: Dataset, name: str, *, epochs: int, seed: int) -> dict[str, Any]:
    """Train one architecture with one seed; what it retrieves in the epoch that was kept."""
    image, text, pooling = ARCHITECTURES[name]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train(
            dataset,
            image_tower=image,
            text_tower=text,
            pooling=pooling,
            out=Path(folder, "run"),
            settings=TrainingSettings(epochs=epochs, tower_learning_rate=5e-4, held_out=0.15, seed=seed),
            options=LoadOptions(allow_random_init=True, offline=True),
        )
    row = trained.history[trained.best]
    return {
        "held out": [row[f"held_out_{column}"] for column in COLUMNS],
        "training": [row[f"train_{column}"] for column in COLUMNS],
        "epoch": row["epoch"],
        "history": [dict(epoch) for epoch in trained.history],
        "said": [finding.text for finding in trained.findings],
        "seconds": round(time.perf_counter() - began),
    }


def draw(path: Path, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Draw loss and top-100 by epoch, a panel for each architecture, a thin line for each seed."""
    figure = new_figure(3.2 * len(runs), 5.6)
    panels = figure.subplots(2, len(runs), sharey="row", squeeze=False)
    for (name, of_seeds), (loss, top) in zip(runs.items(), panels.T, strict=True):
        for run_ in of_seeds:
            history = run_["history"]
            epochs = [row["epoch"] for row in history]
            loss.plot(epochs, [row["loss"] for row in history], color=PALETTE[0], linewidth=1)
            for part, words, colour in (
                ("train", "training pairs", PALETTE[0]),
                ("held_out", "held out", PALETTE[1]),
            ):
                values = [row[f"{part}_top100_i2t"] for row in history]
                top.plot(epochs, values, color=colour, linewidth=1, label=words)
            chance = history[-1]["held_out_chance100_i2t"]
        top.axhline(chance, color=INK, linestyle=":", linewidth=1, label="chance")
        loss.axhline(np.log(64), color=INK, linestyle=":", linewidth=1)
        loss.set_title(name, fontsize=9, color=INK, loc="left")
        for axes in (loss, top):
            axes.set_xticks(epochs)
            plain(axes)
        top.set_xlabel("epoch", fontsize=8, color=INK)
    panels[0][0].set_ylabel("training loss (dotted: ln 64)", fontsize=8, color=INK)
    panels[1][0].set_ylabel("top-100, image finds text", fontsize=8, color=INK)
    handles, labels = panels[1][0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))  # one entry for all seeds
    panels[1][-1].legend(shown.values(), shown.keys(), frameon=False, fontsize=8, loc="center right")
    save_png(figure, path)


def main() -> None:
    """Train and print one line for each architecture and seed, then means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kept", type=Path, help="a file of runs that are done")
    parser.add_argument("--curves", type=Path, help="a PNG file for loss and top-100 by epoch")
    given = parser.parse_args()
    dataset = part_of(load_dataset(given.data), given.items)
    print(f"{dataset.name}: {dataset.n_images} pictures, {given.epochs} epochs, batch 64, 128 dimensions")
    print("kept epoch; held out: hit@1, top-100 (chance); as many training pairs: hit@1, top-100")
    lines = given.kept.read_text(encoding="utf-8").splitlines() if given.kept and given.kept.is_file() else []
    done = {tuple(line["of"]): line for line in map(json.loads, lines)}
    runs: dict[str, list[dict[str, Any]]] = {}
    for name in ARCHITECTURES:
        rows = runs.setdefault(name, [])
        for seed in range(given.seeds):
            key = (dataset.name, given.epochs, name, seed)
            if key not in done:
                done[key] = run(dataset, name, epochs=given.epochs, seed=seed)
                if given.kept:
                    with given.kept.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps({"of": key, **done[key]}) + "\n")
            rows.append(done[key])
            (hit, _, top, _), (seen, _, seen_top, _) = rows[-1]["held out"], rows[-1]["training"]
            print(
                f"  {name}, seed {seed}, epoch {rows[-1]['epoch']}: {hit:.4f} {top:.3f}"
                f"   {seen:.4f} {seen_top:.3f}   {rows[-1]['seconds']} s"
            )
            sys.stdout.flush()
        held = [row["held out"] for row in rows]
        (hit, chance, top, top_chance), spread = np.mean(held, axis=0), np.std(held, axis=0, ddof=1)
        seen = np.mean([row["training"] for row in rows], axis=0)
        print(
            f"{name}: {hit:.4f} ± {spread[0]:.4f} ({chance:.4f})  "
            f"{top:.3f} ± {spread[2]:.3f} ({top_chance:.3f})   {seen[0]:.4f}  {seen[2]:.3f}"
        )
        for text in sorted({text for row in rows for text in row["said"]}):
            print(f"    {text}")
        sys.stdout.flush()
    if given.curves:
        draw(given.curves, runs)


if __name__ == "__main__":
    main()
