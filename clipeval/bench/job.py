"""One benchmark: load, prove that the answers are right, time the parts in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from clipeval.bench.auto_batch import find_batch
from clipeval.bench.backends import check_backend
from clipeval.bench.clock import time_call
from clipeval.bench.devices import Device, device_named
from clipeval.bench.findings import Bench, Model, labels_of
from clipeval.bench.halves import take_apart_images
from clipeval.bench.loading import Loaded, Loader, Say, refuse
from clipeval.bench.machine import machine_words
from clipeval.bench.memory_limit import limited_memory
from clipeval.bench.parts import parts_of
from clipeval.bench.roof import copy_rate
from clipeval.bench.settings import MOST_INPUTS, Settings
from clipeval.bench.turns import inputs_of, time_batch
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.load import check_family
from clipeval.encoders.resizing import RESIZING
from clipeval.encoders.spec import parse_spec
from clipeval.errors import ClipevalError, SpecError

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and of how many."""


def run_bench(
    specs: Sequence[str], settings: Settings, *, into: Bench | None = None, progress: Progress | None = None
) -> Bench:
    """Time models on this machine, each beside a proof that its answers are right.

    Parameters
    ----------
    specs : sequence of str
        Model specs; several are timed in turns, each with every backend.
    settings : Settings
    into : Bench, optional
        Filled as the work goes on, so that an interrupted run keeps what it has.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    Bench

    Raises
    ------
    InvalidInputError, SpecError, NotAvailableError
        Settings or specs that cannot be timed, a device that is not here, a backend whose packages are not.
        A model that is absent or broken is reported in its place.
    """
    settings.check()
    device = device_named(settings.device)
    for spec in specs:
        _check_spec(spec, settings)
    for backend in settings.backends:
        check_backend(backend, device=settings.device, dtype=settings.dtype)
    found = into or Bench(settings)
    found.machine = machine_words(settings.device)
    found.load = _load()
    RESIZING.start()  # as it is used for many pictures
    with limited_memory(device.name):
        _run(found, specs, device, progress or (lambda *_: None))
    found.load += _load()
    found.partial = False
    return found


def _check_spec(spec: str, settings: Settings) -> None:
    check_family(spec)
    parsed = parse_spec(spec)
    if parsed.plays_back:
        raise SpecError("stored rows are played back, not computed", where=spec, fix="name a model to time")
    if parsed.options.get("device", settings.device) != settings.device:
        raise SpecError("the spec names another device", where=spec, fix="say it with --device")


def _run(found: Bench, specs: Sequence[str], device: Device, progress: Progress) -> None:
    settings, data = found.settings, load_dataset("embedded")
    named = labels_of(specs, settings.backends)
    done, steps = 0, 2 * len(named) + len(settings.batch_sizes) + settings.auto_batch
    loader = Loader(settings, data, lambda words: progress(words, done, steps))
    models: list[Loaded] = []
    for label, spec, backend in named:
        found.models.append(Model(label, spec, backend))
        loaded = loader.load(found.models[-1])
        done += 1
        if loaded is not None and all(loader.judge(loaded, size) for size in settings.batch_sizes):
            models.append(loaded)
        done += 1
    # without torch nobody can say; where memory ends here, the models may still fit
    with suppress(ClipevalError, RuntimeError, MemoryError):
        loader.say("copying memory")
        found.copy = copy_rate(device, seconds=min(settings.seconds, 0.5))
    for size in settings.batch_sizes:
        time_batch(found, models, data, device, size, loader.say)
        done += 1
    if settings.auto_batch:
        _time_best(found, models, data, device, loader)


def _time_best(found: Bench, models: Sequence[Loaded], data: Dataset, device: Device, loader: Loader) -> None:
    """Find each model's best batch size, then time the models that share one together."""
    sizes: dict[int, list[Loaded]] = {}
    for loaded in models:
        model = loaded.model
        # by the network alone, where it can be reached
        part = "forward image" if take_apart_images(loaded.encoder.image_tower) else "end to end image"
        rate = partial(_rate, found, loaded, part, data, device, say=loader.say)
        try:
            model.auto = find_batch(rate, part, most=MOST_INPUTS)
        except (ClipevalError, RuntimeError, MemoryError) as error:
            refuse(model, error)
            continue
        size = model.auto.batch_size
        if size in found.settings.batch_sizes or loader.judge(loaded, size):
            sizes.setdefault(size, []).append(loaded)
    for size, together in sizes.items():
        if size not in found.settings.batch_sizes:
            time_batch(found, together, data, device, size, loader.say)


def _rate(
    found: Bench, loaded: Loaded, part: str, data: Dataset, device: Device, size: int, say: Say
) -> float:
    say(f"auto batch size of {loaded.model.label}: {size}")
    encoded, texts = inputs_of(data, size)
    (made,), _ = parts_of(loaded.encoder, encoded, texts, wanted=(part,))
    timing = time_call(made.call, device, seconds=min(found.settings.seconds, 1.0) / 2, at_least=2)
    return size / timing.median


def _load() -> tuple[float, ...]:
    """Give the runnable processes of the last minute, where the system counts them."""
    try:
        return (round(os.getloadavg()[0], 2),)
    except (AttributeError, OSError):
        return ()
