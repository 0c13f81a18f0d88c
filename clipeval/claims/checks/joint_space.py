"""The shape of a trained joint space against an untrained one: closer pairs, smaller gap, fewer antihubs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.phrases import p_words, with_interval
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.bootstrap import FEWEST_CLUSTERS
from clipeval.core.comparison import compare_paired
from clipeval.core.hubness import hubness
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction, Evaluation


def closer_pairs() -> Check:
    """Make a check of two evaluations: right pairs lie closer together in the first space.

    Alignment of Wang & Isola 2020 (arXiv 2005.10242), ``‖x - y‖²`` of unit rows, compared pair by pair after
    division by its largest value 4; the effect is that of ``1 - ‖x - y‖² / 4``.

    Returns
    -------
    Check
        Row "paired-clustered" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(20)
    >>> near, far = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, np.roll(rows, 1, axis=0))
    >>> closer_pairs()([near, far]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        a, b = _closeness(first), _closeness(second)
        test = compare_paired(a, b, first.cluster("t2i"), identical_embeddings=same_embeddings(first, second))
        return finding_of(
            test,
            what=f"closeness of right pairs (alignment {4 - 4 * a.mean():.3f} and {4 - 4 * b.mean():.3f})",
            names=(first.model, second.model),
            worst=worst_items(first, "t2i", badness=b - a),
        )

    return check


def _closeness(evaluation: Evaluation) -> Floats:
    images = unit_rows(evaluation.images)[evaluation.dataset.image_of_caption].astype(np.float64)
    cosine = np.einsum("nd,nd->n", images, unit_rows(evaluation.texts).astype(np.float64))
    return np.asarray(np.clip((1.0 + cosine) / 2, 0.0, 1.0), dtype=np.float64)  # 1 - (2 - 2 cos) / 4


def fewer_antihubs(direction: Direction = "i2t", *, k: int = 10) -> Check:
    """Make a check of two evaluations: in the first, fewer candidates stand in nobody's top k.

    Candidate by candidate: found by anyone in the first, in the second?

    Parameters
    ----------
    direction : {"i2t", "t2i"}
    k : int
        Length of the lists.

    Returns
    -------
    Check
        Row "paired-binary" or "paired-clustered" of the contract; gives a p-value.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(20)
    >>> hub = evaluation_of_rows(rows, np.concatenate([np.ones((1, 20)), -rows[1:]]))
    >>> fewer_antihubs(k=1)([evaluation_of_rows(rows, rows), hub]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        owner = first.dataset.image_of_caption
        clusters = owner if direction == "i2t" else np.arange(first.dataset.n_images)
        spaces = [hubness(e.images, e.texts, k=k, direction=direction) for e in (first, second)]
        found = [(space.counts > 0).astype(np.float64) for space in spaces]
        test = compare_paired(
            found[0], found[1], clusters, identical_embeddings=same_embeddings(first, second)
        )
        kin = ", ".join(f"{s.antihub_share:.3f} (skewness {s.skewness:.2f})" for s in spaces)
        return finding_of(
            test,
            what=f"share of candidates in anyone's top {k} (antihubs {kin})",
            names=(first.model, second.model),
            worst=_antihubs(first, direction, found[0]),
        )

    return check


def _antihubs(evaluation: Evaluation, direction: Direction, found: Floats) -> tuple[str, ...]:
    dataset = evaluation.dataset
    names = dataset.captions if direction == "i2t" else dataset.ids
    return tuple(f"{names[at]!r}: in nobody's list" for at in np.flatnonzero(found == 0)[:5])


def smaller_gap(*, n_resamples: int = 1_000, seed: int = 0) -> Check:
    """Make a check of two evaluations: the gap between the modalities is smaller in the first space.

    ``‖mean(I) - mean(T)‖`` (Liang et al. 2022, arXiv 2203.02053); the difference gets a percentile bootstrap
    over images with all their captions, the same images for both, and p from the bootstrap's tail.

    Parameters
    ----------
    n_resamples : int
        Resamples.
    seed : int
        Of ``numpy.random.Generator(PCG64(seed))``.

    Returns
    -------
    Check
        ``undecided`` with fewer than 50 images; gives a p-value, never below ``2 / (n_resamples + 1)``.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(60)
    >>> near, far = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, rows + 0.5)
    >>> smaller_gap()([near, far]).verdict.value
    'holds'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=2)
        first, second = evaluations
        owner, n = first.dataset.image_of_caption, first.dataset.n_images
        rng = np.random.Generator(np.random.PCG64(seed))
        weights = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float64)
        (gap_a, draws_a), (gap_b, draws_b) = (gaps(e.images, e.texts, owner, weights) for e in evaluations)
        wins = draws_b - draws_a
        low, high = (float(q) for q in np.quantile(wins, (0.025, 0.975)))
        tail = min(int((wins <= 0).sum()), int((wins >= 0).sum()))
        p = min(1.0, 2 * (1 + tail) / (1 + n_resamples))
        decided = n >= FEWEST_CLUSTERS and p <= 0.05 and not low <= 0.0 <= high
        verdict = Verdict.UNDECIDED
        if decided and not same_embeddings(first, second):
            verdict = Verdict.HOLDS if low > 0 else Verdict.REFUTED
        few = f"fewer than {FEWEST_CLUSTERS} images" if n < FEWEST_CLUSTERS else "the interval holds 0"
        return Finding(
            verdict=verdict,
            sentence=f"gap between the modalities: {first.model} {gap_a:.3f}, {second.model} {gap_b:.3f}, "
            f"smaller by {with_interval(gap_b - gap_a, low, high, signed=True)}; {p_words(p)} "
            "(percentile bootstrap over images)",
            p=p,
            effect=gap_b - gap_a,
            low=low,
            high=high,
            n=n,
            reason=few if verdict is Verdict.UNDECIDED else "",
        )

    return check


def gaps(images: np.ndarray, texts: np.ndarray, owner: np.ndarray, weights: Floats) -> tuple[float, Floats]:
    """Compute the modality gap, and that of weighted resamples of the images.

    Parameters
    ----------
    images : ndarray, shape (n, d)
    texts : ndarray, shape (c, d)
    owner : ndarray of int, shape (c,)
        The image of each caption.
    weights : ndarray, shape (b, n)
        How often each image was drawn.

    Returns
    -------
    gap : float
    resampled : ndarray of float64, shape (b,)

    Examples
    --------
    >>> gaps(np.eye(2), np.eye(2), np.arange(2), np.array([[2.0, 0.0]]))
    (0.0, array([0.]))
    """
    left, right = unit_rows(images).astype(np.float64), unit_rows(texts).astype(np.float64)
    n = len(left)
    sums = np.zeros_like(left)
    np.add.at(sums, owner, right)
    sizes = np.bincount(owner, minlength=n).astype(np.float64)

    def gap(w: Floats) -> Floats:
        centres = (w @ left) / w.sum(axis=1)[:, None] - (w @ sums) / (w @ sizes)[:, None]
        return np.asarray(np.linalg.norm(centres, axis=1), dtype=np.float64)

    return float(gap(np.ones((1, n)))[0]), gap(weights)
