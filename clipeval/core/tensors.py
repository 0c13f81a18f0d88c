"""Tensors of torch as arrays, without importing torch."""

from __future__ import annotations

from typing import Any


def array_and_device(rows: Any) -> tuple[Any, str | None]:
    """Turn a torch tensor into an array and name the CUDA device that it lies on.

    Parameters
    ----------
    rows : array-like or torch.Tensor
        bfloat16, which numpy lacks, becomes float32; every value stays what it is.

    Returns
    -------
    rows : array-like
        What was given, if it is no tensor.
    device : str or None
        None for the processor, and for devices that products are not computed on.

    Examples
    --------
    >>> array_and_device([[1.0]])
    ([[1.0]], None)
    """
    if not (type(rows).__module__.split(".")[0] == "torch" and hasattr(rows, "detach")):
        return rows, None
    tensor = rows.detach()
    device = str(tensor.device) if tensor.device.type == "cuda" else None
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return tensor.cpu().numpy(), device
