"""The shape of a trained joint space against an untrained one: closer pairs, fewer antihubs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.claims.checks.paired import finding_of
from clipeval.claims.checks.same_queries import check_same_queries, same_embeddings
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.comparison import compare_paired
from clipeval.core.hubness import hubness
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import Floats
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
