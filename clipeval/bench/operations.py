"""How much multiplying a forward pass needs, and in which shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clipeval.encoders.imports import import_models


@dataclass(frozen=True)
class Product:
    """A matrix product, ``(rows, inner) @ (inner, columns)``.

    Examples
    --------
    >>> product = Product(50, 768, 3072)
    >>> product.operations == 2 * 50 * 768 * 3072, str(product)
    (True, '50x768 by 768x3072')
    """

    rows: int
    inner: int
    columns: int

    @property
    def operations(self) -> int:
        """Two for a multiply-add."""
        return 2 * self.rows * self.inner * self.columns

    def __str__(self) -> str:
        return f"{self.rows}x{self.inner} by {self.inner}x{self.columns}"


@dataclass(frozen=True)
class Operations:
    """What a call multiplies.

    Attributes
    ----------
    total : int
        Floating-point operations of products and convolutions; activations and normalisation are not known
        to the counter, so any share of a rate is a lower bound.
    products : tuple of Product
        The shapes of its matrix products, those with most of the operations first.
    """

    total: int
    products: tuple[Product, ...]


def count_operations(forward: Callable[[], object]) -> Operations | None:
    """Count the floating-point operations of a call with torch's own counter.

    Parameters
    ----------
    forward : callable
        Run once.

    Returns
    -------
    Operations or None
        None where this torch cannot count it, or there is nothing to count.
    """
    torch = import_models("torch")
    seen: Counter[Product] = Counter()

    def plain(left: Sequence[int], right: Sequence[int], *_: Any, **__: Any) -> int:
        product = Product(int(left[0]), int(left[1]), int(right[1]))
        seen[product] += 1
        return product.operations

    def with_bias(_: Any, left: Sequence[int], right: Sequence[int], *__: Any, **___: Any) -> int:
        return plain(left, right)

    try:
        from torch.utils.flop_counter import FlopCounterMode

        # the counter hands shapes to formulas of one's own: these count as torch's do, and keep them
        watched = {torch.ops.aten.mm: plain, torch.ops.aten.addmm: with_bias}
        with (
            torch.inference_mode(),
            _attention_in_parts(torch),
            FlopCounterMode(display=False, custom_mapping=watched) as counter,
        ):
            forward()
        total = int(counter.get_total_flops())
    except (ImportError, RuntimeError, AttributeError):
        return None
    if not total:
        return None
    weight = {product: times * product.operations for product, times in seen.items()}
    return Operations(total, tuple(sorted(weight, key=weight.__getitem__, reverse=True)))


@contextmanager
def _attention_in_parts(torch: Any) -> Iterator[None]:
    """Switch off the fused attention of `torch.nn`, whose four projections the counter does not see."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
