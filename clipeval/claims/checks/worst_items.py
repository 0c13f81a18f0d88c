"""The items that speak most against a claim, each as one line that a person can check."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.similarity import cosine_similarity
from clipeval.evaluation import Direction, Evaluation


def worst_items(
    evaluation: Evaluation, direction: Direction, n: int = 5, *, badness: ArrayLike | None = None
) -> tuple[str, ...]:
    """Describe the worst queries of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Whose answers are shown.
    direction : {"i2t", "t2i"}
        What is asked for.
    n : int
        How many at most.
    badness : array-like, shape (q,), optional
        Higher is worse; equal ones are ordered by rank, then by how far the best rival is ahead. By default
        that order alone.

    Returns
    -------
    tuple of str
        Query, expected answer and its score, what was got and its score, rank; the worst first.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> swapped = evaluation_of_rows([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    >>> worst_items(swapped, "i2t", 1)[0]
    "picture 0: expected 'caption 0 of picture 0' (0.000), got 'caption 0 of picture 1' (1.000), rank 2"
    """
    ranks = evaluation.direction(direction)
    ahead = np.nan_to_num(ranks.rival_score - ranks.positive_score, nan=-np.inf)
    first = np.zeros(ranks.n_queries) if badness is None else np.asarray(badness, dtype=np.float64)
    order = np.lexsort((-ahead, -ranks.rank, -first))[:n]
    return tuple(_line(evaluation, direction, int(at)) for at in order)


def _line(evaluation: Evaluation, direction: Direction, at: int) -> str:
    ranks, dataset = evaluation.direction(direction), evaluation.dataset
    query, rival = int(ranks.queries[at]), int(ranks.best_rival[at])
    if direction == "i2t":
        own = np.flatnonzero(dataset.image_of_caption == query)
        scores = cosine_similarity(evaluation.images[query : query + 1], evaluation.texts[own])[0]
        asked = dataset.ids[query]
        expected = repr(dataset.captions[own[int(np.argmax(scores))]])
        got = repr(dataset.captions[rival]) if rival >= 0 else "nothing else"
    else:
        asked = repr(dataset.captions[query])
        expected = dataset.ids[int(dataset.image_of_caption[query])]
        got = dataset.ids[rival] if rival >= 0 else "nothing else"
    first = f"{asked}: expected {expected} ({ranks.positive_score[at]:.3f})"
    if ranks.rank[at] <= 1:
        return f"{first}, got it; next {got} ({ranks.rival_score[at]:.3f})"
    return f"{first}, got {got} ({ranks.rival_score[at]:.3f}), rank {ranks.rank[at]:g}"
