"""What is lost or doubled when something breaks: ``python cluster_faults.py TIMES [FAULT ...]``.

Every fault is injected so many times into a job on two raylets of this machine, as its pictures are being
encoded; the same command then goes on. Prints the table of docs/scaling.md. Needs ``clipeval[ray]``; a disk
that is really full needs root (a small tmpfs), else the writer's error is injected.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from clipeval.cluster import ClusterSettings, RayEngine
from clipeval.cluster.session import ray_library
from clipeval.data.load import load_dataset
from clipeval.encoders.load import load_encoder
from clipeval.errors import NotAvailableError, PictureError
from clipeval.evaluation.readable import readable_part
from clipeval.evaluation.store import embed_to_store, files

N = 160  # five shards of 32
SPEC = "python:mine_faults:one"
ENCODER = """
import os, time
import numpy as np

class Encoder:
    fingerprint = {"weights": "one"}

    def encode_images(self, pictures):
        time.sleep(0.2)
        keys = [np.asarray(p)[0, 0].astype(int) for p in pictures]
        return np.array([[256 * r + g, 60.0, at] for at, (r, g, _) in enumerate(keys)], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[len(t), 20.0, at] for at, t in enumerate(texts)], dtype=np.float32)

def one():
    return Encoder()
"""
Fault = Callable[[Any, Path, Path], None]


def embed(pictures: Path, store: Path, *, skip: bool = False) -> None:
    engine = RayEngine(ClusterSettings(workers=2))
    data = load_dataset(pictures)
    if skip:
        data, _ = readable_part(data, looked=engine.looked)
    encoder = engine.spread(load_encoder(SPEC), spec=SPEC, options={})
    settings = {"batch size": "32"}
    embed_to_store(encoder, data, store, shard_size=32, settings=settings, hashed=engine.hashed)


def begun(job: threading.Thread, store: Path) -> None:
    while not (store / "images-00001.safetensors").exists():
        assert job.is_alive()
        time.sleep(0.01)


def worker_killed(cluster: Any, pictures: Path, store: Path) -> None:
    job = threading.Thread(target=embed, args=(pictures, store))
    job.start()
    begun(job, store)
    titles = {path: (path / "cmdline").read_bytes() for path in Path("/proc").glob("[0-9]*")}
    workers = [path.name for path, title in titles.items() if b"MapWorker(Map(Encoding))" in title]
    os.kill(int(workers[0]), signal.SIGKILL)
    job.join()


def machine_lost(cluster: Any, pictures: Path, store: Path) -> None:
    job = threading.Thread(target=embed, args=(pictures, store))
    job.start()
    begun(job, store)
    cluster.remove_node(cluster.others.pop(), allow_graceful=False)
    cluster.others.append(cluster.add_node(num_cpus=2, object_store_memory=200 * 2**20))
    job.join()


def driver(stop: signal.Signals) -> Fault:
    def killed(cluster: Any, pictures: Path, store: Path) -> None:
        words = ["embed", "--model", SPEC, "--data", pictures, "--out", store, "--shard-size", "32"]
        words += ["--engine", "ray", "--address", cluster.address, "--workers", "2", "--no-probe"]
        command = [sys.executable, "-m", "clipeval", *map(str, words)]
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (store / "images-00001.safetensors").exists():
            assert job.poll() is None
            time.sleep(0.01)
        job.send_signal(stop)
        job.wait()

    return killed


def corrupt(cluster: Any, pictures: Path, store: Path) -> None:
    victim = pictures / f"{N // 2}.png"
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])
    try:
        embed(pictures, store)
        raise AssertionError("a broken picture was taken")
    except PictureError:
        victim.write_bytes(content)
        (store / "manifest.json").unlink()  # begun with another picture: it is another dataset
        for path in store.glob("*.safetensors"):
            path.unlink()


def corrupt_skipped(cluster: Any, pictures: Path, store: Path) -> None:
    victim = pictures / f"{N // 2}.png"
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) // 2])
    try:
        embed(pictures, store, skip=True)
        names = ids_of(store)
        assert sorted(names) == sorted(f"{row}.png" for row in range(N) if row != N // 2)
    finally:
        victim.write_bytes(content)
        for path in store.glob("*.*"):
            path.unlink()


def full_disk(cluster: Any, pictures: Path, store: Path) -> None:
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=36k", "none", str(store)], capture_output=True, check=False
        ).returncode
    )
    write = files.replace_whole
    if not mounted:

        def full(path: Path, parts: Any, **more: Any) -> None:
            if path.name == "images-00003.safetensors":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            write(path, parts, **more)

        files.replace_whole = full
    try:
        embed(pictures, store)
        raise AssertionError("the disk was not full")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        files.replace_whole = write
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=64m", str(store)], check=True)


def second_job(cluster: Any, pictures: Path, store: Path) -> None:
    job = threading.Thread(target=embed, args=(pictures, store))
    job.start()
    begun(job, store)
    try:
        embed(pictures, store)
        raise AssertionError("two jobs wrote one store")
    except NotAvailableError:
        job.join()


FAULTS: dict[str, Fault] = {
    "worker killed (SIGKILL)": worker_killed,
    "machine lost (raylet and its workers killed)": machine_lost,
    "driver killed (SIGKILL), started again": driver(signal.SIGKILL),
    "driver stopped (Ctrl-C), started again": driver(signal.SIGINT),
    "corrupt picture, fail; repaired, started again": corrupt,
    "corrupt picture, skip (its item listed, not counted as lost)": corrupt_skipped,
    "full disk, then room": full_disk,
    "second job on the store (refused)": second_job,
}


def ids_of(store: Path) -> list[str]:
    """All ids of pictures, from the shards themselves."""
    found: list[str] = []
    for path in sorted(store.glob("images-*.safetensors")):
        content = path.read_bytes()
        found += [key for keys in json.loads(content[content.rindex(b"[[") :]) for key in keys]
    return found


@contextmanager
def two_raylets() -> Iterator[Any]:
    ray = ray_library()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 2, "object_store_memory": 200 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.others = [cluster.add_node(num_cpus=2, object_store_memory=200 * 2**20)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def main(times: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        Path("mine_faults.py").write_text(ENCODER, encoding="utf-8")
        pictures = Path(home, "pictures")
        pictures.mkdir()
        rows = []
        for row in range(N):
            Image.new("RGB", (4, 4), (row // 256, row % 256, 0)).save(pictures / f"{row}.png")
            rows.append({"image": f"{row}.png", "captions": [f"number {row}"]})
        (pictures / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
        wanted = Counter(f"{row}.png" for row in range(N))
        print("| fault | times injected | items lost | items doubled | files as if nothing had happened |")
        print("|---|---|---|---|---|", flush=True)
        with two_raylets() as cluster:
            embed_to_store(
                load_encoder(SPEC),
                load_dataset(pictures),
                Path(home, "whole"),
                shard_size=32,
                settings={"batch size": "32"},
            )
            whole = {path.name: path.read_bytes() for path in Path(home, "whole").iterdir()}
            for fault, inject in FAULTS.items():
                if names and not any(name in fault for name in names):
                    continue
                lost = doubled = same = 0
                for time_ in range(times):
                    store = Path(home, f"store-{list(FAULTS).index(fault)}-{time_}")
                    store.mkdir()
                    if "corrupt" not in fault and "disk" not in fault:  # captions are there, pictures are not
                        for name in whole:
                            if not name.startswith("images"):
                                (store / name).write_bytes(whole[name])
                    inject(cluster, pictures, store)
                    embed(pictures, store)
                    found = Counter(ids_of(store))
                    lost += (wanted - found).total()
                    doubled += (found - wanted).total()
                    same += {path.name: path.read_bytes() for path in store.iterdir()} == whole
                    if store.is_mount():
                        subprocess.run(["umount", str(store)], check=True)
                print(f"| {fault} | {times} | {lost} | {doubled} | {same} of {times} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
