"""How large the blocks are, and how many threads work on them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from clipeval.core.ranked_rows import Runner
from clipeval.errors import InvalidInputError

BLOCK_BYTES = 64 * 2**20
"""Default memory of a pass over all pairs."""

# of a block at most: 4 MiB of scores are multiplied as fast as any number, and counted before they leave the
# cache; whole eights, which count_true sums, and no power of two, whose rows would share cache lines
_ROWS, _COLUMNS = 1016, 1016
_ENTRY_BYTES = 8  # of a block: its score, two masks, and what is picked out of it
_WORTH_THREADS = 2**28  # multiplications that take longer than starting threads does


@dataclass(frozen=True)
class Budget:
    """The shape of the work.

    Attributes
    ----------
    rows, columns : int
        Of a block of scores.
    hold : bool
        All unit rows fit into the budget and are kept.
    superblock : int
        Columns whose unit rows are held at a time where not all are.
    workers : int
        Threads.
    """

    rows: int
    columns: int
    hold: bool
    superblock: int
    workers: int


def plan(n_left: int, n_right: int, width: int, *, block_bytes: int) -> Budget:
    """Fit blocks and threads to the inputs and the memory.

    Parameters
    ----------
    n_left, n_right, width : int
        Sizes of the two sides.
    block_bytes : int
        Memory to use beside the inputs and the result, roughly.

    Returns
    -------
    Budget

    Raises
    ------
    InvalidInputError
        `block_bytes` is not a positive whole number.

    Examples
    --------
    >>> plan(5000, 25000, 512, block_bytes=2**26).hold, plan(10**6, 10**6, 512, block_bytes=2**26).hold
    (True, False)
    """
    if isinstance(block_bytes, bool) or not isinstance(block_bytes, int | np.integer) or block_bytes < 1:
        raise InvalidInputError(
            f"block_bytes is {block_bytes!r}", fix="pass a whole number of bytes, 1 or more"
        )
    block_bytes = int(block_bytes)  # a numpy number of 32 bits would overflow below
    workers = blas_threads() if n_left * n_right * width >= _WORTH_THREADS else 1
    workers = max(1, min(workers, n_left // (_ROWS // 4)))
    entries = max(1, block_bytes // (2 * _ENTRY_BYTES * workers))
    rows = max(1, min(_ROWS, isqrt(entries)))
    turns = -(-n_left // (rows * workers))  # as many panels for each worker
    rows = max(1, -(-n_left // max(1, turns * workers)))
    columns = max(1, min(_COLUMNS, entries // rows))
    columns -= columns % 8 if columns > 8 else 0
    superblock = max(columns, block_bytes // (8 * width) // columns * columns)
    return Budget(rows, columns, 4 * width * (n_left + n_right) <= block_bytes, superblock, workers)


def blas_threads() -> int:
    """Threads that the BLAS library would use now, so that a limit set from outside holds for ours too."""
    from threadpoolctl import threadpool_info

    with _ONE_LIMIT.lock:
        if _ONE_LIMIT.users:
            return _ONE_LIMIT.before
        found = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return min(max(found, default=1), os.cpu_count() or 1)


class _BlasLimit:
    """One BLAS thread while anyone is inside.

    The limit belongs to the process: were each run to put back what it found, the last of several in threads
    of the caller would put back the limit of another one, for good.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before = 1
        self._limits: Any = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the limit while this lasts."""
        from threadpoolctl import threadpool_limits

        before = blas_threads()
        with self.lock:
            if not self.users:
                self.before, self._limits = before, threadpool_limits(1, user_api="blas")
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if not self.users:
                    self._limits.restore_original_limits()


_ONE_LIMIT = _BlasLimit()
if hasattr(os, "register_at_fork"):  # the threads that hold the limit do not live on in a child
    os.register_at_fork(after_in_child=_ONE_LIMIT.__init__)  # type: ignore[misc]


@contextmanager
def threads(workers: int) -> Iterator[Runner]:
    """Give a ``map`` over so many threads, each of which multiplies on its own.

    While it lasts the BLAS library starts no threads itself: two threads that multiply and count in turn
    keep two cores busier than one that does both with a product spread over two.
    """
    if workers == 1:
        yield map
        return
    with _ONE_LIMIT.held(), ThreadPoolExecutor(workers) as pool:
        yield pool.map
