"""Whether a failure means that the memory is full, whatever library says it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

from clipeval.errors import BatchTooLargeError

SIGNS = (
    "out of memory",  # CUDA, MPS, XPU
    "not enough memory",  # torch's allocator on a CPU
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "bad alloc",
    "_status_alloc_failed",  # cuBLAS, cuDNN
)
"""What errors of the libraries that allocate say, in lower case."""


def ran_out(error: BaseException) -> bool:
    """Say whether an error, or what led to it, is that memory could not be had.

    Parameters
    ----------
    error : BaseException
        Of any library; one of ours keeps the library's own as its cause.

    Returns
    -------
    bool

    Examples
    --------
    >>> ran_out(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    >>> ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied")), ran_out(MemoryError())
    (False, True)
    """
    return any(
        isinstance(one, MemoryError | BatchTooLargeError)
        or type(one).__name__ == "OutOfMemoryError"
        or (_of_a_library(one) and any(sign in str(one).lower() for sign in SIGNS))
        for one in _chain(error)
    )


def _of_a_library(error: BaseException) -> bool:
    """Whether a library that allocates may have raised it; ONNX Runtime's errors are of kinds of its own."""
    return isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime")


def too_large(batch_size: int | str, *, where: str) -> BatchTooLargeError:
    """Make the error that says what to do about a batch that does not fit.

    Examples
    --------
    >>> print(too_large(64, where="hf:our/clip"))
    a batch of 64 does not fit into memory
      where: hf:our/clip
      to do: a smaller --batch-size, or --batch-size auto, which halves it until it fits
    """
    if str(batch_size) == "1":
        return BatchTooLargeError(
            "not even a batch of 1 fits into memory",
            where=where,
            fix="half the bits (?dtype=bfloat16), a smaller model, or another device",
        )
    return BatchTooLargeError(
        f"a batch of {batch_size} does not fit into memory",
        where=where,
        fix="a smaller --batch-size, or --batch-size auto, which halves it until it fits",
    )


def give_back() -> None:
    """Give memory back that nothing refers to, also what torch keeps of a GPU's for later."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
