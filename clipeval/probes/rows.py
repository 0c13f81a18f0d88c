"""Judging the rows of one call: are they an embedding at all, and how far apart are two of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from clipeval.errors import EncoderError, NotAvailableError
from clipeval.probes.report import ProbeFinding

SAME = 0.01
"""Share of the tolerance within which two rows of one batch count as the same row."""


class Rejected(Exception):  # noqa: N818  (it carries a finding, and never leaves the package)
    """The tower's answer is no matrix of embeddings, so nothing further can be asked of it."""

    def __init__(self, finding: ProbeFinding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give the length of the difference over the larger length; 0 for two zero rows.

    Examples
    --------
    >>> distance(np.array([3.0, 4.0]), np.array([3.0, 4.0])), distance(np.array([1.0, 0]), np.array([0, 0.0]))
    (0.0, 1.0)
    """
    longest = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)))
    return float(np.linalg.norm(one - other)) / longest if longest > 0 else 0.0


def row_order(
    rows: NDArray[np.float64], alone: NDArray[np.float64], place: int, allowed: float, *, side: str
) -> ProbeFinding:
    """Judge whether a batch answers an input at the input's own place.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Of the whole batch.
    alone : ndarray, shape (d,)
        The same input's row, encoded alone.
    place : int
        Where the input stands in the batch.
    allowed : float
        From `tolerance`.
    side : str
        ``pictures`` or ``texts``.

    Returns
    -------
    ProbeFinding

    Examples
    --------
    >>> row_order(np.eye(3), np.eye(3)[2], 0, 1e-4, side="texts").what
    'the answer to input 1 of a batch of 3 texts stands in row 3'
    """
    name = f"row order, {side}"
    apart = [distance(row, alone) for row in rows]
    nearest = int(np.argmin(apart))
    if apart[place] <= allowed or apart[nearest] > allowed:
        return ProbeFinding(name, "ok", "no other row of a batch is the answer to an input")
    what = f"the answer to input {place + 1} of a batch of {len(rows)} {side} stands in row {nearest + 1}"
    fix = "return the rows in the order of the inputs: undo a sort by length, or a shuffle"
    return ProbeFinding(name, "error", what, fix)


def permuted(order: ProbeFinding, finding: ProbeFinding) -> ProbeFinding:
    """Leave a finding that compares rows by their place unsaid where the places are wrong."""
    if order.severity != "error" or finding.severity not in ("error", "warning"):
        return finding
    return ProbeFinding(finding.name, "not_applicable", "the rows come in another order than the inputs")


def ask(encode: Callable[[], object], *, side: str, expected: int) -> NDArray[np.float64]:
    """Call a tower and refuse an answer that is no matrix of finite numbers.

    Parameters
    ----------
    encode : callable
        Returns the rows.
    side : str
        ``pictures`` or ``texts``, for the findings.
    expected : int
        How many rows there must be.

    Returns
    -------
    ndarray of float64, shape (expected, d)

    Raises
    ------
    Rejected
        Three-dimensional, another number of rows, NaN or infinity, or the encoder failed.
    NotAvailableError
        A tower that is built on first use lacks something.
    """
    try:
        rows = np.asarray(encode(), dtype=np.float64)
    except EncoderError as error:
        signs = (("dimension", "two-dimensional"), ("NaN", "finite"))
        name = next((probe for sign, probe in signs if sign in error.what), "encodes")
        fix = error.fix or "check the input, the dtype and the weights"
        raise Rejected(ProbeFinding(name, "error", f"{side}: {error.what}", fix)) from error
    except NotAvailableError:
        raise
    except Exception as error:  # a user's encoder can fail anywhere
        what = f"{side}: the encoder failed: {type(error).__name__}: {error}"
        fix = "encode any picture and a caption of any length (cut what is longer than the model reads)"
        raise Rejected(ProbeFinding("encodes", "error", what, fix)) from error
    if rows.ndim != 2 or len(rows) != expected:
        what = f"{expected} {side} gave an array of shape {rows.shape}, not ({expected}, d)"
        fix = "a third dimension is usually the token sequence: return the pooled embedding"
        raise Rejected(ProbeFinding("two-dimensional", "error", what, fix))
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        what = f"{bad.size} of {expected} {side} gave NaN or infinity"
        raise Rejected(ProbeFinding("finite", "error", what, "check the dtype (float32) and the weights"))
    return rows
