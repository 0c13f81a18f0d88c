"""Jobs on a store that die by SIGKILL: run as a script, prints one JSON line for each job.

``python killed_jobs.py FOLDER fill|append encode|rename|write|time``. Every job runs in a forked process, so
a kill is a real one: no exception handler, no ``finally`` and no buffer is left to help.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
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
KINDS = ("item", "new")
# how often each kind of event happens in a job that is not stopped: one more kills nobody
EVENTS = {
    "fill": {"encode": 6, "rename": 28, "write": 30},
    "append": {"encode": 5, "rename": 14, "write": 21},
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dataset() -> Dataset:
    """100 distinct pictures in 4 shards of at most 32, 300 distinct captions in 2 of at most 256."""
    return Dataset("killed", tuple(item("item", n) for n in range(100)))


def grown() -> Dataset:
    """These among 100 others: 90 new pictures (3 shards) and 280 new captions (2), the rest is there."""
    items = []
    for n, old in enumerate(dataset().items):
        new = item("new", n)
        if n >= 90:
            new = Item(f"twin{n}", (old.captions[0], f"another caption of {n}"), old.picture)
        items += [new, old] if n % 3 else [old, new]
    return Dataset("grown", tuple(items))


def item(kind: str, n: int) -> Item:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (n, KINDS.index(kind), 2)).save(file, "PNG")
    captions = tuple(f"{kind if kind == 'new' else 'caption'} {k} of {n}" for k in range(3))
    return Item(f"{kind}{n}", captions, PictureSource(f"{kind}{n}", file.getvalue))


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
        return self._rows(
            [f"{KINDS[g]}{r}" for r, g, _ in (picture.getpixel((0, 0)) for picture in pictures)]
        )

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


def job(store: Path, log: Path, what: str, point: str = "", count: int = -1, pause: float = 0.0) -> None:
    """Fill the store or append to it, dying at the count-th event of a kind (from 0), if it comes to that."""
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
    if what == "append":
        embed_to_store(encoder, grown(), store, append=True)
    else:
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
    captions = dict(zip((data := grown()).caption_ids, data.captions, strict=True))
    found = set()
    for name in shards:
        content = (store / name).read_bytes()
        for keys in json.loads(content[content.rindex(b"[[") :]):
            found |= {captions.get(key, key) for key in keys}
    return found


def reads_wrong(store: Path, reference: Path, before: Path | None) -> bool:
    """Whether what a killed job left is served as what it is not: a part as whole, or other rows."""
    if not (store / "manifest.json").exists():
        return False
    try:
        encoder = load_encoder(f"frozen:{store}")
    except NotAvailableError:
        return before is not None  # a store that was finished must go on being one
    if before is None or files(store) == files(reference):
        return files(store) != files(reference)
    old, there = dataset(), load_encoder(f"frozen:{before}")
    return (
        encoder.play_images(old.ids).tobytes() != there.play_images(old.ids).tobytes()
        or encoder.play_texts(old.caption_ids).tobytes() != there.play_texts(old.caption_ids).tobytes()
        or any(files(store)[name] != content for name, content in files(before).items())
    )


def one(
    folder: Path,
    reference: Path,
    before: Path | None,
    kills: list[tuple[str, int]],
    delay: random.Random,
) -> dict[str, Any]:
    """Kill jobs one after the other, let a last one finish, and say how that went."""
    store, log = folder / "store", folder / "log"
    folder.mkdir()
    if before:
        shutil.copytree(before, store)
    what = "append" if before else "fill"
    killed, again, wrong = 0, set(), False
    log.touch()
    for point, count in [*kills, ("", -1)]:
        there = {path.name for path in store.glob("*.safetensors")} if store.exists() else set()
        done = inputs_of({name for name in there if not name.startswith("items")}, reference)
        log.write_text("", encoding="utf-8")
        if point == "time":
            ended = forked(lambda: job(store, log, what, pause=0.003), kill_after=delay.uniform(0.0, 0.08))
        else:
            ended = forked(lambda p=point, c=count: job(store, log, what, p, c))  # type: ignore[misc]
        killed += not ended
        seen = log.read_text(encoding="utf-8").splitlines()
        again |= (done & set(seen)) | {key for key in seen if seen.count(key) > 1}
        if not ended:
            wrong |= reads_wrong(store, reference, before)
    return {
        "kills": kills,
        "killed": killed,
        "again": sorted(again),
        "reads_wrong": wrong,
        "same_bytes": files(store) == files(reference),
    }


def tell(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main(folder: Path, what: str, point: str) -> None:
    reference, log = folder / "reference", folder / "reference.log"
    forked(lambda: job(reference, log, "fill"))
    before = None
    if what == "append":
        before = folder / "before"
        shutil.copytree(reference, before)
        log.unlink()
        forked(lambda: job(reference, log, "append"))
    events = EVENTS[what].get(point, 0)
    tell({"inputs": len(log.read_text(encoding="utf-8").splitlines()), "events": events})
    rng = random.Random(0)  # noqa: S311
    if point == "time":
        plans = [[("time", 0)] * 4 for _ in range(6)]
    else:
        plans = [[(point, count)] for count in range(events + 1)]
        plans += [[(point, rng.randrange(6)) for _ in range(4)] for _ in range(4)]
    for number, kills in enumerate(plans):
        tell(one(folder / f"job{number}", reference, before, kills, rng))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
