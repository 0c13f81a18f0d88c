"""Pictures that a model finds for a text, and how well it finds the right one for each caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipeval.claims.checks.other_texts import encode_other_texts
from clipeval.core.metrics import at_chance, ndcg
from clipeval.core.ranking import rank_retrieval
from clipeval.evaluation import Evaluation
from clipeval.evaluation.scores import Metric, direction_metrics


@dataclass(frozen=True)
class Gallery:
    """The best pictures for one text.

    Attributes
    ----------
    query : str
    items : tuple of int
        Places in the dataset, the best first; equal scores in the dataset's order.
    scores : tuple of float
        Their cosine similarities. Comparable within one gallery only.
    """

    query: str
    items: tuple[int, ...]
    scores: tuple[float, ...]


def galleries(evaluation: Evaluation, queries: Sequence[str], *, top: int = 5) -> tuple[Gallery, ...] | str:
    """Find the best pictures for each text.

    Parameters
    ----------
    evaluation : Evaluation
        Its model encodes the texts (offline, through the cache), its pictures are looked through.
    queries : sequence of str
        At least one.
    top : int
        How many pictures; all where there are fewer.

    Returns
    -------
    tuple of Gallery, or str
        In the order of the queries; or why the texts cannot be encoded.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> galleries(evaluation_of_rows([[1, 0]], [[1, 0]], model="frozen:rows.npy"), ["a cat"])
    'frozen embeddings hold no encoder for other texts'
    """
    texts = encode_other_texts(evaluation, queries)
    if isinstance(texts, str):
        return texts
    # which picture is right for a query nobody knows: only the lists are read
    ranks = rank_retrieval(
        evaluation.images,
        texts,
        np.zeros(len(texts), dtype=np.int64),
        top=min(top, len(evaluation.images)),
        rivals=False,
    )
    lists = ranks.t2i.top
    if lists is None:
        raise AssertionError("lists were asked for")
    return tuple(
        Gallery(query, tuple(int(item) for item in items), tuple(float(score) for score in scores))
        for query, items, scores in zip(queries, lists.candidates, lists.scores, strict=True)
    )


@dataclass(frozen=True)
class Retrieved:
    """How often the right picture is among the first K for its caption.

    Attributes
    ----------
    k, n : int
        Length of the lists, and number of captions.
    hits : float
        Captions whose picture is among the first K (expected, where scores tie).
    chance : float
        Hits of a scorer that knows nothing.
    rate : Metric
        hits / n with its interval.
    graded : float
        nDCG@K; see `retrieved`.
    graded_chance : float
    """

    k: int
    n: int
    hits: float
    chance: float
    rate: Metric
    graded: float
    graded_chance: float


def retrieved(evaluation: Evaluation, *, k: int) -> Retrieved | None:
    """Count hits@K of N, and grade them by place.

    The graded score is nDCG@K (Järvelin & Kekäläinen 2002): with one right picture at place r it is
    ``1 / log2(1 + r)`` for r <= K and 0 beyond, averaged over captions; so place 1 counts 1, place 2 .63,
    place 5 .39.

    Parameters
    ----------
    evaluation : Evaluation
    k : int

    Returns
    -------
    Retrieved or None
        None where there are fewer than K pictures.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> found = retrieved(evaluation_of_rows(np.eye(4), np.eye(4)), k=2)
    >>> found.hits, found.chance, found.graded
    (4.0, 2.0, 1.0)
    """
    ranks = evaluation.direction("t2i")
    if k > ranks.n_candidates:
        return None
    blind = at_chance(ranks)
    table = direction_metrics(ranks, evaluation.cluster("t2i"))
    hits = ranks.hits(k)
    name = f"hit_rate@{k}"
    rate = table[name] if name in table else Metric(float(hits.mean()), None, None, blind.hit_rate(k))
    return Retrieved(
        k=k,
        n=ranks.n_queries,
        hits=float(hits.sum()),
        chance=float(blind.hits(k).sum()),
        rate=rate,
        graded=ranks.mean(ndcg(ranks, k=k)),
        graded_chance=blind.mean(ndcg(blind, k=k)),
    )
