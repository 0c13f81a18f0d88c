"""Where a model is wrong, it is wrong inside the category: beaches are taken for beaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.phrases import with_interval
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
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
        Gives a p-value where there are confusions; ``not_run`` on data with fewer than two categories,
        ``undecided`` without confusions.

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
        of_candidate = of_image[owner] if direction == "i2t" else of_image
        image = evaluation.cluster(direction)
        # a tie with the right answer is no confusion that a person would see
        wrong = np.flatnonzero((ranks.better > 0) & (of_image[image] >= 0))
        if not len(wrong):
            return Finding(
                Verdict.UNDECIDED, f"{evaluation.model} confuses nothing", p=1.0, reason="no confusions"
            )
        mine = of_image[image[wrong]]
        inside = (of_candidate[ranks.best_rival[wrong]] == mine).astype(np.float64)
        alike = np.bincount(of_candidate[of_candidate >= 0], minlength=len(number))[mine]
        own = ranks.n_positives[wrong]
        chance = float(np.mean((alike - own) / (ranks.n_candidates - own)))
        test = rate_in_region(inside, image[wrong], low=chance)
        low, high = test.interval.low, test.interval.high
        stray = np.full(ranks.n_queries, -1.0)
        stray[wrong] = 1.0 - inside
        return Finding(
            verdict=test.verdict,
            sentence=f"{evaluation.model}: {with_interval(test.rate, low, high)} of {len(wrong)} confusions "
            f"stay inside the category; chance is {chance:.3f}",
            p=test.p,
            effect=test.rate - chance,
            low=low - chance,
            high=high - chance,
            n=test.n_clusters,
            worst=worst_items(evaluation, direction, badness=stray),
            reason=f"the interval holds chance, {chance:.3f}" if test.verdict is Verdict.UNDECIDED else "",
        )

    return check
