"""Choose the settings of heads over frozen towers on a part of the training pictures; nothing else is read.

A sixth of the pictures is held out by hashes of their ids, and each line of ``SETTINGS`` is trained on the
rest with every seed. Each run is one line of ``runs.jsonl`` when it ends, and is not made again: it may be
stopped at any time.

    python tests/benchmarks/tune_heads.py 'flickr8k-train-*.tar' \\
        'frozen:features-resnet50.safetensors?tensor=train&ids=features-ids.json' --kept runs.jsonl
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from clipeval.data.load import load_dataset
from clipeval.encoders.dual import kept_tower
from clipeval.encoders.joined_towers import side_by_side
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.towers import Towers
from clipeval.evaluation import default_cache
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.training.heads_job import train_heads
from clipeval.training.pairs import pairs_of
from clipeval.training.settings import TrainingSettings
from clipeval.training.tower_names import parse_tower

HELD_OUT = 1 / 6
COLUMNS = ("hit1_t2i", "hit1_i2t", "mrr")
BASE = TrainingSettings(
    epochs=6,
    batch_size=1024,
    dim=512,
    hidden=(512, 512),
    dropout=0.25,
    learning_rate=2e-3,
    clip=0.0,
    held_out=0.0,
)
SETTINGS = {
    "base": BASE,
    "linear": replace(BASE, hidden=(0, 0)),
    "two-layer image head": replace(BASE, hidden=(512, 0)),
    "more dropout": replace(BASE, dropout=0.4, epochs=9),
    "more hidden dropout": replace(BASE, dropout=0.2, hidden_dropout=0.5),
    "larger batches": replace(BASE, batch_size=2048, learning_rate=3e-3),
    "3 heads": replace(BASE, ensemble=3),
    "3 heads, more hidden dropout": replace(BASE, dropout=0.2, hidden_dropout=0.5, ensemble=3),
}


def main() -> None:
    """Print the mean over seeds of every setting, the best one last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="training pictures with captions")
    parser.add_argument("image_tower", help="as for clipeval train")
    parser.add_argument("--text-tower", default="all-MiniLM-L6-v2", help="one that stays as it is")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", help="settings whose name holds this")
    parser.add_argument("--kept", type=Path, help="a file of runs that are done")
    given = parser.parse_args()
    dataset = load_dataset(given.data)
    pairs = pairs_of(dataset, share=HELD_OUT)
    options, cache = LoadOptions(offline=True), default_cache()
    tower = parse_tower(given.image_tower, side="image")
    image_rows = []
    for part in tower.parts or (tower,):
        tensor, ids = part.options.get("tensor"), part.options.get("ids")
        loaded = kept_tower("image", part.name, options, tensor=tensor, ids=ids, where=part.text)
        image_rows.append(embed_images(Towers(part.text, loaded, loaded), dataset, cache=cache).rows)
    images = side_by_side(image_rows)
    text = kept_tower("text", given.text_tower, options, tensor=None, ids=None, where="text tower")
    texts = embed_texts(Towers("text", text, text), dataset, cache=cache).rows
    print(
        f"{len(pairs.train)} pairs are trained on, {len(pairs.held_out)} held out; last epoch, mean of seeds"
    )
    print(f"{'hit@1 t2i':>10} {'hit@1 i2t':>10} {'MRR':>7} {'CPU s':>6}")
    lines = given.kept.read_text(encoding="utf-8").splitlines() if given.kept and given.kept.is_file() else []
    done = {json.dumps(line["of"]): line for line in map(json.loads, lines)}
    means = []
    for name, settings in SETTINGS.items():
        if given.only and given.only not in name:
            continue
        rows = []
        for seed in range(given.seeds):
            one = replace(settings, seed=seed)
            of = [given.image_tower, given.text_tower, one.document()]
            if json.dumps(of) not in done:
                began = time.process_time()
                last = train_heads(images, texts, pairs=pairs, settings=one).history[-1]
                found = [last[f"held_out_{column}"] for column in COLUMNS]
                done[json.dumps(of)] = {"of": of, "found": found, "seconds": time.process_time() - began}
                if given.kept:
                    with given.kept.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(done[json.dumps(of)]) + "\n")
            line = done[json.dumps(of)]
            rows.append([*line["found"], line["seconds"]])
        means.append((*np.mean(rows, axis=0), name))
        print("{:10.4f} {:10.4f} {:7.4f} {:6.0f}  {}".format(*means[-1]), flush=True)
    print("by MRR, the best last:", ", ".join(one[-1] for one in sorted(means, key=lambda one: one[2])))


if __name__ == "__main__":
    main()
