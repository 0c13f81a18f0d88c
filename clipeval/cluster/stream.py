"""Batches through the stages of a Ray Data pipeline, and back in the order in which they were given."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from clipeval.cluster.tasks import Encoding, Row, TowerRecipe, decoded

WAVE = 2**14
"""Batches that a pipeline is given at once: the driver keeps their names and places in memory."""


@contextmanager
def quiet_and_ordered() -> Iterator[None]:
    """Let Ray Data give blocks back in order, whoever is first, and print nothing of its own."""
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    with DataContext.current(context):
        yield


def encoded(
    batches: Iterable[tuple[Sequence[str], Any] | None],
    recipe: TowerRecipe,
    *,
    workers: Callable[[], int],
    cpus: int,
    gpus: float,
) -> Iterator[Row | None]:
    """Encode batches in other processes.

    Parameters
    ----------
    batches : iterable of (ids, content), or None
        None keeps its turn.
    recipe : TowerRecipe
        Of pictures: ``content`` is a list of `NamedPicture`; of texts: a list of str.
    workers : callable
        Asked when there is something to encode.
    cpus, gpus
        Of a worker.

    Yields
    ------
    Row or None
        In order.
    """
    stream = iter(batches)
    while wave := list(islice(stream, WAVE)):
        rows = [
            {"number": number, "ids": list(batch[0]), "content": pickle.dumps(batch[1], protocol=5)}
            for number, batch in enumerate(wave)
            if batch is not None
        ]
        found = _through(rows, recipe, workers=workers(), cpus=cpus, gpus=gpus) if rows else iter(())
        for number, batch in enumerate(wave):
            if batch is None:
                yield None
                continue
            row = next(found)
            if row["number"] != number or list(row["ids"]) != list(batch[0]):
                raise RuntimeError(f"batch {number} came back as batch {row['number']}")
            yield row


def _through(rows: list[Row], recipe: TowerRecipe, *, workers: int, cpus: int, gpus: float) -> Iterator[Row]:
    with quiet_and_ordered():
        yield from pipeline(rows, recipe, workers=workers, cpus=cpus, gpus=gpus).iter_rows()


def pipeline(rows: list[Row], recipe: TowerRecipe, *, workers: int, cpus: int, gpus: float) -> Any:
    """Lay the stages out: a task decodes a batch of pictures, an actor encodes it.

    Parameters
    ----------
    rows : list of Row
        With ``number``, ``ids`` and ``content``.
    recipe : TowerRecipe
    workers, cpus, gpus
        How many actors, and what each takes.

    Returns
    -------
    ray.data.Dataset
        Nothing runs before its rows are asked for.
    """
    import ray.data

    blank = {"failure": b"", "item": "", "machine": "", "decode_s": 0.0, "forward_s": 0.0, "loading_s": 0.0}
    data = ray.data.from_items([{**row, **blank} for row in rows], override_num_blocks=len(rows))
    if recipe.side == "images":
        data = data.map(decoded, num_cpus=1)
    return data.map(
        Encoding,
        fn_constructor_args=(recipe,),
        compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
        num_cpus=cpus,
        num_gpus=gpus or None,
        # as many threads as cores, whatever the machine: their number can move last bits. Stages that ask for
        # different things are not fused, so that decoding stays a stage of its own
        runtime_env={"env_vars": {"OMP_NUM_THREADS": str(cpus)}},
    )
