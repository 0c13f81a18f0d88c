"""Models made ready for the clock: loaded, run by the backend that is asked, their answers judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from clipeval.bench.backends import check_backend, put_backend
from clipeval.bench.findings import Model
from clipeval.bench.quality import check_quality, reference_rows
from clipeval.bench.seam import Call, image_seam, text_seam
from clipeval.bench.settings import Settings
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Rows
from clipeval.encoders.load import load_encoder
from clipeval.encoders.memory import ran_out
from clipeval.encoders.random_init import RANDOM_INIT
from clipeval.encoders.spec import parse_spec
from clipeval.errors import ClipevalError, InvalidInputError, NotAvailableError
from clipeval.evaluation import default_cache
from clipeval.evaluation.learning import learned

Say = Callable[[str], None]


@dataclass
class Loaded:
    """An encoder that can be timed.

    Attributes
    ----------
    model : Model
        What the benchmark says of it.
    encoder : Encoder
        Its networks run by the backend.
    plain : dict of str to callable
        torch's own forward pass of each side, where a backend stands in its place.
    reference : tuple of ndarray
        Rows of pictures and captions in float32 on the CPU, by torch.
    """

    model: Model
    encoder: Encoder
    reference: tuple[Rows, Rows]
    plain: dict[str, Call] = field(default_factory=dict)


@dataclass
class Loader:
    """Loads models; rows that several of them are judged by are made once.

    Parameters
    ----------
    settings : Settings
    data : Dataset
        With pictures.
    say : callable
        Told what is being done.
    """

    settings: Settings
    data: Dataset
    say: Say
    references: dict[str, tuple[Rows, Rows]] = field(default_factory=dict)

    def load(self, model: Model) -> Loaded | None:
        """Load a model and put its backend in place; None where it cannot run, ``model`` then says why."""
        self.say(f"loading {model.label}")
        try:
            encoder = self._load(model.spec, placed=True)
            words = encoder.fingerprint
            model.fingerprint = dict(words)
            model.dtype = words.get("dtype", words.get("image: dtype", self.settings.dtype))
            model.random_init = RANDOM_INIT in words.values()
            self.say(f"float32 rows of {model.label}")
            loaded = Loaded(model, encoder, self._reference(model, encoder))
            self._put(loaded)
        except (ClipevalError, RuntimeError, MemoryError) as error:
            refuse(model, error)
            return None
        return loaded

    def judge(self, loaded: Loaded, size: int) -> bool:
        """Check the answers at one batch size; False where the model cannot run at all."""
        model = loaded.model
        self.say(f"checking the answers of {model.label}, batch size {size}")
        try:
            model.quality[size] = check_quality(
                loaded.encoder,
                self.data,
                loaded.reference,
                dtype=model.dtype,
                batch_size=size,
                trained=not model.random_init,
            )
        except (ClipevalError, RuntimeError, MemoryError) as error:
            if not ran_out(error):
                refuse(model, error)
                return False
            model.missing.append(does_not_fit(size))
        return True

    def _load(self, spec: str, *, placed: bool) -> Encoder:
        settings = self.settings
        loaded = load_encoder(
            spec,
            device=settings.device if placed else "cpu",
            dtype=settings.dtype if placed else "float32",
            batch_size=settings.largest_batch if placed else 1,
            offline=settings.offline,
            allow_random_init=settings.allow_random_init,
        )
        # what a bridge learns from is no part of what is timed
        return learned(loaded, cache=default_cache())

    def _reference(self, model: Model, encoder: Encoder) -> tuple[Rows, Rows]:
        parsed = parse_spec(model.spec)
        kept = {key: value for key, value in parsed.options.items() if key not in ("dtype", "device")}
        spec = str(replace(parsed, options=kept))
        if spec not in self.references:
            own = (model.dtype, self.settings.device) == ("float32", "cpu")
            self.references[spec] = reference_rows(
                encoder if own else self._load(spec, placed=False), self.data
            )
        return self.references[spec]

    def _put(self, loaded: Loaded) -> None:
        model, device = loaded.model, self.settings.device
        if model.backend == "torch":
            return
        check_backend(model.backend, device=device, dtype=model.dtype)
        encoder = loaded.encoder
        image, text = image_seam(encoder.image_tower), text_seam(encoder.text_tower)
        if image is None or text is None:
            raise NotAvailableError(
                f"a tower of this encoder cannot be taken apart, so {model.backend} cannot run it",
                fix="time it with --backend torch",
            )
        loaded.plain = put_backend(model.backend, (image, text), device=device, dtype=model.dtype)


def refuse(model: Model, error: Exception) -> None:
    """Note why a model does not run: something is absent, memory too, or it is broken."""
    if ran_out(error):
        model.status, model.reason = "not_run", f"it does not fit into memory: {first_line(error)}"
    elif isinstance(error, ClipevalError):
        absent = isinstance(error, (NotAvailableError, InvalidInputError))
        model.status, model.reason = "not_run" if absent else "broken", error.what
    else:
        model.status, model.reason = "broken", first_line(error)


def does_not_fit(size: int) -> str:
    """Say that a batch is too large, and what to do.

    Examples
    --------
    >>> does_not_fit(512)
    'batch size 512: it does not fit into memory; try 256, or auto'
    """
    advice = f"; try {size // 2}, or auto" if size > 1 else ""
    return f"batch size {size}: it does not fit into memory{advice}"


def first_line(error: BaseException) -> str:
    """Give the first line of an error, or its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
