"""What is lost or doubled when something breaks: ``cluster_faults.py TIMES [--only FAULT] [--append FILE]``.

Every fault is injected so many times into a job on two raylets of this machine, as its pictures are being
encoded; the same command then goes on. Prints the table of docs/scaling.md; ``--only`` takes the faults with
that word in their name, and ``--append`` keeps the counts of all runs of one commit in a JSON file and prints
them together, with the number of runs. Needs ``clipeval[ray]``; a disk that is really full needs root (a
small tmpfs), else the writer's error is injected.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from clipeval.cluster import ClusterSettings, RayEngine
from clipeval.cluster.session import ray_library
from clipeval.data.load import load_dataset
from clipeval.encoders.load import load_encoder
from clipeval.errors import ClipevalError, NotAvailableError, PictureError
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
    try:
        embed(pictures, store)
        raise AssertionError("a store that was begun with another picture was taken")
    except ClipevalError as error:
        if "begun with another dataset" not in error.what:
            raise
        shutil.rmtree(store)  # as the error says: another folder, or this one anew


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
    "command killed (SIGKILL), started again": driver(signal.SIGKILL),
    "command stopped (Ctrl-C), started again": driver(signal.SIGINT),
    "corrupt picture, `fail`; repaired, begun again": corrupt,
    "corrupt picture, `skip` (its item listed, not counted as lost)": corrupt_skipped,
    "full disk (a tmpfs without room), then room": full_disk,
    "second job on the store, refused": second_job,
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


@dataclass
class Counts:
    """Of one fault: how often, and what came of it."""

    times: int = 0
    lost: int = 0
    doubled: int = 0
    same: int = 0

    def row(self, fault: str) -> str:
        return f"| {fault} | {self.times} | {self.lost} | {self.doubled} | {self.same} of {self.times} |"


class Record:
    """Counts of all runs of one commit, in a file if one is named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        there = json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}
        here = _commit()
        if there and there["commit"] != here:
            raise SystemExit(f"{path} counts runs of commit {there['commit']}, and this is {here}")
        self._commit, self._runs = here, there.get("runs", 0) + 1
        self._counts = {fault: Counts(**counts) for fault, counts in there.get("counts", {}).items()}

    def add(self, fault: str, **more: int) -> None:
        """Count one injection, at once: a run that breaks off later has made it all the same."""
        counts = self._counts.setdefault(fault, Counts())
        for name, n in {"times": 1, **more}.items():
            setattr(counts, name, getattr(counts, name) + n)
        if self._path:
            counted = {fault: asdict(one) for fault, one in self._counts.items()}
            content = {"commit": self._commit, "runs": self._runs, "counts": counted}
            self._path.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def told(self) -> str:
        """Give the table."""
        lines = [
            "| fault | times injected | items lost | items doubled | files as if nothing had happened |",
            "|---|---|---|---|---|",
            *(self._counts[fault].row(fault) for fault in FAULTS if fault in self._counts),
            f"commit {self._commit}, {self._runs} run(s) of this script together",
        ]
        return "\n".join(lines)


def _commit() -> str:
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def main(times: int, only: list[str], append: Path | None) -> None:
    record = Record(append)
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
                if only and not any(name in fault for name in only):
                    continue
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
                    record.add(
                        fault,
                        lost=(wanted - found).total(),
                        doubled=(found - wanted).total(),
                        same=int({path.name: path.read_bytes() for path in store.iterdir()} == whole),
                    )
                    if store.is_mount():
                        subprocess.run(["umount", str(store)], check=True)
    print(record.told())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("times", type=int)
    parser.add_argument("--only", action="append", default=[], metavar="FAULT")
    parser.add_argument("--append", type=Path, metavar="FILE")
    asked = parser.parse_args()
    main(asked.times, asked.only, asked.append and asked.append.resolve())
