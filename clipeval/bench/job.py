"""One benchmark: load, prove that the answers are right, time the parts in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from clipeval.bench.clock import Timing, time_calls
from clipeval.bench.devices import Device, device_named
from clipeval.bench.machine import machine_words
from clipeval.bench.memory import forget_peak, peak_on_device, peak_resident
from clipeval.bench.parts import PARTS, Part, parts_of
from clipeval.bench.quality import Quality, check_quality, reference_rows
from clipeval.bench.ratio import interleaved_ratio
from clipeval.bench.roof import count_operations, matrix_rate
from clipeval.core.intervals import Interval
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.base import Encoder, Fingerprint
from clipeval.encoders.load import check_family, load_encoder
from clipeval.encoders.placement import DTYPES
from clipeval.encoders.random_init import RANDOM_INIT
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, InvalidInputError, NotAvailableError, SpecError, near

MOST_ROUNDS = 2_000
MOST_INPUTS = 65_536
BACKENDS = ("torch",)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What is timed, and how.

    Attributes
    ----------
    device, dtype, backend : str
    batch_sizes : tuple of int
        Each at least 1.
    parts : tuple of str
        Of `PARTS`.
    seconds : float
        For each part of each model at each batch size.
    offline, allow_random_init : bool
        As for `load_encoder`.
    """

    device: str = "cpu"
    dtype: str = "float32"
    backend: str = "torch"
    batch_sizes: tuple[int, ...] = (1, 8, 32)
    parts: tuple[str, ...] = PARTS
    seconds: float = 1.0
    offline: bool = False
    allow_random_init: bool = False

    def check(self) -> None:
        """Refuse what cannot be timed.

        Raises
        ------
        InvalidInputError
            A batch size below 1 or none, an unknown dtype, backend or part, seconds that are not positive.
        """
        if not self.batch_sizes or min(self.batch_sizes) < 1:
            sizes = ", ".join(map(str, self.batch_sizes)) or "none"
            raise InvalidInputError(f"batch sizes are at least 1, got {sizes}", where="--batch-size")
        if max(self.batch_sizes) > MOST_INPUTS:
            raise InvalidInputError(
                f"a batch of {max(self.batch_sizes)} is beyond any machine",
                where="--batch-size",
                fix=f"at most {MOST_INPUTS}",
            )
        if not 0 < self.seconds < float("inf"):
            raise InvalidInputError(f"cannot measure for {self.seconds:g} seconds", where="--seconds")
        for word, known, where in (
            (self.dtype, DTYPES, "--dtype"),
            (self.backend, BACKENDS, "--backend"),
            *((part, PARTS, "--part") for part in self.parts),
        ):
            if word not in known:
                raise InvalidInputError(f"unknown '{word}'", where=where, fix=near(word, known))


@dataclass
class Model:
    """A model of the benchmark; ``reason`` says why it did not run.

    Attributes
    ----------
    label : str
        The spec, numbered where it is given twice.
    spec : str
    status : str
        ``ok``, ``not_run`` (something is absent) or ``broken``.
    fingerprint : mapping
    dtype : str
        As it runs.
    random_init : bool
        Its weights are random: speed and shape only.
    quality : dict of int to Quality
        By batch size.
    missing : list of str
        Parts that could not be timed, with the reason.
    """

    label: str
    spec: str
    status: str = "ok"
    reason: str = ""
    fingerprint: Fingerprint = field(default_factory=dict)
    dtype: str = ""
    random_init: bool = False
    quality: dict[int, Quality] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Measurement:
    """One part of one model at one batch size.

    Attributes
    ----------
    model : str
        Label.
    part : str
    batch_size : int
    timing : Timing
        Of a call on a whole batch.
    operations : int or None
        Floating-point operations of a call, where they were counted.
    resident, on_device : int or None
        Peak bytes of the process, all models loaded, while this part was timed.
    """

    model: str
    part: str
    batch_size: int
    timing: Timing
    operations: int | None
    resident: int | None
    on_device: int | None

    @property
    def items_per_second(self) -> float:
        """Pictures or texts a second, by the median call."""
        return self.batch_size / self.timing.median


@dataclass(frozen=True)
class Ratio:
    """Seconds of one model over seconds of another, timed in turns."""

    first: str
    second: str
    part: str
    batch_size: int
    ratio: float
    interval: Interval


@dataclass
class Bench:
    """What a benchmark found so far; ``partial`` until it is through."""

    settings: Settings
    machine: Mapping[str, str] = field(default_factory=dict)
    roof: dict[str, float] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    partial: bool = True


def labels_of(specs: Sequence[str]) -> list[str]:
    """Label specs, numbered where one is given twice: a model against itself shows how noisy the machine is.

    Examples
    --------
    >>> labels_of(["hf:a", "hf:b", "hf:a"])
    ['hf:a', 'hf:b', 'hf:a (2)']
    """
    seen: dict[str, int] = {}
    found = []
    for spec in specs:
        seen[spec] = seen.get(spec, 0) + 1
        found.append(spec if seen[spec] == 1 else f"{spec} ({seen[spec]})")
    return found


def run_bench(
    specs: Sequence[str], settings: Settings, *, into: Bench | None = None, progress: Progress | None = None
) -> Bench:
    """Time models on this machine, each beside a proof that its answers are right.

    Parameters
    ----------
    specs : sequence of str
        Model specs; several are timed in turns.
    settings : Settings
    into : Bench, optional
        Filled as the work goes on, so that an interrupted run keeps what it has.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    Bench

    Raises
    ------
    InvalidInputError, SpecError, NotAvailableError
        Settings or specs that cannot be timed, a device that is not here. A model that is absent or broken
        is reported in its place.
    """
    settings.check()
    device = device_named(settings.device)
    for spec in specs:
        check_family(spec)
        parsed = parse_spec(spec)
        if parsed.plays_back:
            raise SpecError(
                "stored rows are played back, not computed", where=spec, fix="name a model to time"
            )
        if parsed.options.get("device", settings.device) != settings.device:
            raise SpecError("the spec names another device", where=spec, fix="say it with --device")
    say = progress or (lambda _: None)
    found = into or Bench(settings)
    found.machine = machine_words(settings.device)
    data = load_dataset("embedded")
    encoders: dict[str, Encoder] = {}
    for label, spec in zip(labels_of(specs), specs, strict=True):
        say(f"loading {label}")
        model = Model(label, spec)
        found.models.append(model)
        encoder = _load(model, settings)
        if encoder is not None and _judged(model, encoder, settings, data, say):
            encoders[label] = encoder
    for size in settings.batch_sizes:
        _time(found, encoders, data, device, size, say)
    found.partial = False
    return found


def _load(model: Model, settings: Settings) -> Encoder | None:
    try:
        encoder = load_encoder(
            model.spec,
            device=settings.device,
            dtype=settings.dtype,
            batch_size=max(settings.batch_sizes),
            offline=settings.offline,
            allow_random_init=settings.allow_random_init,
        )
    except (NotAvailableError, EncoderError) as error:
        model.status = "not_run" if isinstance(error, NotAvailableError) else "broken"
        model.reason = error.what
        return None
    words = encoder.fingerprint
    model.fingerprint = dict(words)
    model.dtype = words.get("dtype", words.get("image: dtype", settings.dtype))
    model.random_init = RANDOM_INIT in words.values()
    return encoder


def _judged(model: Model, encoder: Encoder, settings: Settings, data: Dataset, say: Progress) -> bool:
    say(f"checking the answers of {model.label}")
    try:
        plain = encoder
        if (model.dtype, settings.device) != ("float32", "cpu"):
            spec = parse_spec(model.spec)
            kept = {key: value for key, value in spec.options.items() if key not in ("dtype", "device")}
            plain = load_encoder(
                str(replace(spec, options=kept)),
                batch_size=1,
                offline=settings.offline,
                allow_random_init=settings.allow_random_init,
            )
        reference = reference_rows(plain, data)
        for size in settings.batch_sizes:
            model.quality[size] = check_quality(
                encoder, data, reference, dtype=model.dtype, batch_size=size, trained=not model.random_init
            )
    except (NotAvailableError, EncoderError) as error:
        model.status, model.reason = "broken", error.what
        return False
    except (RuntimeError, MemoryError) as error:
        model.status, model.reason = "broken", _first_line(error)
        return False
    return True


def _time(
    found: Bench, encoders: Mapping[str, Encoder], data: Dataset, device: Device, size: int, say: Progress
) -> None:
    settings = found.settings
    files = [item.picture.read() for item in data.items if item.picture]
    encoded = [files[at % len(files)] for at in range(size)]
    texts = [data.captions[at % len(data.captions)] for at in range(size)]
    parts: dict[str, dict[str, Part]] = {}
    for model in found.models:
        if model.label not in encoders:
            continue
        try:
            able, missing = parts_of(encoders[model.label], encoded, texts, wanted=settings.parts)
        except (RuntimeError, MemoryError) as error:
            able, missing = [], [f"batch size {size}: {_first_line(error)}"]
        model.missing += [words for words in missing if words not in model.missing]
        for part in able:
            parts.setdefault(part.name, {})[model.label] = part
    for name in (name for name in PARTS if name in parts):
        labels = list(parts[name])
        if name.startswith("forward"):
            _raise_roof(found, labels, device, say)
        say(f"timing {name}, batch size {size}")
        forget_peak(device.name)
        try:
            timings = time_calls(
                [parts[name][label].call for label in labels],
                device,
                seconds=settings.seconds,
                at_most=MOST_ROUNDS,
            )
        except (RuntimeError, MemoryError) as error:  # out of memory, mostly
            for model in found.models:
                if model.label in labels:
                    model.missing.append(f"{name}, batch size {size}: {_first_line(error)}")
            continue
        resident, on_device = peak_resident(), peak_on_device(device.name)
        for label, timing in zip(labels, timings, strict=True):
            counted = count_operations(parts[name][label].call) if name.startswith("forward") else None
            found.measurements.append(Measurement(label, name, size, timing, counted, resident, on_device))
        for (one, a), (two, b) in combinations(zip(labels, timings, strict=True), 2):
            ratio, interval = interleaved_ratio(a.seconds, b.seconds)
            found.ratios.append(Ratio(one, two, name, size, ratio, interval))


def _raise_roof(found: Bench, labels: Sequence[str], device: Device, say: Progress) -> None:
    """Measure the machine's own rate in every dtype that is about to be timed, in the same run."""
    for dtype in dict.fromkeys(model.dtype for model in found.models if model.label in labels):
        if dtype not in found.roof:
            say(f"multiplying matrices in {dtype}")
            found.roof[dtype] = matrix_rate(device, dtype, seconds=min(found.settings.seconds, 1.0))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
