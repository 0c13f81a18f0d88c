"""Are the answers still right? The embedded pictures, encoded as they are timed and in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.ranking import rank_retrieval
from clipeval.core.similarity import unit_rows
from clipeval.data.dataset import Dataset
from clipeval.data.pictures import read_picture
from clipeval.encoders.base import Encoder, Rows
from clipeval.encoders.memory import ran_out
from clipeval.errors import EncoderError

LEAST_COSINE = {"float64": 0.99999, "float32": 0.9999, "float16": 0.999, "bfloat16": 0.95}
"""Of every row with the same row in float32, by the dtype that is timed."""

MEDIAN_COSINE = {"float64": 0.999999, "float32": 0.99999, "float16": 0.9999, "bfloat16": 0.997}
"""Of all rows of one side. Rounding throws single rows far off (a plain colour in bfloat16), an error in
the arithmetic moves all of them. Measured by tests/benchmarks/quality_tolerances.py: sound networks have
.9988 and more in bfloat16, those with an epsilon twice as large or weights of eight bits .992 and less."""

MOST_RANKS_MOVED = {"float64": 0.0, "float32": 0.0, "float16": 0.1, "bfloat16": 0.2}
"""Share of the 40 queries whose first place may change hands."""


@dataclass(frozen=True)
class Quality:
    """Whether an encoder, as it is timed, agrees with itself in float32.

    Attributes
    ----------
    agrees : bool
    least_cosine, median_cosine : float or None
        Of pictures and captions with their float32 rows, the median of the side where it is lower; None where
        there are no rows.
    moved : float or None
        Share of queries whose first place differs; None where it says nothing (random weights).
    reason : str
        Why it does not agree; empty where it does.
    """

    agrees: bool
    least_cosine: float | None
    median_cosine: float | None
    moved: float | None
    reason: str


def reference_rows(encoder: Encoder, dataset: Dataset) -> tuple[Rows, Rows]:
    """Encode the pictures and captions of a dataset one at a time.

    Parameters
    ----------
    encoder : Encoder
        In float32 on the CPU.
    dataset : Dataset
        With pictures.

    Returns
    -------
    images, texts : ndarray of float32
    """
    images = [
        encoder.encode_images([read_picture(item.picture)])[0] for item in dataset.items if item.picture
    ]
    texts = [encoder.encode_texts([caption])[0] for caption in dataset.captions]
    return np.stack(images), np.stack(texts)


def check_quality(
    encoder: Encoder,
    dataset: Dataset,
    reference: tuple[Rows, Rows],
    *,
    dtype: str,
    batch_size: int,
    trained: bool = True,
) -> Quality:
    """Encode as it is timed, and compare with the reference.

    Parameters
    ----------
    encoder : Encoder
        With the dtype, device and batch size that are timed.
    dataset : Dataset
        That of the reference.
    reference : tuple of ndarray
        From `reference_rows`.
    dtype : str
        Says the tolerance.
    batch_size : int
        Inputs at a time; they are repeated to fill the last batch.
    trained : bool
        Whether first places mean anything.

    Returns
    -------
    Quality
        Not agreeing where the encoder raises on its rows (NaN, for example), with that as the reason.

    Raises
    ------
    EncoderError
        The batch does not fit into memory.
    """
    pictures = [read_picture(item.picture) for item in dataset.items if item.picture]
    try:
        images = _in_batches(encoder.encode_images, pictures, batch_size)
        texts = _in_batches(encoder.encode_texts, list(dataset.captions), batch_size)
    except EncoderError as error:
        if ran_out(error):
            raise
        return Quality(False, None, None, None, error.what)
    return judge_rows((images, texts), reference, dataset, dtype=dtype, trained=trained)


def judge_rows(
    rows: tuple[Rows, Rows], reference: tuple[Rows, Rows], dataset: Dataset, *, dtype: str, trained: bool
) -> Quality:
    """Compare rows with the same rows in float32.

    Parameters
    ----------
    rows, reference : tuple of ndarray of float32, shape (n, d)
        Of pictures and captions.
    dataset : Dataset
        What they are of.
    dtype : str
        Says the tolerance.
    trained : bool
        Whether first places mean anything.

    Returns
    -------
    Quality
    """
    for now, then in zip(rows, reference, strict=True):
        if now.shape != then.shape:
            return Quality(False, None, None, None, f"rows of shape {now.shape}, in float32 {then.shape}")
    sides = [cosines(now, then) for now, then in zip(rows, reference, strict=True)]
    least = min(float(side.min()) for side in sides)
    middle = min(float(np.median(side)) for side in sides)
    moved = _moved(rows, reference, dataset) if trained else None
    reasons = []
    if least < LEAST_COSINE[dtype]:
        reasons.append(
            f"a row has cosine {least:.5f} with itself in float32, {LEAST_COSINE[dtype]:g} is asked"
        )
    if middle < MEDIAN_COSINE[dtype]:
        reasons.append(
            f"the median row has cosine {middle:.6f} with itself in float32, "
            f"{MEDIAN_COSINE[dtype]:g} is asked"
        )
    if moved is not None and moved > MOST_RANKS_MOVED[dtype]:
        reasons.append(f"{moved:.0%} of first places change, {MOST_RANKS_MOVED[dtype]:.0%} is allowed")
    return Quality(not reasons, least, middle, moved, "; ".join(reasons))


def _in_batches(encode: Callable[[Sequence[Any]], Rows], inputs: Sequence[Any], size: int) -> Rows:
    whole = -(-len(inputs) // size) * size
    filled = [inputs[at % len(inputs)] for at in range(whole)]
    rows = [encode(filled[at : at + size]) for at in range(0, whole, size)]
    return np.concatenate(rows)[: len(inputs)]


def cosines(a: Rows, b: Rows) -> NDArray[np.float64]:
    """Give the cosine of every row with the row in its place, in float64.

    Examples
    --------
    >>> cosines(np.eye(2, dtype=np.float32), np.ones((2, 2), dtype=np.float32)).round(3)
    array([0.707, 0.707])
    """
    left, right = unit_rows(a).astype(np.float64), unit_rows(b).astype(np.float64)
    return np.asarray(np.einsum("nd,nd->n", left, right))


def _moved(rows: tuple[Rows, Rows], reference: tuple[Rows, Rows], dataset: Dataset) -> float:
    owner = dataset.image_of_caption
    now, then = rank_retrieval(*rows, owner), rank_retrieval(*reference, owner)
    changed = [
        (a.best_rival != b.best_rival)[(a.rank > 1) & (b.rank > 1)].sum()
        + ((a.rank > 1) != (b.rank > 1)).sum()
        for a, b in ((now.i2t, then.i2t), (now.t2i, then.t2i))
    ]
    return float(sum(changed)) / (now.i2t.n_queries + now.t2i.n_queries)
