"""Inputs cut into batches, and what a model returned for them joined into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from clipeval.encoders.base import Rows, as_rows
from clipeval.encoders.imports import import_models
from clipeval.errors import EncoderError

T = TypeVar("T")


def batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into runs of at most ``size``.

    Examples
    --------
    >>> list(batches("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for start in range(0, len(values), size):
        yield values[start : start + size]


def stack(parts: Iterable[Rows], *, width: int) -> Rows:
    """Join the rows of batches; no batches give shape ``(0, width)``."""
    rows = list(parts)
    return np.concatenate(rows) if rows else np.empty((0, width), dtype=np.float32)


def pooled(output: object, *, expected: int, where: str) -> Rows:
    """Take the embedding out of what a model returned.

    Parameters
    ----------
    output : torch.Tensor or an object with ``pooler_output``
        transformers 4 returns the first, transformers 5 the second. Never ``output[0]``: in
        transformers 5 that is the token sequence.
    expected : int
        Number of inputs.
    where : str
        Named in errors.

    Returns
    -------
    ndarray of float32, shape (n, d)

    Raises
    ------
    EncoderError
        Anything else, by the name of its type; or not two-dimensional, not finite, not ``expected`` rows.
    """
    torch = import_models("torch")
    tensor = output if isinstance(output, torch.Tensor) else getattr(output, "pooler_output", None)
    if not isinstance(tensor, torch.Tensor):
        raise EncoderError(
            f"the model returned a {type(output).__name__} without a pooled embedding",
            where=where,
            fix="this architecture or version of the library is not supported: name them in an issue",
        )
    return as_rows(tensor.detach().float().cpu().numpy(), expected=expected, where=where)
