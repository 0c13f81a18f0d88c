"""(3) How far the embeddings moved, and whether arithmetic alone explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipeval.baseline.fields import only_arithmetic
from clipeval.baseline.fingerprint import NOT_SHOWN
from clipeval.baseline.result import Drift, DriftKind, MovedRow
from clipeval.baseline.snapshot import Snapshot
from clipeval.core.ties import Floats
from clipeval.encoders.base import Rows
from clipeval.encoders.rounding import TOLERANCE, tolerance
from clipeval.evaluation import DIRECTIONS

ANOTHER_MODEL = 0.5
"""A median cosine below this is another space: half of all rows turned by more than 60 degrees. Unrelated
encoders of one width have a median near 0 (CLIP against two others on 500 COCO pairs: -0.02 to 0.02)."""

STORED = 2.0**-23
"""Relative distance that storing rows as float32 makes of any smaller one: one unit in the last place."""

WORST = 5

Modality = Literal["pictures", "captions"]


def embedding_drift(old: Snapshot, new: Snapshot) -> tuple[Drift, Drift]:
    """Compare the embeddings of the same items, pictures and captions apart.

    Equal hashes are ``identical``, also where no rows were kept. ``noise`` needs every row within the
    tolerance; a median cosine below 0.5, or another width, is a ``different model``; else it is ``drift``.
    Only directions are compared: a row and its multiple rank alike.

    Parameters
    ----------
    old, new : Snapshot
        Of the same data, so row i is the same picture or caption on both sides.

    Returns
    -------
    tuple of Drift
        Of the pictures and of the captions.

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> evaluations = [evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [x, 1]]) for x in (0, 0.75)]
    >>> before, after = (take_snapshot(each, fingerprint={}, data="") for each in evaluations)
    >>> [(drift.kind, drift.n_beyond) for drift in embedding_drift(before, after)]
    [('identical', 0), ('drift', 1)]
    """
    return _drift("pictures", old, new), _drift("captions", old, new)


def cosine_distance(old: Rows, new: Rows) -> Floats:
    """Compute 1 - cosine of rows that belong together.

    Half the squared length of the difference of the unit rows, in float64: ``1 - u @ v`` would lose every
    distance below 1e-16, and half the digits of one of 1e-8. A zero row has cosine 0 with every row but
    another zero row, with which it is the same.

    Parameters
    ----------
    old, new : ndarray, shape (n, d)

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 2].

    Examples
    --------
    >>> cosine_distance(np.array([[1.0, 0], [2, 0], [0, 0]]), np.array([[0, 1.0], [5, 0], [0, 0]])).tolist()
    [1.0, 0.0, 0.0]
    """
    first, second = _unit(old), _unit(new)
    apart = np.sum((first - second) ** 2, axis=1) / 2
    lone = first.any(axis=1) != second.any(axis=1)
    return np.asarray(np.where(lone, 1.0, np.minimum(apart, 2.0)), dtype=np.float64)


def drift_tolerance(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[float, str]:
    """Give the largest 1 - cosine that arithmetic alone explains, and where it comes from.

    The coarser side decides: rows a relative distance r apart (`clipeval.encoders.rounding`) have
    ``1 - cosine <= r² / 2``, to first order. An encoder of two towers is as coarse as the coarser one.

    Parameters
    ----------
    old, new : mapping of str to str
        Fingerprints; words for device and dtype that are absent, or that the encoder did not show, mean
        float32 on a CPU.

    Returns
    -------
    tuple of float and str

    Examples
    --------
    >>> allowed, why = drift_tolerance({"dtype": "float32", "device": "cpu"}, {"dtype": "bfloat16"})
    >>> f"{allowed:.3g}", why
    ('0.00125', 'bfloat16 on cpu may move a row by 0.05 of its length')
    """
    placed = [words for side in (old, new) for words in _placements(side)]
    coarsest = max(placed, key=tolerance)
    apart = max(tolerance(coarsest), STORED)
    why = f"{coarsest['dtype']} on {coarsest['device']} may move a row by {apart:.2g} of its length"
    return apart**2 / 2, why


def _drift(modality: Modality, old: Snapshot, new: Snapshot) -> Drift:
    allowed, why = drift_tolerance(old.fingerprint, new.fingerprint)
    pictures = modality == "pictures"
    before, after = (side.images if pictures else side.texts for side in (old, new))
    owners: list[tuple[str, str | None]] = [(item.id, None) for item in old.items]
    if not pictures:
        owners = [(item.id, caption) for item in old.items for caption in item.captions]
    n = len(owners)
    hashes = [side.images_sha256 if pictures else side.texts_sha256 for side in (old, new)]
    if hashes[0] == hashes[1]:
        return Drift(modality, "identical", allowed, "the embeddings have one hash", n)
    if before is None or after is None:
        return Drift(modality, "not compared", allowed, _without_rows(modality, old, new), n)
    if before.shape[1] != after.shape[1]:
        widths = f"embeddings of {before.shape[1]} and {after.shape[1]} dimensions"
        return Drift(modality, "different model", allowed, widths, n, n_beyond=n)
    apart = cosine_distance(before, after)
    beyond, median = int((apart > allowed).sum()), float(1.0 - np.median(apart))
    kind: DriftKind = "noise" if not beyond else "different model" if median < ANOTHER_MODEL else "drift"
    # rows are in canonical order, so a stable sort names equal ones the same way every time
    worst = [row for row in np.argsort(-apart, kind="stable")[:WORST] if apart[row] > 0]
    moved = tuple(MovedRow(owners[row][0], owners[row][1], float(1.0 - apart[row])) for row in worst)
    return Drift(modality, kind, allowed, why, n, beyond, median, moved)


def scores_moved(old: Snapshot, new: Snapshot) -> Floats:
    """Say how far the scores in two snapshots are apart: those of right answers and of best rivals.

    Rows of which each moved by at most r of its length move a score by at most 2 r, whichever rival is best.

    Parameters
    ----------
    old, new : Snapshot
        Of the same data, with the same queries.

    Returns
    -------
    ndarray of float64
        One entry for each score, both directions.

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> evaluations = [evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [x, 1]]) for x in (0, 0.75)]
    >>> before, after = (take_snapshot(each, fingerprint={}, data="") for each in evaluations)
    >>> round(float(scores_moved(before, after).max()), 3)
    0.6
    """
    sides = [
        np.array(
            [
                score
                for direction in DIRECTIONS
                for query in side.direction(direction).queries
                for score in (query.score, 0.0 if query.rival_score is None else query.rival_score)
            ],
            dtype=np.float64,
        )
        for side in (old, new)
    ]
    return np.abs(sides[1] - sides[0])


def only_noise(drift: Drift, old: Snapshot, new: Snapshot) -> bool:
    """Say whether arithmetic alone explains how one modality moved.

    Where the embeddings were not kept, the scores speak for them: all of them must have moved by no more
    than one row may move. Rows that moved further in a direction that no score sees stay unseen. Where a row
    may move far (more than in float32 on a CPU), another model may lie as close, as two CLIPs in bfloat16 do
    on three pictures, and so may another preprocessing: then the fingerprints must name one system too
    (`clipeval.baseline.fields.only_arithmetic`).

    Parameters
    ----------
    drift : Drift
        From `embedding_drift`.
    old, new : Snapshot
        What it compared.

    Returns
    -------
    bool
    """
    if drift.kind == "identical":
        return True
    most = row_distance(drift.tolerance)
    telling = most <= 1.001 * TOLERANCE["float32"] or only_arithmetic(old.fingerprint, new.fingerprint)
    if drift.kind == "not compared":
        return telling and bool(scores_moved(old, new).max(initial=0.0) <= most)
    return telling and drift.kind == "noise"


def row_distance(tolerance: float) -> float:
    """Turn a tolerance of 1 - cosine into the distance between unit rows that it means.

    Examples
    --------
    >>> round(row_distance(5e-9), 9)
    0.0001
    """
    return float(np.sqrt(2 * tolerance))


def _without_rows(modality: Modality, old: Snapshot, new: Snapshot) -> str:
    who = " and ".join(word for word, side in (("old", old), ("new", new)) if _lacks(side, modality))
    moved = scores_moved(old, new)
    return (
        f"the {who} embeddings were not kept; the scores of right answers and best rivals moved by "
        f"{np.median(moved):.2g} in the median and {moved.max(initial=0.0):.2g} at most"
    )


def _lacks(side: Snapshot, modality: Modality) -> bool:
    return (side.images if modality == "pictures" else side.texts) is None


def _placements(fingerprint: Mapping[str, str]) -> list[dict[str, str]]:
    prefixes = [
        prefix
        for prefix in ("", "image: ", "text: ")
        if f"{prefix}dtype" in fingerprint or f"{prefix}device" in fingerprint
    ]
    return [
        {
            "dtype": _shown(fingerprint, f"{prefix}dtype", "float32"),
            "device": _shown(fingerprint, f"{prefix}device", "cpu"),
        }
        for prefix in prefixes or [""]
    ]


def _shown(fingerprint: Mapping[str, str], word: str, usual: str) -> str:
    told = fingerprint.get(word, NOT_SHOWN)
    return usual if told == NOT_SHOWN else told


def _unit(rows: Rows) -> NDArray[np.float64]:
    wide = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
    return unit
