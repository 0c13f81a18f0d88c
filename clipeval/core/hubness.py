"""Hubs: candidates that turn up in too many top-k lists, and antihubs that turn up in none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.neighbour_count import check_k
from clipeval.core.neighbours import BLOCK_ENTRIES, top_k_membership
from clipeval.core.ranks import DirectionRanks
from clipeval.core.similarity import check_same_width, unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.errors import InvalidInputError, near


@dataclass(frozen=True)
class Hubness:
    """How unevenly the candidates share the top-k places.

    Attributes
    ----------
    counts : ndarray of float64, shape (n_candidates,)
        ``N_k(c)``: queries that hold candidate c in their top k; they sum to ``k · n_queries``. Fractional
        where a tie at the k-th place is shared.
    skewness : float
        Third standardised moment of ``N_k`` (population form, not bias-corrected); 0 when all counts are
        equal.
    robin_hood : float
        Robin Hood (Hoover) index, ``Σ|N_k - mean| / (2 ΣN_k)``: the share of places that would have to be
        given away for all to have the same; in [0, 1).
    antihub_share : float
        Share of candidates in nobody's top k.
    k : int
        Length of the lists.
    """

    counts: NDArray[np.float64] = field(repr=False, compare=False)
    skewness: float
    robin_hood: float
    antihub_share: float
    k: int


def hubness(
    images: ArrayLike,
    texts: ArrayLike,
    *,
    k: int = 10,
    direction: Literal["i2t", "t2i"] = "i2t",
    ranks: DirectionRanks | None = None,
) -> Hubness:
    """Count in how many top-k lists every candidate stands, and how unevenly.

    The indices follow scikit-hubness (Feldbauer, Rattei & Flexer 2020; Radovanović et al. 2010). Ties at the
    k-th place are shared: each of e equal candidates for r places counts r / e.

    Parameters
    ----------
    images : array-like, shape (m, d)
    texts : array-like, shape (n, d)
        Any finite rows; they are normalised first.
    k : int
        Between 1 and the number of candidates.
    direction : {"i2t", "t2i"}
        ``i2t``: images ask, texts are the candidates.
    ranks : DirectionRanks, optional
        Of the same embeddings and direction, from `clipeval.rank_retrieval` with ``top`` of k + 1 or more:
        lists that are there are counted. Only queries whose k-th place is shared, and those that were not
        ranked, are multiplied again.

    Returns
    -------
    Hubness

    Raises
    ------
    InvalidInputError
        Bad rows, different widths, k out of range, unknown direction, or ranks of another run.

    Examples
    --------
    >>> h = hubness([[1.0, 0.0], [0.9, 0.1]], [[1.0, 0.0], [0.0, 1.0]], k=1)
    >>> h.counts.tolist(), h.robin_hood, h.antihub_share
    ([2.0, 0.0], 0.5, 0.5)
    """
    if direction not in ("i2t", "t2i"):
        raise InvalidInputError(f"unknown direction '{direction}'", fix=near(direction, ("i2t", "t2i")))
    left, right = unit_rows(images, name="images"), unit_rows(texts, name="texts")
    check_same_width(left, right)
    queries, candidates = (left, right) if direction == "i2t" else (right, left)
    check_k(k, len(candidates), "candidates")
    if not len(queries):
        raise InvalidInputError("there are no queries")
    counts = np.zeros(len(candidates))
    if ranks is not None:
        listed, queries = _listed(ranks, queries, len(candidates), k)
        counts += np.bincount(listed, minlength=len(candidates))
    wide = candidates.astype(np.float64).T if len(queries) else candidates.T
    step = max(1, BLOCK_ENTRIES // len(candidates))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step].astype(np.float64) @ wide
        counts += top_k_membership(scores, k=k).sum(axis=0)
    return Hubness(counts, _skewness(counts), _robin_hood(counts), float(np.mean(counts == 0)), int(k))


def _listed(
    ranks: DirectionRanks, queries: NDArray[np.float32], n_candidates: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Candidates in the first k places of lists that end clearly, and the queries that have no such list."""
    n = len(queries)
    if ranks.n_candidates != n_candidates or len(ranks.queries) + len(ranks.without_positives) != n:
        raise InvalidInputError(
            f"the ranks are of {len(ranks.queries) + len(ranks.without_positives)} queries and "
            f"{ranks.n_candidates} candidates, the embeddings of {n} and {n_candidates}",
            where="ranks",
            fix="pass the ranks of these embeddings in this direction",
        )
    if ranks.top is None or ranks.top.candidates.shape[1] < min(k + 1, n_candidates):
        raise InvalidInputError(
            f"the ranks have no lists of {min(k + 1, n_candidates)} candidates",
            where="ranks",
            fix=f"rank_retrieval(..., top={min(k + 1, n_candidates)})",
        )
    clear = np.ones(len(ranks.queries), dtype=bool)
    if k < n_candidates:
        clear = ranks.top.scores[:, k - 1] - ranks.top.scores[:, k] > TIE_TOLERANCE
    rest = np.ones(n, dtype=bool)
    rest[ranks.queries[clear]] = False
    return ranks.top.candidates[clear, :k].ravel(), queries[rest]


def _skewness(counts: NDArray[np.float64]) -> float:
    deviation = counts - counts.mean()
    variance = float(np.mean(deviation**2))
    if variance <= 1e-18 * max(1.0, float(counts.mean()) ** 2):  # equal but for rounding
        return 0.0
    return float(np.mean(deviation**3) / variance**1.5)


def _robin_hood(counts: NDArray[np.float64]) -> float:
    return float(np.abs(counts - counts.mean()).sum() / (2.0 * counts.sum()))
