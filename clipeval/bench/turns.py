"""One part of all models at one batch size, timed in turns with each other and with the roof's product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter

from clipeval.bench.clock import time_calls
from clipeval.bench.devices import Device
from clipeval.bench.findings import Bench, Measurement, Ratio
from clipeval.bench.loading import Loaded, Say, does_not_fit, first_line
from clipeval.bench.memory import forget_peak, peak_on_device, peak_resident
from clipeval.bench.operations import Operations, count_operations
from clipeval.bench.parts import PARTS, Part, parts_of
from clipeval.bench.ratio import QUIET, Noise, interleaved_ratio, noise_of
from clipeval.bench.roof import multiplying, raise_roof, share_of
from clipeval.bench.timing import Seconds, Timing
from clipeval.data.dataset import Dataset
from clipeval.encoders.memory import ran_out
from clipeval.errors import ClipevalError

LEAST_ROUNDS, MOST_ROUNDS = 5, 1_000
"""Of fewer than five, the interval of a call against itself claims 95 % and holds in 75 to 88 %."""
PATIENCE = 5.0
"""How many times ``--seconds`` a part is timed where a call against itself still differs too much."""


@dataclass(frozen=True)
class Turn:
    """One model's part, and what its forward pass multiplies."""

    loaded: Loaded
    part: Part
    operations: Operations | None = None


def inputs_of(data: Dataset, size: int) -> tuple[list[bytes], list[str]]:
    """Repeat the pictures' files and the captions of a dataset to fill one batch."""
    files = [item.picture.read() for item in data.items if item.picture]
    return (
        [files[at % len(files)] for at in range(size)],
        [data.captions[at % len(data.captions)] for at in range(size)],
    )


def time_batch(
    found: Bench, models: Sequence[Loaded], data: Dataset, device: Device, size: int, say: Say
) -> None:
    """Time every part that was asked, at one batch size, into ``found``; only where answers were checked."""
    encoded, texts = inputs_of(data, size)
    parts: dict[str, list[Turn]] = {}
    for loaded in [one for one in models if size in one.model.quality]:
        try:
            able, missing = parts_of(
                loaded.encoder, encoded, texts, wanted=found.settings.parts, plain=loaded.plain
            )
        except (ClipevalError, RuntimeError, MemoryError) as error:
            able, missing = [], [_reason(error, size)]
        loaded.model.missing += [words for words in missing if words not in loaded.model.missing]
        for part in able:
            parts.setdefault(part.name, []).append(Turn(loaded, part))
    for name in (name for name in PARTS if name in parts):
        try:
            _time_part(found, name, parts[name], device, size, say)
        except (ClipevalError, RuntimeError, MemoryError) as error:
            for turn in parts[name]:
                turn.loaded.model.missing.append(f"{name}, {_reason(error, size)}")


def _time_part(found: Bench, name: str, turns: list[Turn], device: Device, size: int, say: Say) -> None:
    if name.startswith("forward"):
        turns = [
            Turn(one.loaded, one.part, count_operations(one.part.counted) if one.part.counted else None)
            for one in turns
        ]
    products = _products(found, turns, device, say)
    say(f"timing {name}, batch size {size}")
    forget_peak(device.name)
    timings = time_calls(
        [*(one.part.call for one in turns), *(call for call, _ in products.values())],
        device,
        seconds=found.settings.seconds,
        at_least=LEAST_ROUNDS,
        at_most=MOST_ROUNDS,
        patience=PATIENCE,
        quiet=lambda seconds: _quiet(seconds[: len(turns)]),
    )
    resident, on_device = peak_resident(), peak_on_device(device.name)
    by_dtype = dict(zip(products, timings[len(turns) :], strict=True))
    noises = [noise_of(timing.seconds) for timing in timings[: len(turns)]]
    for one, timing, noise in zip(turns, timings, noises, strict=False):
        dtype, share = one.loaded.model.dtype, None
        if one.operations is not None and dtype in products:
            share = share_of(timing, one.operations, by_dtype[dtype], products[dtype][1])
        total = one.operations.total if one.operations else None
        label = one.loaded.model.label
        found.measurements.append(
            Measurement(label, name, size, one.part.items, timing, noise, total, share, resident, on_device)
        )
    whole = list(zip(turns, timings, noises, strict=False))
    found.ratios += [_ratio(name, size, a, b) for a, b in combinations(whole, 2)]


def _products(
    found: Bench, turns: Sequence[Turn], device: Device, say: Say
) -> dict[str, tuple[Callable[[], object], int]]:
    """Give a call of the roof's product for every dtype, about as long as a forward pass, and its size."""
    made: dict[str, tuple[Callable[[], object], int]] = {}
    for dtype in dict.fromkeys(one.loaded.model.dtype for one in turns if one.operations):
        own = [product for one in turns if one.operations for product in one.operations.products]
        say(f"multiplying matrices in {dtype}")
        roof = raise_roof(
            found.roof.get(dtype), device, dtype, own=own, seconds=min(found.settings.seconds, 2.0)
        )
        found.roof[dtype] = roof
        start = perf_counter()
        turns[0].part.call()
        device.synchronise()
        taken = perf_counter() - start
        # a short call slips between two interruptions that a long one meets
        times = max(1, round(taken * roof.operations_per_second / roof.product.operations))
        made[dtype] = (multiplying(roof.product, device, dtype, times=times), times * roof.product.operations)
    return made


def _quiet(seconds: Sequence[Seconds]) -> bool:
    return all(noise_of(one).half_width <= QUIET for one in seconds)


def _ratio(name: str, size: int, a: tuple[Turn, Timing, Noise], b: tuple[Turn, Timing, Noise]) -> Ratio:
    ratio, interval = interleaved_ratio(a[1].seconds, b[1].seconds)
    noise = max(a[2], b[2], key=lambda one: one.half_width)
    return Ratio(a[0].loaded.model.label, b[0].loaded.model.label, name, size, ratio, interval, noise)


def _reason(error: BaseException, size: int) -> str:
    return does_not_fit(size) if ran_out(error) else f"batch size {size}: {first_line(error)}"
