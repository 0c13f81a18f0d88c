"""A change that should not matter changes no rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.ranking import rank_retrieval
from clipeval.core.verdict import Verdict
from clipeval.encoders.base import Rows
from clipeval.evaluation import DIRECTIONS, Evaluation


@dataclass(frozen=True, eq=False)
class Changed:
    """Embeddings after a change.

    Attributes
    ----------
    images, texts : ndarray of float32
        The changed rows.
    image_order, text_order : ndarray of int
        For each changed row, the original row it was.
    """

    images: Rows
    texts: Rows
    image_order: NDArray[np.int64]
    text_order: NDArray[np.int64]


Transform: TypeAlias = Callable[[Rows, Rows], Changed]


def invariant(transform: Transform, *, change: str) -> Check:
    """Make a check of one evaluation: a change to its embeddings leaves every rank as it is.

    Parameters
    ----------
    transform : callable
        Takes image and text rows, gives `Changed`; see `scaled` and `shuffled`.
    change : str
        What it does, in words.

    Returns
    -------
    Check
        Row "exact" of the contract: ``holds`` or ``refuted``; no p-value.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> e = evaluation_of_rows([[1, 2], [2, 1]], [[1, 2], [2, 1]])
    >>> invariant(shuffled, change="another order")([e]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        after = transform(evaluation.images, evaluation.texts)
        place = np.argsort(after.image_order)
        owner = place[evaluation.dataset.image_of_caption[after.text_order]]
        ranks = rank_retrieval(after.images, after.texts, owner, ties=evaluation.ranks.i2t.ties)
        for direction in DIRECTIONS:
            order = after.image_order if direction == "i2t" else after.text_order
            before = evaluation.direction(direction).rank[order]
            now = (ranks.i2t if direction == "i2t" else ranks.t2i).rank
            moved = np.flatnonzero(before != now)
            if moved.size:
                badness = np.zeros(len(before))
                badness[order[moved]] = np.abs(before - now)[moved]
                return Finding(
                    Verdict.REFUTED,
                    f"{evaluation.model}: {change} changes {moved.size} of {len(before)} ranks ({direction})",
                    n=len(before),
                    worst=worst_items(evaluation, direction, badness=badness),
                )
        return Finding(
            Verdict.HOLDS,
            f"{evaluation.model}: {change} changes no rank",
            n=evaluation.dataset.n_images,
        )

    return WithoutP(check)


def scaled(images: Rows, texts: Rows) -> Changed:
    """Scale every row by its own power of two, which no floating-point number notices.

    Examples
    --------
    >>> scaled(np.ones((2, 1), np.float32), np.ones((1, 1), np.float32)).images.ravel().tolist()
    [0.25, 0.5]
    """

    def by_powers(rows: Rows) -> Rows:
        powers = np.ldexp(np.float32(1), np.arange(len(rows)) % 5 - 2).astype(np.float32)
        return rows * powers[:, None]

    return Changed(by_powers(images), by_powers(texts), np.arange(len(images)), np.arange(len(texts)))


def shuffled(images: Rows, texts: Rows) -> Changed:
    """Put images and captions in another order (seeded).

    Examples
    --------
    >>> sorted(shuffled(np.ones((3, 1), np.float32), np.ones((3, 1), np.float32)).image_order.tolist())
    [0, 1, 2]
    """
    rng = np.random.Generator(np.random.PCG64(0))
    image_order, text_order = rng.permutation(len(images)), rng.permutation(len(texts))
    return Changed(images[image_order], texts[text_order], image_order, text_order)
