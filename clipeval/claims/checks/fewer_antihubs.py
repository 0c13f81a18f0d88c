"""Fewer candidates that nobody ever finds in one space than in another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.phrases import p_words, with_interval
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.claim import Check, Finding
from clipeval.core.hubness import hubness
from clipeval.core.paired import sign_flip_test
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Direction, Evaluation

MOST_GROUPS, FEWEST_GROUPS, FEWEST_IN_GROUP = 16, 6, 10


def fewer_antihubs(direction: Direction = "i2t", *, k: int = 10, seed: int = 0) -> Check:
    """Make a check of two evaluations: in the first, fewer candidates stand in nobody's top k.

    Candidates of one matrix are not independent: one hub makes antihubs of all others (Radovanović et al.
    2010, JMLR 11). So images are dealt at random into up to 16 groups of at least 10, with all their
    captions; every group has lists of its own, as long in proportion (``k`` over the number of groups, at
    least 1), and the groups' differences get a sign-flip test and Student's t interval.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
    k : int
        Length of the lists over all candidates, positive.
    seed : int
        Of ``numpy.random.Generator(PCG64(seed))``, for the groups.

    Returns
    -------
    Check
        Row "antihubs" of the contract; ``undecided`` with fewer than 60 images; gives a p-value. The effect
        is the mean difference of the share of found candidates in a group.

    Raises
    ------
    InvalidInputError
        k below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(60)
    >>> hubs = evaluation_of_rows(np.ones((60, 60)), np.tri(60))
    >>> fewer_antihubs(k=1)([evaluation_of_rows(rows, rows), hubs]).verdict.value
    'holds'
    """
    if k < 1:
        raise InvalidInputError(f"k must be at least 1, got {k!r}", fix="for example k=10")

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        n = first.dataset.n_images
        groups = min(MOST_GROUPS, n // FEWEST_IN_GROUP)
        if groups < FEWEST_GROUPS:
            few = f"fewer than {FEWEST_GROUPS * FEWEST_IN_GROUP} images"
            return Finding(Verdict.UNDECIDED, f"{few} cannot show antihubs", p=1.0, n=n, reason=few)
        found = [found_in_groups(e, direction, k=k, groups=groups, seed=seed) for e in evaluations]
        wins = found[0] - found[1]
        effect = float(wins.mean())
        p = float(sign_flip_test(wins, np.arange(groups)))
        low, high = _interval(wins)
        verdict = Verdict.UNDECIDED
        if p <= 0.05 and not low <= 0.0 <= high and not same_embeddings(first, second):
            verdict = Verdict.HOLDS if low > 0 else Verdict.REFUTED
        share, other = (1.0 - float(values.mean()) for values in found)
        length = list_length(k, groups)
        return Finding(
            verdict=verdict,
            sentence=f"antihubs among {n // groups} images, top {length}: {first.model} {share:.3f}, "
            f"{second.model} {other:.3f}, fewer by {with_interval(effect, low, high, signed=True)} in "
            f"{groups} groups; {p_words(p)} (sign-flip of groups)",
            p=p,
            effect=effect,
            low=low,
            high=high,
            n=groups,
            worst=_antihubs(first, direction, k),
            reason=f"p above 0.05 or an interval that holds 0, with {groups} groups"
            if verdict is Verdict.UNDECIDED
            else "",
        )

    return check


def list_length(k: int, groups: int) -> int:
    """Shorten lists in proportion to the candidates of a group.

    Examples
    --------
    >>> list_length(10, 6), list_length(10, 16), list_length(1, 16)
    (2, 1, 1)
    """
    return max(1, round(k / groups))


def found_in_groups(
    evaluation: Evaluation, direction: Direction, *, k: int, groups: int, seed: int = 0
) -> Floats:
    """Compute the share of candidates in anyone's list, within disjoint random groups of images.

    Parameters
    ----------
    evaluation : Evaluation
    direction : {"i2t", "t2i"}
    k : int
        Length of the lists over all candidates.
    groups : int
        From 1 to the number of images.
    seed : int
        For the groups, which depend on it and on the number of images only.

    Returns
    -------
    ndarray of float64, shape (groups,)
        In [0, 1].

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> found_in_groups(evaluation_of_rows(np.eye(4), np.eye(4)), "i2t", k=2, groups=2)
    array([1., 1.])
    """
    owner = evaluation.dataset.image_of_caption
    order = np.random.Generator(np.random.PCG64(seed)).permutation(evaluation.dataset.n_images)
    shares = []
    for members in np.array_split(order, groups):
        texts = evaluation.texts[np.isin(owner, members)]
        images = evaluation.images[members]
        length = min(list_length(k, groups), len(texts) if direction == "i2t" else len(images))
        space = hubness(images, texts, k=length, direction=direction)
        shares.append(1.0 - space.antihub_share)
    return np.array(shares, dtype=np.float64)


def _interval(values: Floats) -> tuple[float, float]:
    from scipy.special import stdtrit

    n, mean = len(values), float(values.mean())
    reach = float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) / n**0.5
    return mean - reach, mean + reach


def _antihubs(evaluation: Evaluation, direction: Direction, k: int) -> tuple[str, ...]:
    dataset = evaluation.dataset
    names = dataset.captions if direction == "i2t" else dataset.ids
    space = hubness(evaluation.images, evaluation.texts, k=min(k, len(names)), direction=direction)
    return tuple(f"{names[at]!r}: in nobody's list" for at in np.flatnonzero(space.counts == 0)[:5])
