"""The numbers that studies published, measured in an evaluation."""

from __future__ import annotations

import re

import numpy as np

from clipeval.core.diagonal import diagonal_statistics
from clipeval.core.similarity import unit_rows
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation

_RATE = re.compile(r"(?P<what>hit_rate|hits)@(?P<k>[1-9]\d*) (?P<direction>i2t|t2i)")
_PAIRS = re.compile(
    r"(?P<which>right|wrong|all) pairs (?P<what>mean|sd|lowest|highest)(?: in (?P<category>.+))?"
)
_BLOCK = 1024


def check_measure(measure: str) -> None:
    """Refuse a measure that `measured` does not know.

    Raises
    ------
    InvalidInputError

    Examples
    --------
    >>> check_measure("hits@5 t2i")
    """
    if not (_RATE.fullmatch(measure) or _PAIRS.fullmatch(measure)):
        raise InvalidInputError(
            f"there is no measure '{measure}'",
            fix="write 'hit_rate@1 i2t', 'hits@5 t2i' or 'right pairs mean in CATEGORY'",
        )


def measured(measure: str, evaluation: Evaluation) -> float | str:
    """Measure what a study published.

    Parameters
    ----------
    measure : str
        ``hit_rate@K i2t|t2i``; ``hits@K i2t|t2i``, the (expected) number of queries with a hit; or
        ``right|wrong|all pairs mean|sd|lowest|highest``, cosine similarities, also ``... in CATEGORY``
        (rows of its pictures only).
    evaluation : Evaluation

    Returns
    -------
    float or str
        The value, or why there is none on these data.

    Raises
    ------
    InvalidInputError
        An unknown measure.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> perfect = evaluation_of_rows(np.eye(3), np.eye(3))
    >>> measured("hits@1 t2i", perfect), measured("right pairs mean", perfect)
    (3.0, 1.0)
    >>> measured("hit_rate@5 t2i", perfect)
    'only 3 candidates'
    """
    check_measure(measure)
    rate = _RATE.fullmatch(measure)
    if rate:
        ranks = evaluation.direction("i2t" if rate["direction"] == "i2t" else "t2i")
        k = int(rate["k"])
        if k > ranks.n_candidates:
            return f"only {ranks.n_candidates} candidates"
        hits = ranks.hits(k)
        return float(hits.sum() if rate["what"] == "hits" else hits.mean())
    found = _PAIRS.fullmatch(measure)
    if found is None:
        raise AssertionError("checked above")
    rows = np.arange(evaluation.dataset.n_images)
    if found["category"]:
        of_items = [item.category for item in evaluation.dataset.items]
        rows = np.array([row for row in rows if of_items[row] == found["category"]], dtype=np.int64)
        if not rows.size:
            return f"no category '{found['category']}'"
    if found["what"] in {"lowest", "highest"}:
        return _extreme(evaluation, rows, which=found["which"], lowest=found["what"] == "lowest")
    if found["which"] == "all":
        raise InvalidInputError(f"there is no measure '{measure}'", fix="take 'right' or 'wrong' pairs")
    pairs = evaluation.dataset.image_of_caption
    d = diagonal_statistics(evaluation.images, evaluation.texts, pairs, rows=rows, auroc=False)
    if found["which"] == "right":
        return d.mean if found["what"] == "mean" else d.sd
    if not d.n_negative:
        return "no wrong pairs"
    return d.off_mean if found["what"] == "mean" else d.off_sd


def _extreme(evaluation: Evaluation, rows: np.ndarray, *, which: str, lowest: bool) -> float | str:
    images, texts = (unit_rows(side).astype(np.float64) for side in (evaluation.images, evaluation.texts))
    best: list[float] = []
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        scores = images[part] @ texts.T
        right = part[:, None] == evaluation.dataset.image_of_caption[None, :]
        kept = scores if which == "all" else scores[right if which == "right" else ~right]
        if kept.size:
            best.append(float(kept.min() if lowest else kept.max()))
    return (min(best) if lowest else max(best)) if best else f"no {which} pairs"


def improvement(before: float, after: float) -> str:
    """Say how much better the second is: relative to the first, or as a difference where that is zero.

    Examples
    --------
    >>> improvement(0.05, 0.65), improvement(0.0, 1.0)
    ('+0.600 (13.0 times)', '+1.000 (relative to 0: undefined)')
    """
    ratio = f"{after / before:.1f} times" if before > 0 else f"relative to {before:g}: undefined"
    return f"{after - before:+.3f} ({ratio})"
