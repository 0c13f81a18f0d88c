"""How fast picture files become rows: beside the network alone, and beside the loops of other libraries.

    python tests/benchmarks/encoding_speed.py ratio     end to end over the forward pass alone
    python tests/benchmarks/encoding_speed.py rivals    CLIP_benchmark, open_clip, sentence-transformers
    python tests/benchmarks/encoding_speed.py parts     what one picture costs a core, step by step
    python tests/benchmarks/encoding_speed.py layout    convolutions, channels first and last in memory

Pictures are JPEG files of 640 x 480 pixels, quality 90, cut from scikit-learn's two photographs (CC BY) into
a temporary folder. Networks have random weights (speed does not depend on values), except EfficientNet-Lite0.
All ways are timed in turn, every other round in the opposite order; a ratio is the median over rounds.
`cpu` is processor time of all threads and child processes: on a machine that does other work it is the
steadier number, but where a way leaves cores idle it does not see the loss. Freed memory is kept, as the
command line does (`clipeval.encoders.allocator`); the other libraries' loops profit from that too.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from encoding_models import resnet50_tower, save_clip
from PIL import Image

from clipeval.data.dataset import Dataset, Item
from clipeval.data.sources import file_source
from clipeval.encoders.allocator import keep_freed_memory
from clipeval.encoders.base import ImageTower
from clipeval.encoders.load import load_encoder
from clipeval.encoders.resizing import RESIZING

BATCH = 32
SIZE = (640, 480)


def make_photographs(folder: Path, n: int) -> list[Path]:
    """Write n different cuts of two photographs."""
    from sklearn.datasets import load_sample_images

    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n):
        photograph = photographs[number % len(photographs)]
        height = photograph.height * rng.uniform(0.7, 1.0)
        width = height * SIZE[0] / SIZE[1]
        left, top = rng.uniform(0, photograph.width - width), rng.uniform(0, photograph.height - height)
        box = (left, top, left + width, top + height)
        path = folder / f"{number:04}.jpg"
        photograph.resize(SIZE, Image.Resampling.BICUBIC, box=box).save(path, quality=90)
        paths.append(path)
    return paths


def as_dataset(paths: Sequence[Path]) -> Dataset:
    """A dataset that has read nothing yet."""
    items = (Item(p.name, ("a photograph",), file_source(p, where=p.name)) for p in paths)
    return Dataset("photographs", tuple(items))


def cpu_seconds() -> float:
    """Processor time of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def in_turn(ways: dict[str, Callable[[], object]], *, rounds: int, base: str, pictures: int) -> None:
    """Time ways in turn and print milliseconds for each picture, and how fast each is beside the base."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 == 0 else -1]:
            start, used = time.perf_counter(), cpu_seconds()
            ways[name]()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(cpu_seconds() - used)
    for name in ways:
        found = []
        for label, times in (("wall", wall), ("cpu", cpu)):
            rates = sorted(b / t for b, t in zip(times[base], times[name], strict=True))
            shown = f"{label} {median(times[name]) / pictures * 1e3:8.2f} ms"
            found.append(f"{shown}, rate x{median(rates):6.3f} [{rates[0]:.2f}, {rates[-1]:.2f}]")
        print(f"  {name:44} {'   '.join(found)}", flush=True)


def towers(folder: Path) -> dict[str, ImageTower]:
    """Two ViT-B/32, two ResNet-50 and a small network that real people use."""
    options: dict[str, Any] = {"offline": True, "allow_random_init": True, "batch_size": BATCH}
    return {
        "ViT-B/32 (hf)": load_encoder(f"hf:{save_clip(folder)}", **options).image_tower,
        "ViT-B/32 (open_clip)": load_encoder("open_clip:ViT-B-32", **options).image_tower,
        "ResNet-50 (torchvision)": resnet50_tower(BATCH),
        "ResNet-50 (CLIP's, open_clip)": load_encoder("open_clip:RN50", **options).image_tower,
        "EfficientNet-Lite0": load_encoder(
            "preclip:efficientnet-lite0+all-MiniLM-L6-v2", **options
        ).image_tower,
    }


def forward_only(tower: Any, paths: Sequence[Path]) -> Callable[[], object]:
    """The network on pixels that are ready, as many batches as there are pictures."""
    from clipeval.data.pictures import read_picture

    stage = tower.image_stage()
    rooms = []
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        room = stage.room(len(batch))
        for at, path in enumerate(batch):
            stage.put(room, at, read_picture(file_source(path, where=path.name)))
        rooms.append((room, len(batch)))
    return lambda: [stage.rows(room, n) for room, n in rooms]


def end_to_end(tower: Any, paths: Sequence[Path]) -> Callable[[], object]:
    """What `clipeval compare` does with pictures whose rows are in no cache, from their hashes on."""
    from clipeval.encoders.base import JointEncoder
    from clipeval.evaluation.embed import embed_images

    class Only(JointEncoder):
        name, fingerprint, image_tower = "benchmark", tower.fingerprint, tower

        def encode_images(self, pictures: Any) -> Any:
            raise AssertionError

        def encode_texts(self, texts: Any) -> Any:
            raise AssertionError

    encoder = Only()
    return lambda: embed_images(encoder, as_dataset(paths)).rows


def one_after_the_other(tower: Any, paths: Sequence[Path]) -> Callable[[], object]:
    """The same work in one thread, which is all that a plain loop does."""
    from clipeval.data.pictures import read_picture

    def run() -> None:
        for start in range(0, len(paths), BATCH):
            batch = [file_source(path, where=path.name) for path in paths[start : start + BATCH]]
            tower.encode_images([read_picture(source) for source in batch])

    return run


def ratio(folder: Path, paths: Sequence[Path], rounds: int, only: str) -> None:
    for name, tower in towers(folder).items():
        if only not in name:
            continue
        print(f"\n{name}, {len(paths)} pictures, batches of {BATCH}", flush=True)
        in_turn(
            {
                "the network alone": forward_only(tower, paths),
                "clipeval end to end": end_to_end(tower, paths),
                "one after the other": one_after_the_other(tower, paths),
            },
            rounds=rounds,
            base="the network alone",
            pictures=len(paths),
        )


def rivals(folder: Path, paths: Sequence[Path], rounds: int, only: str) -> None:
    from encoding_rivals import clip_benchmark, open_clip_readme, open_clip_train, sentence_transformers

    options: dict[str, Any] = {"offline": True, "allow_random_init": True, "batch_size": BATCH}
    open_clip: Any = load_encoder("open_clip:ViT-B-32", **options)
    model, transform = open_clip._model, open_clip._transform
    clip = save_clip(folder)
    hf: Any = load_encoder(f"hf:{clip}", **options)
    rounds_of: dict[str, tuple[Any, dict[str, Callable[[], Any]]]] = {
        "open_clip ViT-B/32": (
            open_clip,
            {
                "CLIP_benchmark's loop": clip_benchmark(model, transform, paths, batch_size=BATCH, workers=4),
                "open_clip's zero-shot loop": open_clip_train(
                    model, transform, paths, batch_size=BATCH, workers=4
                ),
                "open_clip's README, one by one": open_clip_readme(model, transform, paths),
            },
        ),
        "transformers ViT-B/32": (
            hf,
            {"sentence-transformers encode": sentence_transformers(clip, paths, batch_size=BATCH)},
        ),
    }
    for name, (encoder, others) in rounds_of.items():
        if only not in name:
            continue
        ours = end_to_end(encoder.image_tower, paths)
        print(
            f"\n{name}, {len(paths)} pictures, batches of {BATCH}; rate of clipeval over each, by wall: 1 / x"
        )
        for other, way in others.items():
            print(f"  {other}: rows agree within {_distance(ours(), way(), paths):.1e} of their length")
        in_turn({"clipeval": ours, **others}, rounds=rounds, base="clipeval", pictures=len(paths))


def _distance(ours: Any, theirs: Any, paths: Sequence[Path]) -> float:
    """Largest distance of two unit rows of one picture."""
    rows = [np.asarray(one, dtype=np.float64) for one in (ours, theirs)]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in rows]
    return float(np.linalg.norm(units[0] - units[1], axis=1).max())


def parts(folder: Path, paths: Sequence[Path], rounds: int, only: str) -> None:
    import torch

    from clipeval.data.content import picture_hash
    from clipeval.data.pictures import read_picture

    torch.set_num_threads(1)
    dataset = as_dataset(paths)
    sources = [file_source(path, where=path.name) for path in paths]
    pictures = [read_picture(source) for source in sources]
    for name, tower in towers(folder).items():
        if only not in name:
            continue
        stage: Any = tower.image_stage()  # type: ignore[attr-defined]
        room = stage.room(1)
        print(f"\n{name}, one thread")

        def prepared(stage: Any = stage, room: Any = room) -> None:
            for picture in pictures:
                stage.put(room, 0, picture)

        in_turn(
            {
                "network": forward_only(tower, paths),
                "read and hash": lambda: [picture_hash(item) for item in dataset.items],
                "read and decode": lambda: [read_picture(source) for source in sources],
                "prepare": prepared,
                "prepare, as the library does": lambda s=stage: [s.library(picture) for picture in pictures],
            },
            rounds=rounds,
            base="network",
            pictures=len(paths),
        )


def layout(folder: Path, paths: Sequence[Path], rounds: int, only: str) -> None:
    ways = ("channels-first", "channels-last")
    for name, spec in {
        "EfficientNet-Lite0": "preclip:efficientnet-lite0+all-MiniLM-L6-v2",
        "ResNet-50 (CLIP's, open_clip)": "open_clip:RN50",
    }.items():
        if only not in name:
            continue
        print(f"\n{name}, {len(paths)} pictures, batches of {BATCH}, the network alone", flush=True)
        made = {
            way: load_encoder(
                f"{spec}?layout={way}", offline=True, allow_random_init=True, batch_size=BATCH
            ).image_tower
            for way in ways
        }
        in_turn(
            {way: forward_only(tower, paths) for way, tower in made.items()},
            rounds=rounds,
            base=ways[0],
            pictures=len(paths),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ratio", "rivals", "parts", "layout"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    options = parser.parse_args()
    keep_freed_memory()
    resized = "compiled code" if RESIZING.start() else "Pillow"  # as with many pictures
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f}; pictures are resized by {resized}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        paths = make_photographs(folder / "pictures", options.pictures)
        print(f"{np.mean([path.stat().st_size for path in paths]) / 1e3:.0f} kB a picture")
        {"ratio": ratio, "rivals": rivals, "parts": parts, "layout": layout}[options.what](
            folder, paths, options.rounds, options.only
        )


if __name__ == "__main__":
    main()
