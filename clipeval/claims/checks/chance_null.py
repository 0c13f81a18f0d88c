"""What chance would give: the same top-k lists, with the caption groups dealt anew to the images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.core.similarity import unit_rows
from clipeval.evaluation import Direction, Evaluation

_BLOCK_ENTRIES = 2**20


def top_k_lists(evaluation: Evaluation, direction: Direction, k: int) -> NDArray[np.int64]:
    """Give the k best candidates of every query, unordered; a tie at the border is broken arbitrarily.

    Parameters
    ----------
    evaluation : Evaluation
    direction : {"i2t", "t2i"}
    k : int
        From 1 to the number of candidates.

    Returns
    -------
    ndarray of int, shape (n_queries, k)

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> top_k_lists(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), "i2t", 1).tolist()
    [[0], [1]]
    """
    images, texts = unit_rows(evaluation.images), unit_rows(evaluation.texts)
    queries, candidates = (images, texts) if direction == "i2t" else (texts, images)
    wide = candidates.astype(np.float64).T
    step = max(1, _BLOCK_ENTRIES // len(candidates))
    lists = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), step):
        scores = queries[start : start + step].astype(np.float64) @ wide
        # copied out of the block: a view of it would keep all its columns in memory
        lists[start : start + step] = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return lists


def hits_by_chance(
    evaluation: Evaluation, direction: Direction, k: int, *, n_permutations: int = 999, seed: int = 0
) -> tuple[int, NDArray[np.int64]]:
    """Count hits in the top k, as they are and with the caption groups dealt to the images at random.

    Hits at chance are not binomial: a caption that heads every list gives exactly one hit however the groups
    are dealt. Whole groups are dealt, so captions of one image stay together.

    Parameters
    ----------
    evaluation : Evaluation
    direction : {"i2t", "t2i"}
    k : int
        From 1 to the number of candidates.
    n_permutations : int
        Random deals.
    seed : int
        Of ``numpy.random.Generator(PCG64(seed))``.

    Returns
    -------
    observed : int
    permuted : ndarray of int, shape (n_permutations,)

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> hub = evaluation_of_rows([[1, 0]] * 4, [[1, 0], [0, 1], [0, 1], [0, 1]])
    >>> observed, permuted = hits_by_chance(hub, "i2t", 1)
    >>> observed, set(permuted.tolist())
    (1, {1})
    """
    lists = top_k_lists(evaluation, direction, k)
    owner = evaluation.dataset.image_of_caption
    n = evaluation.dataset.n_images
    rng = np.random.Generator(np.random.PCG64(seed))

    # i2t: an image hits where the group that is dealt to it stands in its list; once, however many of the
    # group's captions do. t2i: a caption hits where the image that its group is dealt to stands in its list
    if direction == "i2t":
        pairs = np.unique(np.repeat(np.arange(n), k) * n + owner[lists].ravel())
        images, groups = pairs // n, pairs % n
    else:
        images, groups = lists.ravel(), np.repeat(owner, k)

    def count(dealt: NDArray[np.int64]) -> int:
        return int(np.count_nonzero(dealt[groups] == images))

    permuted = np.array([count(rng.permutation(n)) for _ in range(n_permutations)], dtype=np.int64)
    return count(np.arange(n)), permuted


def permutation_p(observed: float, permuted: NDArray[np.integer] | NDArray[np.floating]) -> float:
    """Two-sided ``(1 + #{|h* - mean| >= |h - mean|}) / (1 + B)`` (Phipson & Smyth 2010).

    Examples
    --------
    >>> permutation_p(5, np.array([1, 2, 1, 0]))
    0.2
    """
    centre = float(permuted.mean())
    reached = int((np.abs(permuted - centre) >= abs(observed - centre) - 1e-9).sum())
    return (1 + reached) / (1 + len(permuted))
