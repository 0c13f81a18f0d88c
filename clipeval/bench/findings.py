"""What a benchmark found so far, in the order in which it finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clipeval.bench.auto_batch import AutoBatch
from clipeval.bench.quality import Quality
from clipeval.bench.ratio import Noise
from clipeval.bench.roof import Roof, Share
from clipeval.bench.settings import Settings
from clipeval.bench.timing import Timing
from clipeval.core.intervals import Interval
from clipeval.encoders.base import Fingerprint


@dataclass
class Model:
    """A model with a backend; ``reason`` says why it did not run.

    Attributes
    ----------
    label : str
        The spec, with the backend where it is not torch's own, numbered where it is given twice.
    spec, backend : str
    status : str
        ``ok``, ``not_run`` (something is absent, or cannot be exported) or ``broken``.
    fingerprint : mapping
    dtype : str
        As it runs.
    random_init : bool
        Its weights are random: speed and shape only.
    quality : dict of int to Quality
        By batch size.
    auto : AutoBatch or None
        How its best batch size was found, where that was asked.
    missing : list of str
        Parts that could not be timed, with the reason.
    """

    label: str
    spec: str
    backend: str = "torch"
    status: str = "ok"
    reason: str = ""
    fingerprint: Fingerprint = field(default_factory=dict)
    dtype: str = ""
    random_init: bool = False
    quality: dict[int, Quality] = field(default_factory=dict)
    auto: AutoBatch | None = None
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
    items : int
        Pictures or texts of one call: a batch, or several that overlap.
    timing : Timing
        Of a call.
    noise : Noise
        The part against itself.
    operations : int or None
        Floating-point operations of a call, where they were counted.
    share : Share or None
        Of the matrix product that was timed in turns with it.
    resident, on_device : int or None
        Peak bytes of the process, all models loaded, while this part was timed.
    """

    model: str
    part: str
    batch_size: int
    items: int
    timing: Timing
    noise: Noise
    operations: int | None = None
    share: Share | None = None
    resident: int | None = None
    on_device: int | None = None

    @property
    def items_per_second(self) -> float:
        """Pictures or texts a second, by the median call."""
        return self.items / self.timing.median


@dataclass(frozen=True)
class Ratio:
    """Seconds of one model over seconds of another, timed in turns; ``noise`` is the larger of the two."""

    first: str
    second: str
    part: str
    batch_size: int
    ratio: float
    interval: Interval
    noise: Noise


@dataclass
class Bench:
    """What a benchmark found so far; ``partial`` until it is through.

    Attributes
    ----------
    settings : Settings
    machine : mapping of str to str
    roof : dict of str to Roof
        By dtype.
    copy : float or None
        Bytes a second that a copy in the device's memory reads and writes.
    load : tuple of float, or None
        Runnable processes over one minute when it began, and when it ended.
    models, measurements, ratios : list
    partial : bool
    """

    settings: Settings
    machine: Mapping[str, str] = field(default_factory=dict)
    roof: dict[str, Roof] = field(default_factory=dict)
    copy: float | None = None
    load: tuple[float, ...] = ()
    models: list[Model] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    partial: bool = True


def labels_of(specs: Sequence[str], backends: Sequence[str] = ("torch",)) -> list[tuple[str, str, str]]:
    """Label specs times backends, numbered where a spec is given twice.

    A model against itself shows how noisy the machine is.

    Returns
    -------
    list of (label, spec, backend)

    Examples
    --------
    >>> [label for label, _, _ in labels_of(["hf:a", "hf:b", "hf:a"])]
    ['hf:a', 'hf:b', 'hf:a (2)']
    >>> labels_of(["hf:a"], ["torch", "onnx"])
    [('hf:a', 'hf:a', 'torch'), ('hf:a [onnx]', 'hf:a', 'onnx')]
    """
    seen: dict[str, int] = {}
    found = []
    for spec in specs:
        for backend in backends:
            name = spec if backend == "torch" else f"{spec} [{backend}]"
            seen[name] = seen.get(name, 0) + 1
            found.append((name if seen[name] == 1 else f"{name} ({seen[name]})", spec, backend))
    return found
