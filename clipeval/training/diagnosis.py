"""Why a trained model does not retrieve: the usual causes, each looked for by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipeval.encoders.base import Rows
from clipeval.training.model import DualModel, Integers

ALIKE = 0.99
"""Mean cosine of different inputs above which a side is called constant."""

STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    kind : str
        ``collapsed``, ``constant rows``, ``padding`` or ``learning rate``.
    text : str
        What was seen, and the likely cause.
    """

    kind: str
    text: str


def diagnose(
    history: Sequence[Mapping[str, Any]],
    rows: Mapping[str, Rows],
    *,
    part: str | None,
    batch_size: int,
    text_words: Mapping[str, Any],
    padding_changes: float,
    kept: int = -1,
) -> tuple[Finding, ...]:
    """Look for the causes of a collapse.

    Parameters
    ----------
    history : sequence of mapping
        Of the epochs.
    rows : mapping of str to ndarray
        Unit rows of some pictures (``image``) and captions (``text``) that differ.
    part : {"held_out", "train"} or None
        Which retrieval of the history is judged; none where nothing was held out.
    batch_size : int
        Of the loss: that of a model that knows nothing is its logarithm.
    text_words : mapping
        Description of the text network: ``causal`` and ``pooling``.
    padding_changes : float
        See `padding_effect`.
    kept : int
        Row of the epoch whose weights were kept: its retrieval is judged.

    Returns
    -------
    tuple of Finding
        Empty where nothing is wrong.
    """
    found = []
    row = history[kept]
    below = part if part is not None and can_tell(row, part) and not retrieves(row, part) else None
    if below is not None:
        found.append(Finding("collapsed", _collapse(row, below)))
    for side, values in rows.items():
        alike = mean_cosine(values)
        if alike > ALIKE:
            found.append(
                Finding(
                    "constant rows",
                    f"the {side} side gives nearly the same row for different inputs (mean cosine"
                    f" {alike:.3f})" + (_pooling_cause(text_words) if side == "text" else ""),
                )
            )
    if padding_changes > 1e-3:
        found.append(
            Finding(
                "padding",
                f"the row of a caption changes by {padding_changes:.2g} of its length with the padding of its"
                f" batch: pooling '{text_words.get('pooling')}' reads a padding token; pool at the last real"
                " one (--text-pooling last), or check the padding side",
            )
        )
    if below is not None and not any(finding.kind == "constant rows" for finding in found):
        found.append(Finding("learning rate", _rate_cause(history, batch_size)))
    return tuple(found)


def can_tell(row: Mapping[str, Any], part: str) -> bool:
    """Say whether a perfect model would lie above chance as `retrieves` asks for it.

    Not of three pictures or fewer, of which the best model finds as many as luck may.

    Examples
    --------
    >>> three, four = ({"n_images": n, "chance1_i2t": 1 / n, "chance1_t2i": 1 / n} for n in (3, 4))
    >>> [can_tell({f"train_{key}": value for key, value in row.items()}, "train") for row in (three, four)]
    [False, True]
    """
    kind = _kind(row, part)
    return any(_bar(row, part, kind, way) < 1 for way in ("i2t", "t2i"))


def _kind(row: Mapping[str, Any], part: str) -> str:
    return "100" if row[f"{part}_n_images"] > 200 else "1"


def _bar(row: Mapping[str, Any], part: str, kind: str, way: str) -> float:
    """Chance and so many standard errors of it, one for each picture."""
    chance = float(row[f"{part}_chance{kind}_{way}"])
    return chance + STANDARD_ERRORS * math.sqrt(max(chance * (1 - chance), 1e-9) / row[f"{part}_n_images"])


def retrieves(row: Mapping[str, Any], part: str) -> bool:
    """Say whether top-100 (or, of 200 items or fewer, hit@1) lies above chance in one direction at least.

    Above means by more than three standard errors of chance itself, one for each picture.
    """
    kind = _kind(row, part)
    name = "top100" if kind == "100" else "hit1"
    return any(row[f"{part}_{name}_{way}"] > _bar(row, part, kind, way) for way in ("i2t", "t2i"))


def mean_cosine(rows: Rows) -> float:
    """Average the cosines of different rows, of unit length.

    Examples
    --------
    >>> mean_cosine(np.eye(3, dtype=np.float32)), mean_cosine(np.ones((3, 1), dtype=np.float32))
    (0.0, 1.0)
    """
    n = len(rows)
    total = float(np.square(rows.astype(np.float64).sum(axis=0)).sum())
    return (total - float(np.square(rows.astype(np.float64)).sum())) / (n * (n - 1)) if n > 1 else 0.0


def padding_effect(model: DualModel, captions: Sequence[str], numbers: Integers) -> float:
    """Embed the shortest caption alone and beside the longest, and compare.

    Returns
    -------
    float
        Length of the difference of its two unit rows; some 1e-7 where padding takes no part.
    """
    from clipeval.training.retrieval import embed_all

    by_length = sorted(numbers.tolist(), key=lambda number: (len(captions[number]), number))
    alone = embed_all(model, "text", np.array(by_length[:1]))
    beside = embed_all(model, "text", np.array([by_length[0], by_length[-1]]))
    return float(np.linalg.norm(alone[0] - beside[0]))


def _collapse(row: Mapping[str, Any], part: str) -> str:
    kind = _kind(row, part)
    name = "top-100" if kind == "100" else "hit@1"
    key = "top100" if kind == "100" else "hit1"
    both = ", ".join(
        f"{way} {row[f'{part}_{key}_{way}']:.4f} (chance {row[f'{part}_chance{kind}_{way}']:.4f})"
        for way in ("i2t", "t2i")
    )
    where = "held-out items" if part == "held_out" else "training items"
    return f"{name} on {where} is not above chance: {both}"


def _pooling_cause(words: Mapping[str, Any]) -> str:
    if not words.get("causal"):
        return ""
    if words.get("pooling") == "first":
        return (
            ": the network reads causally, so its first token knows nothing of the text; pool at the last"
            " real token (--text-pooling last)"
        )
    if words.get("pooling") == "end":
        return ": pooled at the last position, which is padding in most texts; use --text-pooling last"
    return ""


def _rate_cause(history: Sequence[Mapping[str, Any]], batch_size: int) -> str:
    first, last, nothing = history[0]["loss"], history[-1]["loss"], math.log(batch_size)
    if max(row["loss"] for row in history) > 1.2 * max(first, nothing) or last > 1.05 * max(first, nothing):
        return f"the loss rose (from {first:.3f} to {last:.3f}): a smaller learning rate, or a longer warm-up"
    if last > 0.97 * nothing:
        return (
            f"the loss ({last:.3f}) is still that of a model that knows nothing (ln {batch_size} ="
            f" {nothing:.3f}): another learning rate, or more epochs"
        )
    return (
        f"the loss fell to {last:.3f} and what is held out did not profit: too few pairs for this network;"
        " freeze more of it, or begin from trained weights"
    )
