"""Every bridge learns from the same pairs and is scored on the same held-out items."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from clipeval.bridges.published import Published
from clipeval.core.bridges.fit import KINDS, Wish
from clipeval.data.dataset import Dataset
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.preclip import join
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.towers import Towers
from clipeval.errors import EncoderError, InvalidInputError, NotAvailableError
from clipeval.evaluation import DIRECTIONS, Direction, EmbeddingCache, Evaluation, evaluate
from clipeval.evaluation.by_spec import evaluate_spec
from clipeval.evaluation.learning import Learner, learn_from, learned_by
from clipeval.evaluation.scores import SEED, Metric, direction_metrics
from clipeval.evaluation.unseen import Learned, SeenItemsError

Way: TypeAlias = Literal["chance", "no pairs", "learned", "trained", "model", "published"]
SHOWN = ("hit_rate@1", "hit_rate@5", "hit_rate@10")
Report: TypeAlias = Callable[[str, str, int, int], None]
Rates: TypeAlias = Mapping[Direction, Mapping[str, Metric]]

NAMES = {
    "procrustes": "Procrustes",
    "ridge": "ridge",
    "cca": "CCA",
    "relative": "relative",
    "asif": "ASIF",
}
RANDOM = "random"
CONSE = "ConSE"


@dataclass(frozen=True)
class Entry:
    """One contestant.

    Attributes
    ----------
    name : str
        As tables and charts call it.
    way : str
        ``chance``; ``no pairs`` (nothing is learned from them), ``learned`` (in closed form), ``trained`` (by
        steps), ``model`` (the user's), ``published`` (not measured here).
    words : str
        Parameters, or the source of published figures.
    rates : mapping of str to mapping of str to Metric
        By direction, then by metric; empty where it did not run.
    learned : Learned, optional
        Of what it has learned, with the hit rates on its training pairs.
    reason : str
        Why it did not run.
    seconds : float
        Wall time of learning and scoring.
    """

    name: str
    way: Way
    words: str = ""
    rates: Rates = field(default_factory=dict)
    learned: Learned | None = None
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Contest:
    """All contestants on one pair of datasets.

    Attributes
    ----------
    towers : str
        Spec of the two towers.
    train, test : Dataset
        What is learned from, and what is scored.
    seed : int
        Of the random projection, folds and bootstrap.
    entries : tuple of Entry
        From chance to what was published.
    """

    towers: str
    train: Dataset
    test: Dataset
    seed: int
    entries: tuple[Entry, ...]


def contest(
    spec: ModelSpec,
    towers: Towers,
    train: Dataset,
    test: Dataset,
    *,
    kinds: Sequence[str] = KINDS,
    learners: Mapping[str, Learner] | None = None,
    models: Sequence[str] = (),
    published: Sequence[Published] = (),
    seed: int = SEED,
    device: str = "cpu",
    offline: bool = False,
    allow_random_init: bool = False,
    cache: EmbeddingCache | None = None,
    progress: Report | None = None,
) -> Contest:
    """Hold the contest.

    Parameters
    ----------
    spec : ModelSpec
        ``preclip:IMAGE+TEXT``, without a projection.
    towers : Towers
        Loaded.
    train, test : Dataset
        Nobody is scored on an item of ``test`` that is in ``train``: see `clipeval.evaluation.unseen`.
    kinds : sequence of str
        Of `clipeval.core.bridges.fit.KINDS`.
    learners : mapping of str to Learner, optional
        Other ways to learn a bridge, by name. One that raises `NotAvailableError` is reported as not run.
    models : sequence of str
        Specs of whole encoders that run beside them.
    published : sequence of Published
        Shown at the end.
    seed : int
        Of the random projection, folds and bootstrap.
    device, offline, allow_random_init
        For ``models``; see `clipeval.encoders.options.LoadOptions`.
    cache : EmbeddingCache, optional
        Where rows and bridges are kept.
    progress : callable, optional
        Called with the towers, the contestant and its step, how many are done, and of how many.

    Returns
    -------
    Contest

    Raises
    ------
    SeenItemsError
        Test items are among the training pairs.
    EncoderError, NotAvailableError, DatasetError
        The towers cannot embed the two datasets, or the pairs are too few.
    """

    def step(name: str) -> Callable[[str, int, int], None] | None:
        return (lambda what, *of: progress(str(spec), f"{name}, {what}", *of)) if progress else None

    def learned_entry(name: str, way: Way, run: Callable[[], Evaluation]) -> Entry:
        started = time.perf_counter()
        try:
            found = run()
        except SeenItemsError:
            raise
        except (NotAvailableError, EncoderError, InvalidInputError) as error:  # such as too few pairs for it
            return Entry(name, way, reason=str(error))
        return _entry(name, way, found, started, seed=seed)

    fixed = join(_with(spec, projection="gaussian", seed=str(seed)), towers.image, towers.text)
    started = time.perf_counter()
    blind = evaluate(fixed, test, cache=cache, progress=step(RANDOM))
    random = _entry(RANDOM, "no pairs", blind, started, seed=seed)
    entries = [_chance(random), random]
    options = LoadOptions(device=device, offline=offline, allow_random_init=allow_random_init)
    of_models = [
        _model(model, name, test, options, seed, cache, step(name)) for name, model in _named(models).items()
    ]
    # bridges that need no pairs come before those that learn
    entries += [entry for entry in of_models if entry.way == "no pairs"]
    for kind in kinds:
        wish = Wish(kind, seed=seed)

        def closed(wish: Wish = wish, name: str = NAMES[kind]) -> Evaluation:
            bridge = learn_from(towers, wish, train, cache=cache, progress=step(name))
            return evaluate(bridge, test, cache=cache, progress=step(name))

        entries.append(learned_entry(NAMES[kind], "learned", closed))
    for name, learner in (learners or {}).items():

        def trained(learner: Learner = learner, name: str = name) -> Evaluation:
            bridge = learned_by(learner, towers, train, cache=cache, progress=step(name))
            return evaluate(bridge, test, cache=cache, progress=step(name))

        entries.append(learned_entry(name, "trained", trained))
    entries += [entry for entry in of_models if entry.way != "no pairs"]
    entries += [_published(row) for row in published]
    return Contest(str(spec), train, test, seed, tuple(entries))


def _named(models: Sequence[str]) -> dict[str, str]:
    """Name models by their specs, but ConSE, which every contest should have, by its own name."""
    of_conse = [model for model in dict.fromkeys(models) if model.startswith("conse:")]
    numbers = {model: f" {n}" if n > 1 else "" for n, model in enumerate(of_conse, start=1)}
    return {
        f"{CONSE}{numbers[model]}" if model in numbers else model: model for model in dict.fromkeys(models)
    }


def _with(spec: ModelSpec, **options: str) -> ModelSpec:
    return ModelSpec(spec.family, spec.name, spec.revision, {**spec.options, **options})


def _entry(name: str, way: Way, found: Evaluation, started: float, *, seed: int) -> Entry:
    rates = {
        direction: {
            metric: value
            for metric, value in direction_metrics(
                found.direction(direction), found.cluster(direction), seed=seed
            ).items()
            if metric in SHOWN
        }
        for direction in DIRECTIONS
    }
    words = found.learned.bridge if found.learned else found.fingerprint.get("projection", "")
    words = words or found.fingerprint.get("bridge", "")
    if found.learned is None and way != "chance" and name != RANDOM:
        words = f"{found.model}{', ' if words else ''}{words}"
    return Entry(name, way, words, rates, found.learned, seconds=time.perf_counter() - started)


def _chance(entry: Entry) -> Entry:
    rates = {
        direction: {name: Metric(one.chance, None, None, one.chance) for name, one in of.items()}
        for direction, of in entry.rates.items()
    }
    return Entry("chance", "chance", "exact", rates)


def _model(
    spec: str,
    name: str,
    test: Dataset,
    options: LoadOptions,
    seed: int,
    cache: EmbeddingCache | None,
    progress: Callable[[str, int, int], None] | None,
) -> Entry:
    started = time.perf_counter()
    way: Way = "no pairs" if name.startswith(CONSE) else "model"
    try:
        found = evaluate_spec(
            spec,
            test,
            device=options.device,
            offline=options.offline,
            allow_random_init=options.allow_random_init,
            cache=cache,
            progress=progress,
        )
    except (NotAvailableError, EncoderError) as error:
        return Entry(name, way, reason=str(error))
    return _entry(name, way, found, started, seed=seed)


def _published(row: Published) -> Entry:
    rates: dict[Direction, dict[str, Metric]] = {
        direction: {name: Metric(value, None, None, None) for name, value in row.rates[direction].items()}
        for direction in DIRECTIONS
    }
    return Entry(row.label, "published", f"{row.source}; {row.note}", rates)
