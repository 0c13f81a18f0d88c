"""Make the embeddings of the embedded pictures that the light install shows.

    pip install 'clipeval[models]'
    python tools/make_precomputed.py

Writes clipeval/data/embedded/embeddings.safetensors (rows and ids) and embeddings.json (fingerprints).
"""

from __future__ import annotations

import json

from safetensors.numpy import save_file

from clipeval.compare.job import default_models
from clipeval.data import dataset_hash, load_dataset
from clipeval.encoders import load_encoder, parse_spec
from clipeval.evaluation.embed import embed_images, embed_texts
from clipeval.evaluation.precomputed import ROWS, WORDS


class Unbridged:
    """An encoder's towers without its bridge, which the light install applies itself."""

    def __init__(self, encoder):
        self.image_tower, self.text_tower = encoder.image_tower, encoder.text_tower

    def bridge_images(self, rows):
        return rows

    bridge_texts = bridge_images


def main() -> None:
    dataset = load_dataset("embedded")
    tensors, words = {}, {}
    for spec in default_models(42)[:2]:
        parsed = parse_spec(spec)
        encoder = load_encoder(spec)
        source = Unbridged(encoder) if parsed.family == "preclip" else encoder
        tensors[f"{parsed.family}_images"] = embed_images(source, dataset).rows
        tensors[f"{parsed.family}_texts"] = embed_texts(source, dataset).rows
        words[f"{parsed.family}:{parsed.name}"] = {
            "dataset sha256": dataset_hash(dataset),
            "encoder": dict(encoder.fingerprint),
            "images": dict(encoder.image_tower.fingerprint),
            "texts": dict(encoder.text_tower.fingerprint),
        }
    ids = {"image_ids": json.dumps(dataset.ids), "caption_ids": json.dumps(dataset.caption_ids)}
    save_file(tensors, ROWS, metadata=ids)
    WORDS.write_text(json.dumps(words, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, rows in tensors.items():
        print(f"{name}: {rows.shape}")
    print(f"{ROWS.name}: {ROWS.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
