"""Batches through the stages of a Ray Data pipeline, and back in the order in which they were given."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from clipeval.cluster.tasks import Encoding, Row, TowerRecipe, decoded
from clipeval.errors import NotAvailableError

WAVE = 2**14
"""Batches that a pipeline is given at once: the driver keeps their names and places in memory."""

ROWS_OF_A_BLOCK = 8
"""Batches that one task carries at most: with one each, handing them out bounds the whole cluster."""

BLOCKS_OF_A_PROCESS = 16
"""Blocks that each process is to have first, so that none is left waiting for long for another's last."""

RETRIES = 4
"""How often a batch, a picture's reading or a block of a ranking begins again where its process has died."""


def number_of_blocks(rows: int, *, processes: int) -> int:
    """Choose how many tasks carry the rows of a pipeline.

    Examples
    --------
    >>> number_of_blocks(20, processes=2), number_of_blocks(100, processes=2)
    (20, 32)
    >>> number_of_blocks(16384, processes=2)
    2048
    """
    return max(-(-rows // ROWS_OF_A_BLOCK), min(rows, BLOCKS_OF_A_PROCESS * processes))


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


@contextmanager
def given_up(what: str, where: Callable[[], str]) -> Iterator[None]:
    """Say in three parts what the cluster has given up, as it does where one process after the other dies.

    Parameters
    ----------
    what : str
        What could not be done.
    where : callable
        Asked where it was, then.

    Raises
    ------
    NotAvailableError
        In the place of an error of Ray.
    """
    from ray import exceptions

    died = (
        exceptions.RayActorError,
        exceptions.ActorUnavailableError,
        exceptions.WorkerCrashedError,
        exceptions.OutOfMemoryError,
    )
    try:
        yield
    except exceptions.RayError as error:
        words = (str(error).splitlines() or [""])[0][:200]
        often = f", {RETRIES + 1} times its process died" if isinstance(error, died) else ""
        raise NotAvailableError(
            f"{what}{often}",
            where=f"{where()}; {type(error).__name__}: {words}",
            fix="more memory for its processes (smaller batches, fewer workers on a machine); with --engine "
            "local the same input shows what it does to a process",
        ) from error


def encoded(
    batches: Iterable[tuple[Sequence[str], Any] | None],
    recipe: TowerRecipe,
    *,
    workers: Callable[[int], int],
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
        Told how many batches are given at once, whenever new workers are to be started for some; gives how
        many.
    cpus, gpus
        Of a worker.

    Yields
    ------
    Row or None
        In order.
    """
    stream = enumerate(batches)
    while wave := list(islice(stream, WAVE)):
        rows = [
            {"number": number, "ids": list(batch[0]), "content": pickle.dumps(batch[1], protocol=5)}
            for number, batch in wave
            if batch is not None
        ]
        found = _through(rows, recipe, workers=workers(len(rows)), cpus=cpus, gpus=gpus) if rows else iter(())
        for number, batch in wave:
            if batch is None:
                yield None
                continue
            with given_up("a batch could not be encoded", partial(_from, recipe.side, number, batch[0])):
                row = next(found)
            if row["number"] != number or list(row["ids"]) != list(batch[0]):
                raise RuntimeError(f"batch {number} came back as batch {row['number']}")
            yield row


def _from(side: str, number: int, ids: Sequence[str]) -> str:
    # batches are under way together, and the first that is missed need not be the one that broke
    return f"{side}, batch {number}, from item '{ids[0]}' on, or one of the next"


def _through(rows: list[Row], recipe: TowerRecipe, *, workers: int, cpus: int, gpus: float) -> Iterator[Row]:
    with quiet_and_ordered():
        yield from rows_of(pipeline(rows, recipe, workers=workers, cpus=cpus, gpus=gpus))


def pipeline(rows: list[Row], recipe: TowerRecipe, *, workers: int, cpus: int, gpus: float) -> Any:
    """Lay the stages out: a task decodes batches of pictures, an actor encodes them.

    Parameters
    ----------
    rows : list of Row
        With ``number``, ``ids`` and ``content``.
    recipe : TowerRecipe
    workers, cpus, gpus
        How many actors, no more than rows; and what each takes.

    Returns
    -------
    ray.data.Dataset
        Nothing runs before its rows are asked for.
    """
    import ray.data

    blank = {"failure": b"", "item": "", "machine": "", "decode_s": 0.0, "forward_s": 0.0, "loading_s": 0.0}
    data = carried([{**row, **blank} for row in rows], processes=workers)
    with bounded_retries():
        if recipe.side == "images":
            data = data.map(decoded, num_cpus=1, max_retries=RETRIES)
        return data.map(
            Encoding,
            fn_constructor_args=(recipe,),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=cpus,
            num_gpus=gpus or None,
            # as many threads as cores, whatever the machine: their number can move last bits. Stages that ask
            # for different things are not fused, so that decoding stays a stage of its own
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(cpus)}},
            # workers that die are replaced, however many; a batch that kills each of them is given up
            max_task_retries=RETRIES,
        )


def carried(rows: list[Row], *, processes: int) -> Any:
    """Make a ``ray.data.Dataset`` of rows, for as many tasks as `number_of_blocks` chooses."""
    import ray.data

    return ray.data.from_items(rows, override_num_blocks=number_of_blocks(len(rows), processes=processes))


def rows_of(data: Any) -> Iterator[Row]:
    """Give the rows of a ``ray.data.Dataset`` as each block of them comes.

    Its own ``iter_rows`` gives a block only when the next one is there as well: a shard that could be on the
    disk is then lost with the command.
    """
    for table in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from table.to_pylist()


@contextmanager
def bounded_retries() -> Iterator[None]:
    """Let Ray Data be told a number of retries without a warning; without it, it tries for ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # gone in Ray 2.64, so ours is an older one
        yield
