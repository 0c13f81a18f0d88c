"""Jobs on a store that die by SIGKILL: run as a script, prints one JSON line for each job.

``python killed_jobs.py FOLDER encode|rename|write|time``. Every job runs in a forked process, so a kill is a
real one: no exception handler, no ``finally`` and no buffer is left to help.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipeval import load_encoder
from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.encoders.base import JointEncoder
from clipeval.errors import NotAvailableError
from clipeval.evaluation.store import embed_to_store

Tick = Callable[[], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dataset() -> Dataset:
    """100 distinct pictures in 4 shards of at most 32, 300 distinct captions in 2 of at most 256."""
    items = []
    for n in range(100):
        file = io.BytesIO()
        Image.new("RGB", (4, 4), (n, 1, 2)).save(file, "PNG")
        captions = tuple(f"caption {k} of {n}" for k in range(3))
        items.append(Item(f"item{n}", captions, PictureSource(f"{n}", file.getvalue)))
    return Dataset("killed", tuple(items))


class Logging(JointEncoder):
    """Writes down what it is asked, in a file that outlives it."""

    name = "logging"
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def __init__(self, log: Path, tick: Tick, pause: float = 0.0) -> None:
        self._log, self._tick, self._pause = log, tick, pause

    def _rows(self, keys: Sequence[str]) -> np.ndarray:
        self._tick()
        time.sleep(self._pause)
        with self._log.open("a", encoding="utf-8") as stream:
            stream.writelines(f"{key}\n" for key in keys)
        seeds = [int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little") for key in keys]
        rows = np.array([[seed % p for p in (7, 11, 13, 17)] for seed in seeds], dtype=np.float32)
        return rows + np.float32(1e-3) * np.arange(len(keys), dtype=np.float32)[:, None]

    def encode_images(self, pictures: Sequence[Any]) -> np.ndarray:
        return self._rows([f"item{picture.getpixel((0, 0))[0]}" for picture in pictures])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._rows(texts)


def countdown(count: int) -> Tick:
    left = [count]

    def tick() -> None:
        if left[0] == 0:
            die()
        left[0] -= 1

    return tick


def nothing() -> None:
    return


def job(store: Path, log: Path, point: str = "", count: int = -1, pause: float = 0.0) -> None:
    """Fill the store, dying at the count-th event of a kind (from 0), if it comes to that."""
    tick = countdown(count)
    if point == "rename":
        rename = Path.replace

        def before_and_after(self: Path, target: Path) -> Path:
            tick()
            moved = rename(self, target)
            tick()
            return moved

        Path.replace = before_and_after  # type: ignore[method-assign]
    if point == "write":
        opened = Path.open

        def watched(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
            stream = opened(self, mode, *rest, **more)
            if mode == "wb":
                write = stream.write

                def half(data: bytes) -> int:
                    write(data[: len(data) // 2])
                    stream.flush()
                    tick()
                    write(data[len(data) // 2 :])
                    return len(data)

                return Watched(stream, half)
            return stream

        Path.open = watched  # type: ignore[method-assign]
    encoder = Logging(log, tick if point == "encode" else nothing, pause)
    embed_to_store(encoder, dataset(), store, shard_size=32)


class Watched:
    def __init__(self, stream: Any, write: Callable[[bytes], int]) -> None:
        self._stream, self.write = stream, write

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def forked(run: Callable[[], None], *, kill_after: float | None = None) -> bool:
    """Run in a process of its own; whether it came to its end rather than being killed."""
    child = os.fork()
    if child == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"the job failed: {error!r}\n")
            sys.stderr.flush()
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


def files(store: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex() for path in store.iterdir()}


def inputs_of(shards: set[str], store: Path) -> set[str]:
    """What the shards' rows were made from, by the ids in a finished store."""
    captions = dict(zip((data := dataset()).caption_ids, data.captions, strict=True))
    found = set()
    for name in shards:
        content = (store / name).read_bytes()
        for keys in json.loads(content[content.rindex(b"[[") :]):
            found |= {captions.get(key, key) for key in keys}
    return found


def one(
    folder: Path, reference: Path, kills: list[tuple[str, int]], delay: random.Random | None
) -> dict[str, Any]:
    """Kill jobs one after the other, let a last one finish, and say how that went."""
    store, log = folder / "store", folder / "log"
    folder.mkdir()
    killed, again, read_a_part = 0, set(), False
    log.touch()
    for point, count in [*kills, ("", -1)]:
        there = {path.name for path in store.glob("*.safetensors")} if store.exists() else set()
        done = inputs_of(there, reference)
        log.write_text("", encoding="utf-8")
        if point == "time":
            ended = forked(lambda: job(store, log, pause=0.003), kill_after=delay.uniform(0.0, 0.08))
        else:
            ended = forked(lambda p=point, c=count: job(store, log, p, c))  # type: ignore[misc]
        killed += not ended
        seen = log.read_text(encoding="utf-8").splitlines()
        again |= (done & set(seen)) | {key for key in seen if seen.count(key) > 1}
        if not ended and (store / "manifest.json").exists():
            try:
                load_encoder(f"frozen:{store}")
                read_a_part |= files(store) != files(reference)
            except NotAvailableError:
                pass
    return {
        "kills": kills,
        "killed": killed,
        "again": sorted(again),
        "read_a_part": read_a_part,
        "same_bytes": files(store) == files(reference),
    }


def tell(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main(folder: Path, point: str) -> None:
    reference = folder / "reference"
    forked(lambda: job(reference, folder / "reference.log"))
    inputs = (folder / "reference.log").read_text(encoding="utf-8").splitlines()
    tell({"inputs": len(inputs)})
    rng = random.Random(0)  # noqa: S311
    if point == "time":
        plans = [[("time", 0)] * 4 for _ in range(6)]
    else:
        plans = [[(point, count)] for count in range({"encode": 6, "rename": 26, "write": 25}[point])]
        plans += [[(point, rng.randrange(6)) for _ in range(4)] for _ in range(4)]
    for number, kills in enumerate(plans):
        tell(one(folder / f"job{number}", reference, kills, rng))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
