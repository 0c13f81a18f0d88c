"""In which order pairs are seen, and the seeds of a step: functions of the run's seed and the step alone.

Nothing is drawn from a stream that would have to be saved: a run that goes on from a checkpoint finds its
order and its dropout masks by the number of the epoch and of the step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def epoch_batches(image_of_text: Integers, *, batch_size: int, seed: int, epoch: int) -> list[Integers]:
    """Cut all pairs of an epoch into batches.

    The captions of a picture are spread over rounds, so that a batch seldom holds a picture twice: first one
    caption of every picture in random order, then a second of those that have one, and so on. An incomplete
    batch is kept, as the last one; one pair alone has nothing to be told from and joins the batch before it.

    Parameters
    ----------
    image_of_text : ndarray of int, shape (n,)
        The picture of each pair.
    batch_size : int
        Pairs in a batch.
    seed, epoch : int
        The order is a function of both.

    Returns
    -------
    list of ndarray of int
        Numbers of pairs; every pair once.

    Examples
    --------
    >>> batches = epoch_batches(np.array([0, 0, 1, 1, 2]), batch_size=3, seed=0, epoch=0)
    >>> [len(batch) for batch in batches], sorted(np.concatenate(batches).tolist())
    ([3, 2], [0, 1, 2, 3, 4])
    """
    rng = np.random.Generator(np.random.PCG64([seed, epoch]))
    n = len(image_of_text)
    shuffled = rng.permutation(n)
    by_image = shuffled[np.argsort(image_of_text[shuffled], kind="stable")]
    images = image_of_text[by_image]
    starts = np.flatnonzero(np.r_[True, images[1:] != images[:-1]])
    turn = np.arange(n) - np.repeat(starts, np.diff(np.r_[starts, n]))
    order = by_image[np.lexsort((rng.permutation(n), turn))]
    batches = [order[start : start + batch_size] for start in range(0, n, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def step_seed(seed: int, step: int, part: int) -> int:
    """Give the seed of torch's random numbers in one part of a step.

    Examples
    --------
    >>> step_seed(0, 5, 1) == step_seed(0, 5, 1), step_seed(0, 5, 1) == step_seed(0, 5, 2)
    (True, False)
    """
    return int(np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0] >> np.uint64(1))
