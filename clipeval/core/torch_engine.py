"""Products and counts of blocks with torch, on the processor or on an accelerator.

The exact scores are computed by numpy whatever the device, so the ranks do not depend on it; the device only
has to say which few pairs need them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clipeval.core.block_budget import Budget
from clipeval.core.block_counts import Crowded, count_sorted
from clipeval.core.error_bound import BFLOAT16, FLOAT16, FLOAT32, TF32, FilterFormat, error_bound
from clipeval.core.numpy_engine import Hidden
from clipeval.core.positives import Integers
from clipeval.core.thresholds import BlockCounts, Thresholds
from clipeval.core.ties import Floats
from clipeval.errors import InvalidInputError, near

FORMATS: dict[str, FilterFormat] = {
    "float32": FLOAT32,
    "tf32": TF32,
    "float16": FLOAT16,
    "bfloat16": BFLOAT16,
}
_DEVICE_ROWS, _DEVICE_COLUMNS = 4096, 16384  # 256 MiB of scores on the device
_ONE_SETTING = threading.RLock()  # the precision of products belongs to the process, not to a thread
_HALF_SCALE = 2.0**14  # float16 has no room below 6e-5; a power of two rounds nothing


class TorchEngine:
    """torch on one device.

    Parameters
    ----------
    device : str
        What torch calls it: ``cpu``, ``cuda``, ``cuda:1`` …
    filter_format : str
        Of the fast product: ``float32``, ``tf32``, ``float16`` or ``bfloat16``. On the processor the narrow
        ones are emulated: entries are rounded and multiplied in float32.

    Raises
    ------
    InvalidInputError
        Unknown format or device.
    """

    def __init__(self, device: str, filter_format: str = "float32") -> None:
        if filter_format not in FORMATS:
            raise InvalidInputError(
                f"unknown filter format '{filter_format}'", fix=near(str(filter_format), tuple(FORMATS))
            )
        try:
            self._device = torch.device(device)
            torch.zeros(1, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise InvalidInputError(
                f"torch cannot use device '{device}'",
                where=str(error).splitlines()[0],
                fix="pass 'cpu', or a device that torch sees here",
            ) from error
        if self._device.type not in ("cpu", "cuda"):
            raise InvalidInputError(
                f"nothing is known of how device '{device}' rounds a product",
                fix="pass 'cpu' or 'cuda', or no device",
            )
        self._format = filter_format
        self._tables: dict[int, tuple[NDArray[np.float32], Any]] = {}

    def fitted(self, budget: Budget) -> Budget:
        """One worker, since torch has threads of its own; larger blocks on an accelerator."""
        if self._device.type == "cpu":
            return replace(budget, workers=1)
        return replace(budget, workers=1, rows=_DEVICE_ROWS, columns=_DEVICE_COLUMNS)

    def bound(self, width: int) -> float:
        """See `clipeval.core.numpy_engine.Engine`."""
        return error_bound(width, FORMATS[self._format])

    def load(self, rows: NDArray[np.float32]) -> _Loaded:
        """Bring rows to the device, as they are and rounded for the fast product."""
        whole = torch.from_numpy(np.ascontiguousarray(rows)).to(self._device)
        return _Loaded(whole, self._rounded(whole))

    def _rounded(self, rows: Any) -> Any:
        if self._format == "float16":
            return (rows * _HALF_SCALE).to(torch.float16)
        if self._format == "bfloat16":
            return rows.to(torch.bfloat16)
        if self._format == "tf32" and self._device.type == "cpu":  # what the hardware drops
            return (rows.view(torch.int32) & -(1 << 13)).view(torch.float32)
        return rows

    def product(self, rows: _Loaded, columns: _Loaded, hidden: Hidden) -> tuple[Any, Floats]:
        """See `clipeval.core.numpy_engine.Engine`."""
        left, right = rows.rounded, columns.rounded
        tf32 = self._format == "tf32" and self._device.type == "cuda"
        with _precision(self._device.type, "tf32" if tf32 else "ieee"):
            if left.dtype == torch.float32:
                block = left @ right.T
            elif self._device.type == "cuda":  # float32 sums and results, or the bound would not hold
                block = torch.mm(left, right.T, out_dtype=torch.float32)
            else:
                block = left.float() @ right.float().T
        if self._format == "float16":
            block *= _HALF_SCALE**-2
        places = _on(self._device, hidden)
        seen: Floats = block[places].double().cpu().numpy()
        block[places] = -torch.inf
        return block, seen

    def exact(self, rows: _Loaded, columns: _Loaded, hidden: Hidden) -> Floats:
        """See `clipeval.core.numpy_engine.Engine`."""
        block = rows.whole.double() @ columns.whole.double().T
        block[_on(self._device, hidden)] = -torch.inf
        found: Floats = block.cpu().numpy()
        return found

    def count(
        self, block: Any, thresholds: Thresholds, *, axis: int, own: int, other: int, most_unsure: int
    ) -> BlockCounts:
        """See `clipeval.core.block_counts.count_block`; rows with many thresholds are counted by numpy."""
        size = block.shape[axis]
        begin = thresholds.offsets[own : own + size]
        extra = None
        if thresholds.copies is not None:
            copies = thresholds.copies[other : other + block.shape[1 - axis]]
            several = np.flatnonzero(copies > 1)
            if several.size:
                extra = (_on(self._device, several), _on(self._device, copies[several] - 1))
        which, above, unsure_which, unsure_other = ([np.zeros(0, np.int64)] for _ in range(4))
        many = thresholds.many_between(own, own + size)
        if many.size:
            rows = block.index_select(axis, _on(self._device, many - own)).cpu().numpy()
            rest = count_sorted(rows if axis == 0 else rows.T, many, thresholds, other, most_unsure)
            which.append(rest.threshold)
            above.append(rest.above)
            unsure_which.append(rest.unsure_threshold)
            unsure_other.append(rest.unsure_other)
        for slot, tables in enumerate(thresholds.slots):
            owners = thresholds.owners(slot, own, own + size)
            if not owners.size:
                break
            high, low = (self._table(table)[own : own + size] for table in tables)
            sure = block > _along(high, axis)
            total = sure.sum(dim=1 - axis)
            if extra is not None:
                part = sure.index_select(1 - axis, extra[0])
                total += (part * _along(extra[1], 1 - axis)).sum(dim=1 - axis)
            unsure = (block >= _along(low, axis)) & ~sure
            most_unsure -= int(unsure.sum())
            if most_unsure < 0:
                raise Crowded
            row, column = (found.cpu().numpy() for found in unsure.nonzero(as_tuple=True))
            major, minor = (row, column) if axis == 0 else (column, row)
            which.append(begin[owners] + slot)
            above.append(total.cpu().numpy()[owners])
            unsure_which.append(begin[major] + slot)
            unsure_other.append(other + minor)
        return BlockCounts(
            np.concatenate(which),
            np.concatenate(above),
            None,
            np.concatenate(unsure_which),
            np.concatenate(unsure_other),
        )

    def entries_from(
        self, block: Any, least: NDArray[np.float32], *, axis: int, most: int
    ) -> tuple[Integers, Integers, NDArray[np.float32]]:
        """See `clipeval.core.block_counts.entries_from`."""
        mask = block >= _along(_on(self._device, least), axis)
        if int(mask.sum()) > most:
            raise Crowded
        row, column = mask.nonzero(as_tuple=True)
        values = block[row, column].cpu().numpy()
        major, minor = (row, column) if axis == 0 else (column, row)
        return major.cpu().numpy(), minor.cpu().numpy(), values

    def kth(self, block: Any, k: int, *, axis: int) -> Floats:
        """See `clipeval.core.numpy_engine.Engine`."""
        if k > block.shape[1 - axis]:
            return np.full(block.shape[axis], -np.inf)
        best = block.topk(k, dim=1 - axis).values
        found: Floats = best.select(1 - axis, k - 1).double().cpu().numpy()
        return found

    def _table(self, table: NDArray[np.float32]) -> Any:
        if id(table) not in self._tables:  # the array is kept too, so that its id stays its own
            self._tables[id(table)] = (table, _on(self._device, table))
        return self._tables[id(table)][1]


class _Loaded:
    """Rows on the device; a slice of them is a slice of both forms."""

    def __init__(self, whole: Any, rounded: Any) -> None:
        self.whole, self.rounded = whole, rounded

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, part: slice) -> _Loaded:
        return _Loaded(self.whole[part], self.rounded[part])


def _on(device: Any, array: Any) -> Any:
    if isinstance(array, tuple):
        return tuple(_on(device, part) for part in array)
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _along(values: Any, axis: int) -> Any:
    return values[:, None] if axis == 0 else values[None, :]


@contextmanager
def _precision(device_type: str, wanted: str) -> Iterator[None]:
    """Say what a float32 product is rounded to ("ieee" or "tf32"), and put the caller's settings back.

    The bound holds for the format that was asked for, so neither an autocast around the call nor a precision
    that the caller, or another thread of this class, has set may reach the product.
    """
    library: Any = torch.backends.cuda if device_type == "cuda" else torch.backends.mkldnn
    backend: Any = getattr(library, "matmul", None)
    with _ONE_SETTING, torch.autocast(device_type, enabled=False):
        if hasattr(backend, "fp32_precision"):
            before = backend.fp32_precision
            backend.fp32_precision = wanted
            try:
                yield
            finally:
                backend.fp32_precision = before
        else:  # torch before 2.9
            before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("high" if wanted == "tf32" else "highest")
            try:
                yield
            finally:
                torch.set_float32_matmul_precision(before)
