"""The roof: how fast this machine multiplies matrices, and how much multiplying a forward pass needs."""

from __future__ import annotations

from collections.abc import Callable

from clipeval.bench.clock import time_call
from clipeval.bench.devices import Device
from clipeval.encoders.imports import import_models

SIDES = (1024, 2048)
"""Of the square matrices on a CPU; an accelerator gets four times these."""


def matrix_rate(device: Device, dtype: str, *, seconds: float = 1.0) -> float:
    """Measure floating-point operations per second of torch's matrix product, the better of two sizes.

    Parameters
    ----------
    device : Device
    dtype : str
        ``float32`` ...
    seconds : float
        For each size, at least three products.

    Returns
    -------
    float
        ``2 n³`` operations a product, by its median time.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    torch = import_models("torch")
    best = 0.0
    with torch.inference_mode():
        for side in SIDES if device.name == "cpu" else [4 * side for side in SIDES]:
            left, right = (
                torch.rand(side, side, device=device.name).to(getattr(torch, dtype)) for _ in range(2)
            )
            timing = time_call(lambda a=left, b=right: a @ b, device, seconds=seconds, at_least=3)  # type: ignore[misc]
            best = max(best, 2 * side**3 / timing.median)
    return best


def count_operations(forward: Callable[[], object]) -> int | None:
    """Count the floating-point operations of a call: products and convolutions, two for a multiply-add.

    torch's own counter; what it does not know (activations, normalisation) counts nothing, so a share of the
    roof is a lower bound.

    Parameters
    ----------
    forward : callable
        Run once.

    Returns
    -------
    int or None
        None where this torch cannot count it.
    """
    torch = import_models("torch")
    try:
        from torch.utils.flop_counter import FlopCounterMode

        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            forward()
        return int(counter.get_total_flops()) or None
    except (ImportError, RuntimeError, AttributeError):
        return None
