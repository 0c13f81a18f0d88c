"""Run the comparison: load, evaluate, score, and test every pair of models."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Literal

import numpy as np

from clipeval.core.comparison import PairedTest, compare_paired
from clipeval.core.multiplicity import holm
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset
from clipeval.encoders.defaults import default_models as default_models
from clipeval.encoders.load import check_family
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import DIRECTIONS, Direction, EmbeddingCache, Evaluation
from clipeval.evaluation.batch_size import BatchSize
from clipeval.evaluation.by_spec import evaluate_spec
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.engine import Engine
from clipeval.evaluation.scores import SEED, Scores, score_all

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What became of one model.

    Attributes
    ----------
    spec : str
        As the user wrote it.
    reason : str
        Why it did not run; empty if it did.
    failed : bool
        It could have run and broke (its embeddings were refused), rather than something being absent.
    evaluation, scores, categories
        None, None and empty if it did not run.
    seconds : float
        Wall time of loading, probing, encoding and scoring; for the first on a cluster, of its start as well.
    """

    spec: str
    reason: str = ""
    failed: bool = False
    evaluation: Evaluation | None = None
    scores: Scores | None = None
    categories: dict[str, Scores] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def status(self) -> Literal["ok", "not_run"]:
        """``ok`` or ``not_run``."""
        return "ok" if self.evaluation is not None else "not_run"


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same queries: whether the first one's hit_rate@1 is higher.

    Attributes
    ----------
    first, second : str
        Model specs.
    direction : str
        ``i2t`` or ``t2i``.
    test : PairedTest
        First minus second.
    p_holm : float
        p corrected for all pairs and directions of this job (Holm).
    verdict : Verdict
        For "the first is better", by ``p_holm``.
    """

    first: str
    second: str
    direction: Direction
    test: PairedTest
    p_holm: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Comparison:
    """The whole job.

    Attributes
    ----------
    dataset : Dataset
        What all models saw.
    seed : int
        Of bootstrap and sign flips.
    models : tuple of ModelResult
        In the order asked for.
    pairs : tuple of PairedComparison
        Every pair of models that ran, both directions.
    """

    dataset: Dataset
    seed: int
    models: tuple[ModelResult, ...]
    pairs: tuple[PairedComparison, ...]


def compare(
    specs: Sequence[str],
    dataset: Dataset,
    *,
    seed: int = SEED,
    device: str = "cpu",
    batch_size: BatchSize = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    cache: EmbeddingCache | None = None,
    probing: bool = True,
    progress: Callable[[str, str, int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> Comparison:
    """Evaluate several models on one dataset and compare each pair.

    A model whose weights or packages are absent does not stop the others. Where packages are absent, the
    embeddings shipped with clipeval stand in for the default models on the embedded dataset, labelled so.

    Parameters
    ----------
    specs : sequence of str
        Model specs.
    dataset : Dataset
        What to evaluate on.
    seed : int
        Of bootstrap and sign flips (a projection's seed stands in its spec).
    device, batch_size, offline, allow_random_init, say, engine
        See `clipeval.evaluation.by_spec.evaluate_spec`.
    cache : EmbeddingCache, optional
        Where embeddings are kept.
    probing : bool
        Probe each model first (`clipeval.probes`); one with an error is not evaluated.
    progress : callable, optional
        Called with the spec, the step (see `clipeval.evaluation.embed.Progress`), how many are done, and of
        how many.

    Returns
    -------
    Comparison

    Raises
    ------
    SpecError
        A spec cannot be understood. Specs of unknown families are found before anything runs.
    PictureError
        A picture cannot be decoded.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> job = compare(["hf:/no/such/folder"], load_dataset("embedded"))
    >>> job.models[0].status
    'not_run'
    """
    for spec in specs:
        check_family(spec)

    def evaluated(spec: str) -> Evaluation:
        return evaluate_spec(
            spec,
            dataset,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
            probing=probing,
            progress=_of(spec, progress),
            say=say,
            engine=engine,
        )

    return compare_with(evaluated, specs, dataset, seed=seed, progress=progress)


def compare_with(
    evaluated: Callable[[str], Evaluation],
    specs: Sequence[str],
    dataset: Dataset,
    *,
    seed: int = SEED,
    progress: Callable[[str, str, int, int], None] | None = None,
) -> Comparison:
    """Compare models whose evaluations come from a function, such as one that finds them on disk.

    Parameters
    ----------
    evaluated : callable
        Gives the evaluation of a spec; where it raises NotAvailableError or EncoderError, the model did not
        run and the others do.
    specs, dataset, seed, progress
        As for `compare`.

    Returns
    -------
    Comparison
    """
    results = []
    for spec in dict.fromkeys(specs):
        started = time.perf_counter()
        try:
            evaluation = evaluated(spec)
        except (NotAvailableError, EncoderError) as error:
            seconds = time.perf_counter() - started
            failed = isinstance(error, EncoderError)
            results.append(ModelResult(spec, str(error), failed, seconds=seconds))
            continue
        if progress:
            progress(spec, "scoring", 0, 1)
        scores, categories = score_all(evaluation, seed=seed)
        results.append(
            ModelResult(
                spec,
                evaluation=evaluation,
                scores=scores,
                categories=categories,
                seconds=time.perf_counter() - started,
            )
        )
        if progress:
            progress(spec, "scoring", 1, 1)
    return Comparison(dataset, seed, tuple(results), _paired(results, seed=seed))


def _of(spec: str, progress: Callable[[str, str, int, int], None] | None) -> Progress | None:
    return partial(progress, spec) if progress else None


def _paired(results: Sequence[ModelResult], *, seed: int) -> tuple[PairedComparison, ...]:
    ran = [(result.spec, result.evaluation) for result in results if result.evaluation is not None]
    tests: list[tuple[str, str, Direction, PairedTest]] = []
    for (first, a), (second, b) in combinations(ran, 2):
        same = np.array_equal(a.images, b.images) and np.array_equal(a.texts, b.texts)
        for direction in DIRECTIONS:
            test = compare_paired(
                a.direction(direction).hits(1),
                b.direction(direction).hits(1),
                a.cluster(direction),
                level=LEVEL,
                seed=seed,
                identical_embeddings=same,
            )
            tests.append((first, second, direction, test))
    if not tests:
        return ()
    corrected = holm([test.p for *_, test in tests])
    return tuple(
        PairedComparison(first, second, direction, test, float(p), _verdict(test, float(p)))
        for (first, second, direction, test), p in zip(tests, corrected, strict=True)
    )


def _verdict(test: PairedTest, p: float) -> Verdict:
    # the family can only take a verdict away, never make one
    return test.verdict if p <= 1 - LEVEL + 1e-12 else Verdict.UNDECIDED
