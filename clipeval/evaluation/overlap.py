"""Pictures on their way to a network: read, decoded and prepared in threads, row by row in their order.

Threads, not processes: reading, hashing, decoding and resizing all let go of Python's lock, and nothing has
to be copied between processes. Where the network itself keeps all cores busy, work beside it would only slow
it down (its threads wait for one another): there the pictures of a batch are prepared on all cores before the
network runs, and nothing else runs beside it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PIL.Image import Image

from clipeval.data.dataset import PictureSource
from clipeval.data.pictures import read_picture
from clipeval.encoders.base import ImageTower, Rows
from clipeval.encoders.staging import ImageStage, stage_of
from clipeval.errors import InvalidInputError

T = TypeVar("T")

MOST_WORKERS = 32
"""Each holds one decoded picture, and a network that eats what 32 cores decode has not been seen."""

AHEAD = 2
"""Batches that are prepared while one is in the network, where cores are idle meanwhile."""


@dataclass(frozen=True)
class Plan:
    """How many threads prepare pictures, and how far ahead of the network.

    Attributes
    ----------
    workers : int
    ahead : int
        Batches that are prepared while another one is in the network; 0: none, preparation has the cores to
        itself.
    """

    workers: int
    ahead: int


def plan_for(stage: ImageStage, *, cores: int | None = None, workers: int | None = None) -> Plan:
    """Choose threads by the cores that the network leaves idle.

    Parameters
    ----------
    stage : ImageStage
        Says how many cores its network keeps busy.
    cores : int, optional
        That this process may use; by default the system is asked.
    workers : int, optional
        As many as this, whatever the cores; at least 1.

    Returns
    -------
    Plan

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> plan_for(SimpleNamespace(cores=2), cores=2)  # a network on both cores
    Plan(workers=2, ahead=0)
    >>> plan_for(SimpleNamespace(cores=1), cores=16)  # a GPU
    Plan(workers=15, ahead=2)
    """
    here = usable_cores() if cores is None else cores
    idle = here - (here if stage.cores is None else stage.cores)
    if workers is not None and workers < 1:
        raise InvalidInputError(f"{workers} threads cannot prepare pictures", fix="at least 1")
    threads = workers or min(idle if idle > 0 else here, MOST_WORKERS)
    return Plan(threads, AHEAD if idle > 0 else 0)


def usable_cores() -> int:
    """Count the processor cores that this process may use.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):  # a container or taskset may allow fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def encode_pictures(
    tower: ImageTower, batches: Iterable[Sequence[PictureSource]], *, workers: int | None = None
) -> Generator[Rows, None, None]:
    """Encode batches of picture files; files are decoded and prepared while the network is busy elsewhere.

    Parameters
    ----------
    tower : ImageTower
        Of an encoder: ``load_encoder(...).image_tower``.
    batches : iterable of sequences of PictureSource
        Pulled when their turn comes, at most three of them at a time: no more pictures are in memory. The
        tower cuts each into its own batch size.
    workers : int, optional
        Threads; by default as many as there are cores to spare. They change no bit of any row.

    Yields
    ------
    ndarray of float32, shape (n, d)
        The rows of each batch, in order: those of ``tower.encode_images`` on its pictures, to the bit.

    Raises
    ------
    PictureError
        The first picture, in the order given, that cannot be decoded.
    EncoderError
        The tower refuses a batch.

    Notes
    -----
    However the generator ends (all rows, an error, Ctrl-C, ``close()``), its threads have ended then.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.data import load_dataset
    >>> class MeanColour:
    ...     fingerprint = {}
    ...     def encode_images(self, pictures):
    ...         return np.array([np.asarray(p).mean((0, 1)) for p in pictures], dtype=np.float32)
    >>> sources = [item.picture for item in load_dataset("embedded").items]
    >>> [rows.shape for rows in encode_pictures(MeanColour(), [sources[:16], sources[16:]])]
    [(16, 3), (4, 3)]
    """
    with closing(encoded_in_order(tower, batches, read_picture, workers=workers)) as encoded:
        for rows in encoded:
            if rows is not None:
                yield rows


def encoded_in_order(
    tower: ImageTower,
    batches: Iterable[Sequence[T] | None],
    read: Callable[[T], Image],
    *,
    workers: int | None = None,
) -> Generator[Rows | None, None, None]:
    """Encode batches of whatever ``read`` turns into pictures; see `encode_pictures`.

    Parameters
    ----------
    tower : ImageTower
        Its network is loaded when the first batch must be encoded.
    batches : iterable of sequences, or None
        None keeps its turn and is given back: rows that somebody has already.
    read : callable
        From an input to a decoded RGB picture; called in other threads.
    workers : int, optional
        Threads.

    Yields
    ------
    ndarray of float32, shape (n, d), or None
    """
    line: _Line[T] | None = None
    waiting: deque[_Batch | None] = deque()
    try:
        for inputs in batches:
            if inputs is None:
                waiting.append(None)
            else:
                line = line or _Line(stage_of(tower), read, workers=workers)
                waiting.append(line.begin(inputs))
            while len(waiting) > (line.ahead if line else 0):
                yield _rows(line, waiting.popleft())
        while waiting:
            yield _rows(line, waiting.popleft())
    finally:
        if line:
            line.end()


@dataclass(frozen=True, eq=False)
class _Batch:
    room: Any
    prepared: list[Future[None]]


def _rows(line: _Line[Any] | None, batch: _Batch | None) -> Rows | None:
    return line.finish(batch) if line and batch else None


class _Line(Generic[T]):
    """Threads that fill rooms, and the rooms that are free."""

    def __init__(self, stage: ImageStage, read: Callable[[T], Image], *, workers: int | None) -> None:
        plan = plan_for(stage, workers=workers)
        self.ahead = plan.ahead
        self._stage = stage
        self._read = read
        self._free: dict[int, list[Any]] = {}
        self._threads = ThreadPoolExecutor(plan.workers, thread_name_prefix="clipeval-pictures")

    def begin(self, inputs: Sequence[T]) -> _Batch:
        free = self._free.get(len(inputs))
        room = free.pop() if free else self._stage.room(len(inputs))

        def prepare(at: int) -> None:
            self._stage.put(room, at, self._read(inputs[at]))

        return _Batch(room, [self._threads.submit(prepare, at) for at in range(len(inputs))])

    def finish(self, batch: _Batch) -> Rows:
        for one in batch.prepared:  # in order, so that the first bad picture is the one that is named
            one.result()
        rows = self._stage.rows(batch.room, len(batch.prepared))
        self._free.setdefault(len(batch.prepared), []).append(batch.room)
        return rows

    def end(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
