"""The roof: how fast this machine multiplies matrices, and which share of that a forward pass reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clipeval.bench.clock import time_calls
from clipeval.bench.devices import Device
from clipeval.bench.operations import Operations, Product
from clipeval.bench.ratio import interleaved_ratio
from clipeval.bench.timing import Timing
from clipeval.core.intervals import Interval
from clipeval.encoders.imports import import_models

SIDES = (512, 1024, 2048)
"""Of the square matrices on a CPU; an accelerator gets four times these."""

OWN_SHAPES = 3
"""Of a network's own products, those with most of its operations, that are tried beside the squares."""


@dataclass(frozen=True)
class Roof:
    """The fastest matrix product that was found.

    Attributes
    ----------
    product : Product
        Its shape.
    operations_per_second : float
        By the fastest call: a roof is what the machine can do, and interruptions only lower it.
    tried : dict of Product to float
        Every shape, with its rate.
    """

    product: Product
    operations_per_second: float
    tried: dict[Product, float]


@dataclass(frozen=True)
class Share:
    """The rate of a forward pass over that of the roof's product, timed in turns.

    Attributes
    ----------
    product_rate : float
        Operations per second of the product in these rounds, by its median call.
    value : float
        Median over the halves of all rounds.
    interval : Interval
        See `clipeval.bench.ratio.interleaved_ratio`.
    """

    product_rate: float
    value: float
    interval: Interval

    @property
    def above(self) -> bool:
        """Whether the whole interval lies above 1: torch's product is then not what limits the machine."""
        return self.interval.low > 1


def raise_roof(
    roof: Roof | None, device: Device, dtype: str, *, own: Sequence[Product] = (), seconds: float = 0.5
) -> Roof:
    """Measure torch's matrix product in several shapes, in turns, and keep the best.

    Parameters
    ----------
    roof : Roof or None
        What was found before; shapes that it tried are not tried again.
    device : Device
    dtype : str
        ``float32`` ...
    own : sequence of Product
        Shapes of the network that will be compared with it.
    seconds : float
        For all shapes together; each is multiplied at least six times.

    Returns
    -------
    Roof

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    tried = dict(roof.tried) if roof else {}
    sides = SIDES if device.name == "cpu" else tuple(4 * side for side in SIDES)
    squares = [Product(side, side, side) for side in sides]
    new = [product for product in dict.fromkeys((*squares, *own[:OWN_SHAPES])) if product not in tried]
    if new:
        timings = time_calls(
            [multiplying(product, device, dtype) for product in new], device, seconds=seconds / len(new)
        )
        for product, timing in zip(new, timings, strict=True):
            tried[product] = product.operations / float(timing.seconds.min())
    best = max(tried, key=tried.__getitem__)
    return Roof(best, tried[best], tried)


def multiplying(product: Product, device: Device, dtype: str, *, times: int = 1) -> Callable[[], object]:
    """Make a call that multiplies matrices of one shape, laid out as a linear layer's are.

    Parameters
    ----------
    product : Product
    device : Device
    dtype : str
    times : int
        How often in one call.

    Returns
    -------
    callable
    """
    torch = import_models("torch")
    kind = getattr(torch, dtype)
    left = torch.rand(product.rows, product.inner, device=device.name).to(kind)
    right = torch.rand(product.columns, product.inner, device=device.name).to(kind).t()
    into = torch.empty(product.rows, product.columns, device=device.name, dtype=kind)

    def multiply() -> None:
        with torch.inference_mode():
            for _ in range(times):
                torch.mm(left, right, out=into)

    return multiply


def share_of(timing: Timing, operations: Operations, product: Timing, multiplied: int) -> Share:
    """Compare a forward pass with a product that was timed in turns with it.

    Parameters
    ----------
    timing : Timing
        Of the forward pass.
    operations : Operations
        Of one forward pass.
    product : Timing
        Of the product's call; the same rounds.
    multiplied : int
        Operations of one such call.

    Returns
    -------
    Share

    Examples
    --------
    >>> import numpy as np
    >>> forward, product = (Timing(np.array(s), np.array(s), 0.0, 1, True) for s in ([4.0] * 4, [1.0] * 4))
    >>> share_of(forward, Operations(200, ()), product, 100).value
    0.5
    """
    scale = operations.total / multiplied
    ratio, interval = interleaved_ratio(product.seconds, timing.seconds)
    bounds = Interval(scale * interval.low, scale * interval.high, interval.level, interval.method)
    return Share(multiplied / product.median, scale * ratio, bounds)


def copy_rate(device: Device, *, seconds: float = 0.5, size: int | None = None) -> float:
    """Measure the bytes per second that a copy within the device's memory reads and writes.

    Parameters
    ----------
    device : Device
    seconds : float
        At least six copies.
    size : int, optional
        Bytes that are copied; by default 256 MiB on a CPU and 1 GiB elsewhere, beyond what caches hold.

    Returns
    -------
    float
        Twice the bytes over the fastest copy's time.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    torch = import_models("torch")
    count = (size or (2**28 if device.name == "cpu" else 2**30)) // 4
    source = torch.ones(count, device=device.name)
    target = torch.empty_like(source)
    (timing,) = time_calls([lambda: target.copy_(source)], device, seconds=seconds)
    return 2 * 4 * count / float(timing.seconds.min())
