"""Run a study, or one step of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from clipeval.claims.evaluations import Failure
from clipeval.claims.judging import judge_family
from clipeval.claims.results import DatasetFacts, FamilyResult
from clipeval.compare.job import Comparison, ModelResult, compare_with
from clipeval.core.ranking import rank_retrieval
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.options import LoadOptions
from clipeval.evaluation import EmbeddingCache, Evaluation
from clipeval.evaluation.batch_size import BatchSize, fitting
from clipeval.evaluation.by_spec import evaluate_spec, open_spec
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.evaluation.scores import SEED
from clipeval.probes import ProbeStore, require_sound
from clipeval.probes.report import ProbeFinding
from clipeval.studies.features import HALVES, Features, Half, read_features
from clipeval.studies.judging import cases_of, roles_of
from clipeval.studies.preset import COMPARISON, WHOLE, Preset, StudyModel
from clipeval.studies.retrieval import Gallery, galleries
from clipeval.studies.trained import is_trained, require_trained, spec_of, train_twin

Report: TypeAlias = Callable[[str, str, int, int], None]


@dataclass(frozen=True)
class Conditions:
    """How models are run; see `clipeval.evaluation.by_spec.evaluate_spec`."""

    device: str = "cpu"
    batch_size: BatchSize = 32
    offline: bool = False
    allow_random_init: bool = False
    cache: EmbeddingCache | None = None
    probing: bool = True
    seed: int = SEED


@dataclass(frozen=True, eq=False)
class StudyRun:
    """What became of a study.

    Attributes
    ----------
    preset : Preset
    step : str
        What was asked for.
    twin : bool
        Stand-ins took the models' parts: no number is the study's.
    data : str
        As the user named it.
    specs : dict of str to str
        Spec of each model that took part, by its key.
    comparison : Comparison
        Of them; without a model where only half of one was embedded.
    features : dict
        Rows to keep, by key and half.
    reused : tuple of str
        Keys of models whose rows were found on disk.
    judged : FamilyResult or None
        Claims and published figures; None for steps of one model.
    galleries : dict of str to (tuple of Gallery or str)
        What each model found for the study's queries, by key, or why nothing.
    """

    preset: Preset
    step: str
    twin: bool
    data: str
    specs: dict[str, str]
    comparison: Comparison
    features: dict[tuple[str, Half], Features] = field(default_factory=dict)
    reused: tuple[str, ...] = ()
    judged: FamilyResult | None = None
    galleries: dict[str, tuple[Gallery, ...] | str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """What each model of the study is called, by key; a twin is called a twin."""
        return {
            model.key: f"twin of {model.label}" if self.twin else model.label for model in self.preset.models
        }

    def result(self, key: str) -> ModelResult | None:
        """Give what became of a model; None if it had no part in this step."""
        spec = self.specs.get(key)
        return next((result for result in self.comparison.models if result.spec == spec), None)

    def evaluation(self, key: str) -> Evaluation | None:
        """Give a model's evaluation, if it ran."""
        result = self.result(key)
        return result.evaluation if result else None


def study_folder(out: Path, preset: Preset, *, twin: bool) -> Path:
    """Name the folder of a study's files: a twin's are never taken for the study's own.

    Examples
    --------
    >>> from clipeval.studies.catalogue import find_preset
    >>> study_folder(Path("results"), find_preset("S5"), twin=True).name
    'resnet50-minilm-twin'
    """
    return out / (f"{preset.name}-twin" if twin else preset.name)


def run_study(
    preset: Preset,
    dataset: Dataset,
    *,
    data: str,
    folder: Path,
    step: str = WHOLE,
    twin: bool = False,
    conditions: Conditions | None = None,
    progress: Report | None = None,
    say: Callable[[str], None] | None = None,
) -> StudyRun:
    """Run a study, or a step of it.

    Parameters
    ----------
    preset : Preset
        From `clipeval.studies.catalogue`.
    dataset : Dataset
        Any: what is said of the study's own data is said of no other.
    data : str
        By which name the user knows it.
    folder : Path
        Of the study (`study_folder`): steps other than the whole find here what earlier ones left. Nothing
        is written, but by twins that are trained.
    step : str
        ``all``; ``KEY``, one model; ``KEY-images`` and ``KEY-texts``, one half of it; ``comparison``.
    twin : bool
        Run the twins, whose weights are ordinary packages.
    conditions : Conditions, optional
    progress, say
        See `clipeval.compare.job.compare`.

    Returns
    -------
    StudyRun

    Raises
    ------
    ClipevalError
        The study has no such step.
    """
    preset.check_step(step)
    how = conditions or Conditions()
    key, _, half = step.rpartition("-")
    for one in HALVES:
        if half == one and step not in {model.key for model in preset.models}:
            return _half(preset, dataset, key, one, data, folder, step, twin, how, progress, say)
    chosen = [model for model in preset.models if step in {WHOLE, COMPARISON, model.key}]
    specs = {model.key: spec_of(model, folder, twin=twin) for model in chosen}
    model_of = {specs[model.key]: model for model in chosen}
    reused: list[str] = []

    def evaluated(spec: str) -> Evaluation:
        model = model_of[spec]
        trained = is_trained(model, twin=twin)
        told = partial(progress, spec) if progress else None
        # what the study trained may have been trained again since; the cache of embeddings knows
        found = None if step == WHOLE or trained else _from_disk(spec, dataset, folder / model.key)
        if found is not None:
            reused.append(model.key)
            return found
        _trained_first(model, dataset, data, folder, twin, how, told, anew=step == WHOLE)
        # what a study trained itself it scored on its training data; how many items those are is told
        return evaluate_spec(
            spec,
            dataset,
            device=how.device,
            batch_size=how.batch_size,
            offline=how.offline,
            allow_random_init=how.allow_random_init,
            cache=how.cache,
            probing=how.probing,
            progress=told,
            say=say,
            seen_too=trained,
        )

    comparison = compare_with(evaluated, list(specs.values()), dataset, seed=how.seed, progress=progress)
    run = StudyRun(preset, step, twin, data, specs, comparison, reused=tuple(reused))
    run = replace(run, features=_features(run), galleries=_galleries(run))
    return run if step not in {WHOLE, COMPARISON} else replace(run, judged=_judged(run))


def _trained_first(
    model: StudyModel,
    dataset: Dataset,
    data: str,
    folder: Path,
    twin: bool,
    how: Conditions,
    progress: Progress | None,
    *,
    anew: bool,
) -> None:
    if not twin:
        require_trained(model, data=data, folder=folder)
    elif model.twin_train:
        options = LoadOptions(device=how.device, offline=how.offline)
        train_twin(
            model, dataset, folder=folder, anew=anew, options=options, cache=how.cache, progress=progress
        )


def _from_disk(spec: str, dataset: Dataset, folder: Path) -> Evaluation | None:
    images, texts = (read_features(folder, dataset, spec=spec, half=half) for half in HALVES)
    if images is None or texts is None or dict(images.fingerprint) != dict(texts.fingerprint):
        return None
    return Evaluation(
        model=spec,
        fingerprint=images.fingerprint,
        dataset=dataset,
        images=images.rows,
        texts=texts.rows,
        ranks=rank_retrieval(images.rows, texts.rows, dataset.image_of_caption),
        encoded=0,
        precomputed=images.precomputed,
        warnings=images.warnings,
    )


def _features(run: StudyRun) -> dict[tuple[str, Half], Features]:
    found: dict[tuple[str, Half], Features] = {}
    for key in run.specs:
        evaluation = run.evaluation(key)
        if evaluation is not None and key not in run.reused:
            words, shipped, warned = evaluation.fingerprint, evaluation.precomputed, evaluation.warnings
            found[key, "images"] = Features(evaluation.images, words, shipped, warned)
            found[key, "texts"] = Features(evaluation.texts, words, shipped, warned)
    return found


def _galleries(run: StudyRun) -> dict[str, tuple[Gallery, ...] | str]:
    found: dict[str, tuple[Gallery, ...] | str] = {}
    for key in run.specs:
        evaluation = run.evaluation(key)
        if run.preset.queries and evaluation is not None:
            found[key] = galleries(evaluation, run.preset.queries, top=run.preset.top)
    return found


def _judged(run: StudyRun) -> FamilyResult:
    dataset = run.comparison.dataset
    found: dict[str, Evaluation | Failure] = {
        result.spec: result.evaluation or Failure(result.reason, broken=result.failed)
        for result in run.comparison.models
    }
    facts = DatasetFacts(dataset.name, dataset.n_images, dataset.n_captions, dataset_hash(dataset))
    roles = roles_of(run.preset, run.specs, twin=run.twin)
    cases = cases_of(run.preset, run.specs, roles, twin=run.twin)
    return judge_family(cases, found, dataset=facts, roles=roles, data=dataset)


def _half(
    preset: Preset,
    dataset: Dataset,
    key: str,
    half: Half,
    data: str,
    folder: Path,
    step: str,
    twin: bool,
    how: Conditions,
    progress: Report | None,
    say: Callable[[str], None] | None,
) -> StudyRun:
    """Embed the pictures, or the captions, of one model."""
    model = next(model for model in preset.models if model.key == key)
    spec = spec_of(model, folder, twin=twin)

    def embed(size: int, told: Progress | None) -> Features:
        opened = open_spec(
            spec,
            dataset,
            device=how.device,
            batch_size=size,
            offline=how.offline,
            allow_random_init=how.allow_random_init,
            cache=how.cache,
        )
        warnings: tuple[ProbeFinding, ...] = ()
        if how.probing and not opened.precomputed:
            store = ProbeStore(how.cache.folder / "probes") if how.cache else None
            warnings = require_sound(opened.encoder, store=store).warnings
        run = embed_images if half == "images" else embed_texts
        rows = run(opened.encoder, dataset, cache=how.cache, progress=told).rows
        return Features(rows, dict(opened.encoder.fingerprint), opened.precomputed, warnings)

    told = partial(progress, spec) if progress else None
    _trained_first(model, dataset, data, folder, twin, how, told, anew=False)
    features = fitting(embed, how.batch_size, spec=spec, device=how.device, say=say, progress=told)
    nothing = Comparison(dataset, how.seed, (), ())
    return StudyRun(preset, step, twin, data, {key: spec}, nothing, features={(key, half): features})
