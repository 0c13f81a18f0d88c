"""The constants and the efficiency that docs/scaling.md names.

    python tests/benchmarks/cluster_scaling.py constants | command | WORKERS [PICTURES]

``constants`` measures, on one core: decoding, both networks, writing and ranking. ``command`` runs
``clipeval embed --engine ray`` on 10,000 and on 30,000 small pictures and prints what the command's process
took of memory and of the processor. WORKERS runs one job (384 photographs, or so many) on so many raylets,
each with all its processes on a core of its own, and prints the rate behind the start (the first quarter of
the pictures). Needs ``clipeval[models,ray]``, with the bytecode of its packages compiled, as pip does and uv
does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from clipeval.cluster import ClusterSettings, RayEngine
from clipeval.cluster.session import ray_library
from clipeval.core.blockwise import rank_in_blocks
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.data.pictures import decode_picture
from clipeval.encoders.load import load_encoder
from clipeval.evaluation.store import embed_to_store

SPEC = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
OPTIONS = {"offline": True}
SIZE = (500, 375)


def photos(n: int, folder: Path) -> Dataset:
    """n different JPEG files of a photograph's size."""
    rng = np.random.default_rng(0)
    sources = [item.picture for item in load_dataset("embedded").items if item.picture is not None]
    files = []
    for row in range(n):
        picture = decode_picture(sources[row % len(sources)].read(), where="embedded").resize(SIZE)
        noise = rng.normal(0, 8, size=(SIZE[1], SIZE[0], 3))
        path = folder / f"{row:05}.jpg"
        Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)).save(path, quality=85)
        path.with_suffix(".txt").write_text(f"photograph number {row}\n", encoding="utf-8")
        files.append(path)
    return load_dataset(folder)


def each(run: Callable[[], Any], n: int, *, rounds: int = 5) -> float:
    """Median seconds for one of n."""
    run()
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append((time.perf_counter() - began) / n)
    return median(seconds)


def constants() -> None:
    import torch

    torch.set_num_threads(1)
    encoder = load_encoder(SPEC, **OPTIONS)
    with tempfile.TemporaryDirectory() as home:
        data = photos(64, Path(home))
        encoded = [item.picture.read() for item in data.items if item.picture is not None]
        pictures = [decode_picture(one, where="a photograph") for one in encoded]
        captions = [f"a photograph of {row} things on a table beside a window" for row in range(64)]
        shard = np.random.default_rng(0).normal(size=(8192, 384)).astype(np.float32)
        path = Path(home, "shard")
        images, texts = encoder.image_tower, encoder.text_tower
        for what, run in (
            ("a JPEG of 500 x 375 decoded", lambda: [decode_picture(one, where="") for one in encoded]),
            ("EfficientNet-Lite0 with its resize, batches of 32", lambda: images.encode_images(pictures)),
            ("MiniLM-L6, captions of 10 words", lambda: texts.encode_texts(captions)),
        ):
            tell(what, 1e3 * each(run, 64), "ms")

        def write() -> None:
            with path.open("wb") as stream:
                stream.write(shard.tobytes())
                os.fsync(stream.fileno())

        tell("written and on the disk", shard.nbytes / each(write, 1) / 2**20, "MiB a second")
        tell("a picture file on the disk", float(np.mean([len(one) for one in encoded])) / 2**10, "KiB")
    rows = np.random.default_rng(1).normal(size=(2, 8192, 512)).astype(np.float32)
    pairs = each(lambda: rank_in_blocks(rows[0], rows[1]), 8192**2, rounds=3)
    tell("ranked exactly, both directions, 512 columns", 1e-6 / pairs, "million pairs a second")


SMALL = """
import numpy as np

class Encoder:
    fingerprint = {"weights": "none"}

    def encode_images(self, pictures):
        return np.array([np.asarray(p).reshape(-1)[:8] for p in pictures], dtype=np.float32) + 1

    def encode_texts(self, texts):
        return np.array([[ord(c) for c in t[-8:]] for t in texts], dtype=np.float32)

def one():
    return Encoder()
"""


def command(*many: int) -> None:
    """Peak and processor time of the process of the command; its cluster's are others."""
    for n in many:
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home, "photos")
            folder.mkdir()
            Path(home, "small_encoder.py").write_text(SMALL, encoding="utf-8")
            pixels = np.random.default_rng(0).integers(0, 256, size=(n, 4, 4, 3), dtype=np.uint8)
            for row in range(n):
                Image.fromarray(pixels[row]).save(folder / f"{row:09}.png")
                (folder / f"{row:09}.txt").write_text(f"a caption of number {row:09}\n", encoding="utf-8")
            words = "embed photos --model python:small_encoder:one --out store --no-probe --engine ray"
            began = time.perf_counter()
            job = subprocess.Popen(
                [sys.executable, "-m", "clipeval", *words.split()],
                cwd=home,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            peak, worked = 0, 0.0
            process = Path(f"/proc/{job.pid}")
            while job.poll() is None:
                with suppress(OSError, IndexError):  # it has just ended
                    peak = max(peak, int((process / "status").read_text().split("VmHWM:")[1].split()[0]))
                    ticks = (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
                    worked = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            print(
                f"{n:,} items: exit {job.returncode}, peak {peak / 1024:.0f} MiB, "
                f"{worked:.1f} s of the processor, {seconds:.0f} s",
                flush=True,
            )


def tell(what: str, value: float, unit: str) -> None:
    print(f"| {what} | {value:,.3g} {unit} |", flush=True)


def workers(many: int, n: int = 384) -> None:
    """So many raylets with a core each: the machines of a cluster in small."""
    ray = ray_library()
    from ray.cluster_utils import Cluster

    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "photos")
        folder.mkdir()
        data = photos(n, folder)
        encoder = load_encoder(SPEC, **OPTIONS)
        small = {"object_store_memory": 300 * 2**20}
        # a head without cores: the workers' machines are the others
        head = {"num_cpus": 0, "include_dashboard": False, **small}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for machine in range(many):
            # what a raylet starts stays on its core, which its network and its decoding share
            os.sched_setaffinity(0, {cores[machine]})
            cluster.add_node(num_cpus=2, **small)
        os.sched_setaffinity(0, cores)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        ticks: list[tuple[float, int]] = []

        def progress(what: str, done: int, total: int) -> None:
            if what == "pictures":
                ticks.append((time.perf_counter(), done))

        began = time.perf_counter()
        engine = RayEngine(ClusterSettings(workers=many))
        stored = embed_to_store(
            engine.spread(encoder, spec=SPEC, options=OPTIONS),
            data,
            Path(home, "store"),
            hashed=engine.hashed,
            progress=progress,
        )
        wall = time.perf_counter() - began
        (t0, n0), (t1, n1) = next(tick for tick in ticks if tick[1] >= n // 4), ticks[-1]
        print("\n".join(engine.timing.told(cpus=1)))
        print(f"workers: {many}; {wall:.1f} s in all; {(n1 - n0) / (t1 - t0):.2f} pictures a second")
        print(f"SHA-256 of the manifest: {stored.manifest.sha256}", flush=True)
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["constants"]:
        constants()
    elif sys.argv[1:] == ["command"]:
        command(10_000, 30_000)
    else:
        workers(*map(int, sys.argv[1:]))
