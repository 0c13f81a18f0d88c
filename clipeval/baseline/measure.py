"""From a model spec and a dataset to a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clipeval.baseline.fingerprint import full_fingerprint
from clipeval.baseline.snapshot import Snapshot, take_snapshot
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Fingerprint
from clipeval.evaluation import EmbeddingCache, Evaluation
from clipeval.evaluation.batch_size import BatchSize, fitting
from clipeval.evaluation.by_spec import evaluate_opened, open_spec
from clipeval.evaluation.embed import Progress


def measure(
    spec: str,
    dataset: Dataset,
    *,
    data: str,
    device: str = "cpu",
    batch_size: BatchSize = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    probing: bool = True,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Snapshot:
    """Evaluate a model and keep what a later run needs for a comparison.

    Parameters
    ----------
    spec : str
        A model spec.
    dataset : Dataset
        What to evaluate on.
    data : str
        Where it came from, as the user named it.
    device, batch_size, offline, allow_random_init, probing, cache, progress, say
        As for `clipeval.evaluation.by_spec.evaluate_spec`.

    Returns
    -------
    Snapshot
        With its embeddings, and with what the probes warned of.

    Raises
    ------
    ClipevalError
        As `evaluate_spec` raises.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> measure("frozen:no-such-file.npz", load_dataset("embedded"), data="embedded")
    Traceback (most recent call last):
    clipeval.errors.NotAvailableError: ...
    """

    def run(size: int, progress: Progress | None) -> tuple[Evaluation, Fingerprint]:
        opened = open_spec(
            spec,
            dataset,
            device=device,
            batch_size=size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
            progress=progress,
        )
        evaluated = evaluate_opened(opened, dataset, cache=cache, probing=probing, progress=progress)
        return evaluated, full_fingerprint(opened.encoder)

    evaluation, words = fitting(run, batch_size, spec=spec, device=device, say=say, progress=progress)
    kept = take_snapshot(evaluation, fingerprint=words, data=data)
    notes = [f"{spec}: warning: {one.name}: {one.what}" for one in evaluation.warnings]
    if evaluation.precomputed:
        notes.append(
            f"{spec}: precomputed rows that came with clipeval; pip install 'clipeval[models]' computes them"
        )
    return replace(kept, notes=tuple(notes))
