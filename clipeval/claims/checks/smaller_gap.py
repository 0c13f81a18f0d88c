"""The gap between the modalities is smaller in one space than in another."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipeval.claims.checks.phrases import p_words, with_interval
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.claim import Check, Finding
from clipeval.core.bootstrap import FEWEST_CLUSTERS
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Evaluation

_ROUNDING = 1e-12  # differences of squared gaps below this are noise of float64


def smaller_gap() -> Check:
    """Make a check of two evaluations: the gap between the modalities is smaller in the first space.

    The gap is ``‖mean(I) - mean(T)‖`` (Liang et al. 2022, arXiv 2203.02053). The norm of a mean difference is
    too large by the spread of the rows over n, so that the wider of two spaces with one gap seems to have the
    larger one. Compared are therefore the unbiased squares of `squared_gap`; their difference gets a
    jackknife over images with all their captions and Student's t (B. Efron and C. Stein 1981, Ann. Stat. 9).

    Returns
    -------
    Check
        Row "gap" of the contract; ``undecided`` with fewer than 50 images; gives a p-value. The effect is the
        difference of squared gaps.

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
        if n < FEWEST_CLUSTERS:
            few = f"fewer than {FEWEST_CLUSTERS} images"
            return Finding(Verdict.UNDECIDED, f"{few} cannot show a gap", p=1.0, n=n, reason=few)
        (square_a, without_a), (square_b, without_b) = (
            squared_gap(e.images, e.texts, owner) for e in evaluations
        )
        effect = square_b - square_a
        low, high, p = _jackknife(effect, without_b - without_a)
        verdict = Verdict.UNDECIDED
        if p <= 0.05 and not low <= 0.0 <= high and not same_embeddings(first, second):
            verdict = Verdict.HOLDS if low > 0 else Verdict.REFUTED
        gap_a, gap_b = (max(square, 0.0) ** 0.5 for square in (square_a, square_b))
        return Finding(
            verdict=verdict,
            sentence=f"gap between the modalities: {first.model} {gap_a:.3f}, {second.model} {gap_b:.3f}, "
            f"squares smaller by {with_interval(effect, low, high, signed=True)}; {p_words(p)} "
            "(jackknife over images)",
            p=p,
            effect=effect,
            low=low,
            high=high,
            n=n,
            reason="the interval holds 0" if verdict is Verdict.UNDECIDED else "",
        )

    return check


def squared_gap(
    images: NDArray[np.floating], texts: NDArray[np.floating], owner: NDArray[np.integer]
) -> tuple[float, Floats]:
    """Estimate the squared modality gap without bias, and once more without each image.

    With ``d_i`` the image's unit row minus the mean of its captions' unit rows, it is the mean of
    ``d_i · d_j`` over all i ≠ j: unbiased for ``‖E d‖²``, where ``‖mean d‖²`` is too large by trace/n. It may
    be slightly negative.

    Parameters
    ----------
    images : ndarray, shape (n, d)
        At least three rows.
    texts : ndarray, shape (c, d)
    owner : ndarray of int, shape (c,)
        The image of each caption; each image has one.

    Returns
    -------
    square : float
    without : ndarray of float64, shape (n,)
        Entry i is the estimate from all images but i.

    Examples
    --------
    >>> squared_gap(np.eye(3), -np.eye(3), np.arange(3))
    (0.0, array([0., 0., 0.]))
    """
    left, right = unit_rows(images).astype(np.float64), unit_rows(texts).astype(np.float64)
    n = len(left)
    sums = np.zeros_like(left)
    np.add.at(sums, owner, right)
    apart = left - sums / np.bincount(owner, minlength=n)[:, None]
    total, lengths = apart.sum(axis=0), np.einsum("nd,nd->n", apart, apart)
    off_diagonal = float(total @ total - lengths.sum())
    without = off_diagonal - 2.0 * (apart @ total - lengths)
    return off_diagonal / (n * (n - 1)), np.asarray(without / ((n - 1) * (n - 2)), dtype=np.float64)


def _jackknife(effect: float, without: Floats) -> tuple[float, float, float]:
    """Give a 95 % interval and a two-sided p from leave-one-out estimates."""
    from scipy.special import stdtr, stdtrit

    n = len(without)
    error = float(np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2)))
    if error <= _ROUNDING:
        return effect, effect, 1.0 if abs(effect) <= _ROUNDING else sys.float_info.min
    reach = float(stdtrit(n - 1, 0.975)) * error
    p = 2.0 * float(stdtr(n - 1, -abs(effect) / error))
    return effect - reach, effect + reach, max(p, sys.float_info.min)
