"""Pieces of a ranking, done by the tasks of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from clipeval.cluster.session import machines
from clipeval.cluster.settings import cores
from clipeval.cluster.stream import RETRIES, given_up
from clipeval.core.blockwise import BLOCK_ROWS, RowSource, rank_in_blocks
from clipeval.core.positives import PositivesLike
from clipeval.core.ranks import Ranks
from clipeval.core.ties import TieRule
from clipeval.data.dataset import Dataset
from clipeval.encoders.store_rows import MappedRows, open_store
from clipeval.errors import ClipevalError, EncoderError

LEAST_ROWS = 512
"""Of a block: smaller ones cost more to send than to count."""


class RayWorkers:
    """Tasks of the cluster that this process is connected to; see `clipeval.core.blockwise.Workers`."""

    def __init__(self) -> None:
        self.cores = cores(machines())

    def share(self, value: Any) -> Any:
        """Put a value where all tasks find it."""
        import ray

        return ray.put(value)

    def run(self, work: Callable[..., Any], pieces: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Run tasks, a few more than there are cores at a time; those whose process dies run again."""
        import ray

        task = ray.remote(num_cpus=1, max_retries=RETRIES)(work)
        waiting = enumerate(pieces)
        number_of = {task.remote(*piece): number for number, piece in islice(waiting, 2 * self.cores)}
        try:
            while number_of:
                (ready,), _ = ray.wait(list(number_of), num_returns=1)
                number = number_of.pop(ready)
                with given_up("a block could not be ranked", partial("block {}".format, number)):
                    found = _result(ready)
                yield number, found
                number_of |= {task.remote(*piece): at for at, piece in islice(waiting, 1)}
        finally:
            for left in number_of:
                ray.cancel(left, force=True)  # a product of matrices hears no interrupt, and holds its core


def _result(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ClipevalError):
            raise error.cause from None
        raise


def rank_on_cluster(
    images: RowSource,
    texts: RowSource,
    image_of_caption: PositivesLike | None = None,
    *,
    ties: TieRule = "expected",
    **more: Any,
) -> Ranks:
    """Rank with the tasks of a cluster: `clipeval.core.blockwise.rank_in_blocks`.

    Parameters
    ----------
    images, texts : RowSource
    image_of_caption, ties, more
        As there; ``block_rows`` is chosen so that every core has a block, if it is not given.

    Returns
    -------
    Ranks
        Those of `clipeval.rank_retrieval`, to the last integer.
    """
    workers = RayWorkers()
    rows = -(-max(len(images), len(texts)) // workers.cores)
    more.setdefault("block_rows", min(BLOCK_ROWS, max(LEAST_ROWS, rows)))
    return rank_in_blocks(images, texts, image_of_caption, ties=ties, workers=workers, **more)


def rank_store(folder: Path, dataset: Dataset, **more: Any) -> Ranks:
    """Rank a finished store, whose rows are never all in one memory.

    Parameters
    ----------
    folder : Path
        Which all machines of the cluster reach under this name.
    dataset : Dataset
        What it was made from, or a part of it.
    more
        As for `rank_on_cluster`.

    Returns
    -------
    Ranks

    Raises
    ------
    EncoderError
        The store lacks an item of the dataset, or is damaged.
    NotAvailableError
        It is not there, or not finished.
    """
    store = open_store(Path(folder).resolve())
    sides = []
    for modality, keys in (("images", dataset.ids), ("texts", dataset.caption_ids)):
        rows, ids = store.read(modality)  # type: ignore[arg-type]
        sides.append(_in_order(rows, ids, keys, where=f"{folder}, {modality}"))
    return rank_on_cluster(sides[0], sides[1], dataset.image_of_caption, **more)


def _in_order(rows: MappedRows, ids: tuple[str, ...], keys: tuple[str, ...], *, where: str) -> MappedRows:
    row_of = {key: row for row, key in enumerate(ids)}
    absent = next((key for key in keys if key not in row_of), None)
    if absent is not None:
        raise EncoderError(f"the store has no row of '{absent}'", where=where, fix="embed it with --append")
    return rows.part(np.fromiter((row_of[key] for key in keys), np.int64, len(keys)))
