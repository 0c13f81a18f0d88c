"""From a model spec to an evaluation, with shipped embeddings where the models' packages are absent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.load import load_encoder
from clipeval.encoders.spec import parse_spec
from clipeval.errors import MissingExtraError, NotAvailableError
from clipeval.evaluation.batch_size import BatchSize, fitting
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.engine import HERE, Engine, EngineOfModel
from clipeval.evaluation.evaluate import Evaluation, evaluate
from clipeval.evaluation.learning import learned
from clipeval.evaluation.precomputed import WHERE_IT_SERVES, is_shipped, precomputed_encoder
from clipeval.probes import ProbeStore, require_sound


def evaluate_spec(
    spec: str,
    dataset: Dataset,
    *,
    device: str = "cpu",
    batch_size: BatchSize = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    cache: EmbeddingCache | None = None,
    probing: bool = True,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    seen_too: bool = False,
    engine: Engine | None = None,
) -> Evaluation:
    """Load a model by its spec, probe it, and evaluate it.

    Where packages are absent, the embeddings shipped with clipeval stand in for the default models on the
    embedded dataset, labelled so; they were made on a CPU and stand in for no other device.

    Parameters
    ----------
    spec : str
        A model spec.
    dataset : Dataset
        What to evaluate on.
    device, offline, allow_random_init
        See `clipeval.load_encoder`.
    batch_size : int or "auto"
        Inputs in one forward pass; ``auto`` halves it until it fits, see `clipeval.evaluation.batch_size`.
    cache, progress
        See `clipeval.evaluate`. What the probes found is kept in the cache's folder too.
    probing : bool
        Probe the model first (`clipeval.probes`); one with an error is not evaluated.
    say : callable, optional
        Told which batch size is used, where ``auto`` had to halve it.
    seen_too : bool
        See `clipeval.evaluate`.
    engine : Engine, optional
        Who encodes and ranks (`clipeval.cluster.RayEngine`); by default this process.

    Returns
    -------
    Evaluation
        With the probes' warnings.

    Raises
    ------
    SpecError
        The spec cannot be understood.
    NotAvailableError
        Weights, packages or pictures are absent.
    EncoderError
        A probe found an error, what the model gave was refused, or a batch does not fit into memory.
    PictureError
        A picture cannot be decoded.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> evaluate_spec("frozen:no-such-file.npz", load_dataset("embedded"))
    Traceback (most recent call last):
    clipeval.errors.NotAvailableError: ...
    """

    def run(size: int, progress: Progress | None) -> Evaluation:
        options: dict[str, Any] = {
            "device": device,
            "batch_size": size,
            "offline": offline,
            "allow_random_init": allow_random_init,
        }
        opened = open_spec(spec, dataset, **options, cache=cache, progress=progress)
        return evaluate_opened(
            opened,
            dataset,
            cache=cache,
            probing=probing,
            progress=progress,
            seen_too=seen_too,
            by=EngineOfModel(engine, spec, options),
        )

    return fitting(run, batch_size, spec=spec, device=device, say=say, progress=progress)


@dataclass(frozen=True)
class Opened:
    """A model that is ready to be evaluated.

    Attributes
    ----------
    encoder : Encoder
    precomputed : bool
        Embeddings shipped with clipeval stand in for it.
    """

    encoder: Encoder
    precomputed: bool


def open_spec(
    spec: str,
    dataset: Dataset,
    *,
    device: str = "cpu",
    batch_size: int = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> Opened:
    """Load a model by its spec, or what stands in for it on this dataset; a bridge learns now.

    Parameters
    ----------
    spec, dataset, device, batch_size, offline, allow_random_init, cache, progress
        As for `evaluate_spec`.

    Returns
    -------
    Opened

    Raises
    ------
    SpecError
        The spec cannot be understood.
    NotAvailableError
        Weights or packages are absent, and nothing stands in.
    DatasetError, EncoderError
        A bridge cannot learn from its pairs.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> open_spec("frozen:no-such-file.npz", load_dataset("embedded"))
    Traceback (most recent call last):
    clipeval.errors.NotAvailableError: ...
    """
    try:
        encoder = load_encoder(
            spec,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
        )
    except MissingExtraError as error:  # an absent device or file is what was asked for, and stays an absence
        where = parse_spec(spec).options.get("device", device)
        shipped = precomputed_encoder(spec, dataset) if where == "cpu" else None
        if shipped is not None:
            return Opened(shipped, precomputed=True)
        if is_shipped(spec):
            raise NotAvailableError(
                f"{error.what}; {WHERE_IT_SERVES}", where=error.where, fix=error.fix
            ) from error
        raise
    return Opened(learned(encoder, cache=cache, progress=progress), precomputed=False)


def evaluate_opened(
    opened: Opened,
    dataset: Dataset,
    *,
    cache: EmbeddingCache | None = None,
    probing: bool = True,
    progress: Progress | None = None,
    seen_too: bool = False,
    by: EngineOfModel = HERE,
) -> Evaluation:
    """Probe and evaluate what `open_spec` gave.

    Parameters
    ----------
    opened : Opened
        The model.
    dataset, cache, probing, progress, seen_too
        As for `evaluate_spec`.
    by : EngineOfModel
        See `clipeval.evaluate`.

    Returns
    -------
    Evaluation
        With the probes' warnings.

    Raises
    ------
    EncoderError
        A probe found an error, or what the model gave was refused.
    PictureError
        A picture cannot be decoded.
    """
    if opened.precomputed:
        return evaluate(opened.encoder, dataset, precomputed=True)
    if not probing:
        return evaluate(opened.encoder, dataset, cache=cache, progress=progress, seen_too=seen_too, by=by)
    report = require_sound(opened.encoder, store=ProbeStore(cache.folder / "probes") if cache else None)
    found = evaluate(opened.encoder, dataset, cache=cache, progress=progress, seen_too=seen_too, by=by)
    return replace(found, warnings=report.warnings)
