"""Where a model is wrong, it is wrong inside the category: beaches are taken for beaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipeval.claims.checks.chance_null import permutation_p
from clipeval.claims.checks.phrases import p_words, with_interval
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.bootstrap import rate_interval
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation


def confusions_inside_category(direction: Direction = "i2t") -> Check:
    """Make a check of one evaluation: confusions stay inside the category more often than chance has it.

    A confusion is a query whose first place goes to a wrong candidate. The share of confusions whose winner
    has the query's category is tested against the share of wrong candidates that have it.

    Parameters
    ----------
    direction : {"i2t", "t2i"}

    Returns
    -------
    Check
        Row "confusions" of the contract; gives a p-value, never below 1/2000; ``not_run`` on data with fewer
        than two categories, ``undecided`` without confusions.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows, words = np.eye(20), ["cats"] * 10 + ["dogs"] * 10
    >>> texts = np.concatenate([np.roll(rows[:10], 1, axis=0), np.roll(rows[10:], 1, axis=0)])
    >>> confusions_inside_category()([evaluation_of_rows(rows, texts, categories=words)]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        dataset = evaluation.dataset
        if len(dataset.categories) < 2:
            return Finding(
                Verdict.NOT_RUN,
                "there are no categories to confuse",
                reason="the dataset has fewer than two categories",
            )
        ranks = evaluation.direction(direction)
        owner = dataset.image_of_caption
        number = {category: at for at, category in enumerate(dataset.categories)}
        of_image = np.array([number.get(item.category or "", -1) for item in dataset.items])
        image = evaluation.cluster(direction)
        # a tie with the right answer is no confusion that a person would see
        wrong = np.flatnonzero((ranks.better > 0) & (of_image[image] >= 0))
        if not len(wrong):
            return Finding(
                Verdict.UNDECIDED, f"{evaluation.model} confuses nothing", p=1.0, reason="no confusions"
            )
        winner = ranks.best_rival[wrong]
        won = owner[winner] if direction == "i2t" else winner
        inside = (of_image[won] == of_image[image[wrong]]).astype(np.float64)
        dealt = inside_by_chance(of_image, image[wrong], won)
        rate = float(inside.mean())
        p = permutation_p(rate, dealt)
        sizes = np.bincount(of_image[of_image >= 0])
        alike = float(np.sum(sizes * (sizes - 1)) / (sizes.sum() * (sizes.sum() - 1)))
        chance = alike * float(np.mean(of_image[won] >= 0))
        interval = rate_interval(inside, image[wrong])
        low, high = interval.low, interval.high
        verdict = Verdict.UNDECIDED
        if p <= 0.05 and not low <= chance <= high:
            verdict = Verdict.HOLDS if rate > chance else Verdict.REFUTED
        stray = np.full(ranks.n_queries, -1.0)
        stray[wrong] = 1.0 - inside
        return Finding(
            verdict=verdict,
            sentence=f"{evaluation.model}: {with_interval(rate, low, high)} of {len(wrong)} confusions "
            f"stay inside the category; with categories dealt anew {chance:.3f}, {p_words(p)}",
            p=p,
            effect=rate - chance,
            low=low - chance,
            high=high - chance,
            n=len(np.unique(image[wrong])),
            worst=worst_items(evaluation, direction, badness=stray),
            reason=f"{p_words(p)}, or the interval holds chance, {chance:.3f}"
            if verdict is Verdict.UNDECIDED
            else "",
        )

    return check


def inside_by_chance(
    categories: NDArray[np.integer],
    asking: NDArray[np.integer],
    won: NDArray[np.integer],
    *,
    n_permutations: int = 1_999,
    seed: int = 0,
) -> Floats:
    """Compute the share of confusions inside the category with the categories dealt anew to the images.

    Parameters
    ----------
    categories : ndarray of int, shape (n_images,)
        Number of each image's category, -1 for none; images without one keep none.
    asking, won : ndarray of int, shape (n_confusions,)
        The image of each confused query, which has a category, and that of the wrong candidate that won.
    n_permutations : int
        Random deals.
    seed : int
        Of ``numpy.random.Generator(PCG64(seed))``.

    Returns
    -------
    ndarray of float64, shape (n_permutations,)

    Examples
    --------
    >>> hub = inside_by_chance(np.array([0, 0, 0, 1]), np.array([1, 2, 3]), np.array([0, 0, 0]))
    >>> sorted(set(hub.round(3).tolist()))
    [0.0, 0.667]
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    known = np.flatnonzero(categories >= 0)
    dealt, shares = categories.copy(), np.empty(n_permutations)
    for at in range(n_permutations):
        dealt[known] = categories[rng.permutation(known)]
        shares[at] = np.mean(dealt[won] == dealt[asking])
    return shares
