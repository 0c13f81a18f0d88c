"""Pictures that the tasks of a cluster read: for their hashes, or to see whether they can be decoded."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from clipeval.cluster.session import machines
from clipeval.cluster.settings import cores
from clipeval.cluster.stream import (
    RETRIES,
    WAVE,
    bounded_retries,
    carried,
    given_up,
    quiet_and_ordered,
    rows_of,
)
from clipeval.cluster.tasks import Row
from clipeval.data.content import picture_hash
from clipeval.data.dataset import Dataset, Item
from clipeval.errors import ClipevalError
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.readable import why_not

AT_ONCE = 64
"""Pictures of a row: what a task asks for, and answers, one after the other."""


def hashed_on_cluster(dataset: Dataset, progress: Progress | None = None) -> list[str]:
    """Hash the picture of every item: `clipeval.data.content.item_hashes`.

    Raises
    ------
    PictureError
        The first, in the dataset's order, that cannot be read.
    """
    hashes: list[str] = []
    for answers in _asked(dataset, _hashes):
        hashes += answers
        if progress:
            progress("reading", len(hashes), dataset.n_images)
    return hashes


def looked_on_cluster(dataset: Dataset) -> Iterator[str]:
    """Say for each item why its picture cannot be decoded; see `clipeval.evaluation.readable`."""
    for answers in _asked(dataset, why_not):
        yield from answers


def _hashes(items: Sequence[Item]) -> list[str]:
    return [picture_hash(item) for item in items]


def _asked(dataset: Dataset, work: Callable[[Sequence[Item]], list[str]]) -> Iterator[list[str]]:
    processes = cores(machines())
    for wave in range(0, dataset.n_images, WAVE * AT_ONCE):
        items = dataset.items[wave : wave + WAVE * AT_ONCE]
        starts = range(0, len(items), AT_ONCE)
        # without captions and categories: a picture's place is all that a task needs
        rows = [
            {"content": pickle.dumps([_bare(item) for item in items[at : at + AT_ONCE]])} for at in starts
        ]
        with (
            quiet_and_ordered(),
            bounded_retries(),
            given_up("pictures could not be read", partial("from item '{}' on".format, items[0].id)),
        ):
            data = carried(rows, processes=processes).map(
                _answered, fn_kwargs={"work": work}, num_cpus=1, max_retries=RETRIES
            )
            for row in rows_of(data):
                answer: Any = pickle.loads(row["content"])  # noqa: S301  (made by our own tasks)
                if isinstance(answer, Exception):
                    raise answer
                yield answer


def _bare(item: Item) -> Item:
    return Item(item.id, (), item.picture)


def _answered(row: Row, work: Callable[[Sequence[Item]], list[str]]) -> Row:
    try:
        answer: Any = work(pickle.loads(row["content"]))  # noqa: S301  (made by the driver)
    except ClipevalError as error:
        answer = error
    return {"content": pickle.dumps(answer)}
