"""The first model is better than the second in each category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.intersection import all_hold
from clipeval.claims.checks.metric_values import check_metric, metric_values
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS, with_interval
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation


def better_in_every_category(metric: str = "hit_rate@1", direction: Direction = "i2t") -> Check:
    """Make a check of two evaluations: in every category the first is better than the second.

    An intersection-union test (`all_hold`) over categories; queries of one category, candidates of all. With
    five pictures in a category no test can decide, and the answer is ``undecided``.

    Parameters
    ----------
    metric : str
        See `better_than`.
    direction : {"i2t", "t2i"}

    Returns
    -------
    Check
        Rows "paired-binary" and "paired-clustered" of the contract; gives a p-value. Its effect and
        interval are those of the closest category. ``not_run`` on data without categories.

    Raises
    ------
    InvalidInputError
        An unknown metric; from the check: evaluations of different items.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows, words = np.eye(16), ["cats"] * 8 + ["dogs"] * 8
    >>> right = evaluation_of_rows(rows, rows, categories=words)
    >>> wrong = evaluation_of_rows(rows, np.roll(rows, 1, axis=0), categories=words)
    >>> better_in_every_category()([right, wrong]).verdict.value
    'holds'
    """
    check_metric(metric)

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        categories = first.dataset.categories
        if not categories:
            return Finding(Verdict.NOT_RUN, "there are no categories", reason="the dataset has no categories")
        a = metric_values(first.direction(direction), metric)
        b = metric_values(second.direction(direction), metric)
        clusters = first.cluster(direction)
        of_image = np.array([item.category or "" for item in first.dataset.items])
        identical = same_embeddings(first, second)
        tests = {
            category: compare_paired(a[mine], b[mine], clusters[mine], identical_embeddings=identical)
            for category in categories
            for mine in [of_image[first.image_of_query(direction)] == category]
        }
        verdict, p = all_hold(list(tests.values()))
        closest = min(tests, key=lambda category: tests[category].difference)
        test = tests[closest]
        shown = with_interval(test.difference, test.interval.low, test.interval.high, signed=True)
        steps = ", ".join(f"{category} {t.difference:+.2f}" for category, t in tests.items())
        return Finding(
            verdict=verdict,
            sentence=f"{metric} ({DIRECTIONS_IN_WORDS[direction]}), {first.model} minus {second.model} by "
            f"category: {steps}; closest {closest} {shown}",
            p=p,
            effect=test.difference,
            low=test.interval.low,
            high=test.interval.high,
            n=sum(t.n_clusters for t in tests.values()),
            discordant=test.discordant,
            minimum_detectable_effect=test.minimum_detectable_effect,
            worst=worst_items(first, direction, badness=b - a),
            reason=f"shown in {sum(t.verdict is Verdict.HOLDS for t in tests.values())} of {len(tests)} "
            "categories; fewer than six pictures cannot show it"
            if verdict is Verdict.UNDECIDED
            else "",
        )

    return check
