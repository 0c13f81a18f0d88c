"""Classify the pictures of a dataset by the names of their categories, with one model or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from clipeval.claims.checks.zero_shot import BLANK
from clipeval.core.bootstrap import rate_interval
from clipeval.core.classification import class_embeddings, confusion_matrix, rank_classes
from clipeval.core.metrics import at_chance
from clipeval.core.ranks import DirectionRanks
from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Encoder, Fingerprint, Playback
from clipeval.encoders.learned import LearnedTowers
from clipeval.encoders.load import check_family
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.batch_size import BatchSize, fitting
from clipeval.evaluation.by_spec import open_spec
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.evaluation.scores import SEED, Metric
from clipeval.evaluation.unseen import require_unseen
from clipeval.probes import ProbeStore, require_sound
from clipeval.probes.report import ProbeFinding

LISTED = 10
"""Classes of each picture that are looked at for ties, before all are."""


@dataclass(frozen=True, eq=False)
class Classified:
    """The pictures sorted with one set of prompts.

    Attributes
    ----------
    prompts : str
        Name of the set.
    templates : tuple of str
    ranks : DirectionRanks
        Of the right class of every picture, ties "expected".
    confusion : ndarray of float64, shape (n_classes, n_classes)
        See `clipeval.core.classification.confusion_matrix`.
    top1, top5 : Metric
        Share of pictures whose class is first, and among the first five (None with fewer classes).
    of_classes : dict of str to Metric
        top1 of the pictures of each class that has any.
    """

    prompts: str
    templates: tuple[str, ...]
    ranks: DirectionRanks
    confusion: NDArray[np.float64]
    top1: Metric
    top5: Metric
    of_classes: dict[str, Metric]


@dataclass(frozen=True, eq=False)
class ModelClassified:
    """What became of one model.

    Attributes
    ----------
    spec : str
    reason : str
        Why it did not run; empty if it did.
    failed : bool
        It could have run and broke.
    sets : tuple of Classified
        One for each set of prompts.
    fingerprint, warnings
        As in `clipeval.evaluation.Evaluation`.
    """

    spec: str
    reason: str = ""
    failed: bool = False
    sets: tuple[Classified, ...] = ()
    fingerprint: Fingerprint = field(default_factory=dict)
    warnings: tuple[ProbeFinding, ...] = ()


@dataclass(frozen=True, eq=False)
class Classification:
    """The whole job.

    Attributes
    ----------
    dataset : Dataset
    names : tuple of str
        The classes.
    pictures : ndarray of int, shape (n,)
        Items with a category: what was classified.
    right : ndarray of int, shape (n,)
        Their classes.
    models : tuple of ModelClassified
    """

    dataset: Dataset
    names: tuple[str, ...]
    pictures: NDArray[np.int64]
    right: NDArray[np.int64]
    models: tuple[ModelClassified, ...]


def classify(
    specs: Sequence[str],
    dataset: Dataset,
    names: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
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
) -> Classification:
    """Classify the pictures that have a category.

    A. Radford et al. 2021, arXiv 2103.00020, section 3.1: the class whose embedding is most similar to the
    picture's; several prompts for a class are averaged (`clipeval.core.classification.class_embeddings`).

    Parameters
    ----------
    specs : sequence of str
        Model specs.
    dataset : Dataset
        Its captions are not used.
    names : sequence of str
        See `clipeval.classification.names.class_names`.
    prompts : mapping of str to sequence of str
        See `clipeval.classification.names.prompt_sets`.
    seed : int
        Of the bootstrap.
    device, batch_size, offline, allow_random_init, cache, probing, progress, say
        See `clipeval.compare.job.compare`.

    Returns
    -------
    Classification
    """
    for spec in specs:
        check_family(spec)
    number = {name: at for at, name in enumerate(names)}
    of_items = np.array([-1 if item.category is None else number[item.category] for item in dataset.items])
    pictures = np.flatnonzero(of_items >= 0)
    right = of_items[pictures].astype(np.int64)
    results = []
    for spec in dict.fromkeys(specs):

        def run(size: int, told: Progress | None, spec: str = spec) -> ModelClassified:
            opened = open_spec(
                spec,
                dataset,
                device=device,
                batch_size=size,
                offline=offline,
                allow_random_init=allow_random_init,
                cache=cache,
            )
            encoder = opened.encoder
            if isinstance(encoder.text_tower, Playback) or opened.precomputed:
                raise NotAvailableError(
                    "stored embeddings hold no encoder for prompts", where=spec, fix="name the model itself"
                )
            warnings: tuple[ProbeFinding, ...] = ()
            if probing:
                store = ProbeStore(cache.folder / "probes") if cache else None
                warnings = require_sound(encoder, store=store).warnings
            if isinstance(encoder, LearnedTowers):
                require_unseen(encoder, dataset, cache=cache)
            sets = _sets(encoder, dataset, names, prompts, pictures, right, seed, cache, told)
            return ModelClassified(spec, sets=sets, fingerprint=dict(encoder.fingerprint), warnings=warnings)

        told = partial(progress, spec) if progress else None
        try:
            results.append(fitting(run, batch_size, spec=spec, device=device, say=say, progress=told))
        except (NotAvailableError, EncoderError) as error:
            results.append(ModelClassified(spec, str(error), isinstance(error, EncoderError)))
    return Classification(dataset, tuple(names), pictures, right, tuple(results))


def _sets(
    encoder: Encoder,
    dataset: Dataset,
    names: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
    pictures: NDArray[np.int64],
    right: NDArray[np.int64],
    seed: int,
    cache: EmbeddingCache | None,
    told: Progress | None,
) -> tuple[Classified, ...]:
    images = embed_images(encoder, dataset, cache=cache, progress=told).rows[pictures]
    units = dataset.units[pictures]
    found = []
    for name, templates in prompts.items():
        texts = tuple(template.replace(BLANK, one) for one in names for template in templates)
        asked = Dataset("prompts", (Item("prompts", texts),))
        rows = embed_texts(encoder, asked, cache=cache, progress=told).rows
        classes = class_embeddings(rows, np.repeat(np.arange(len(names)), len(templates)))
        ranks = rank_classes(images, classes, right, top=min(LISTED, len(names)))
        hits = ranks.hits(1)
        of_classes = {
            one: _rate(hits[right == at], units[right == at], 1 / len(names), seed)
            for at, one in enumerate(names)
            if (right == at).any()
        }
        few = len(names) < 5
        found.append(
            Classified(
                name,
                tuple(templates),
                ranks,
                confusion_matrix(images, classes, right, ranks=ranks),
                _rate(hits, units, at_chance(ranks).hit_rate(1), seed),
                Metric(None, None, None, None)
                if few
                else _rate(ranks.hits(5), units, at_chance(ranks).hit_rate(5), seed),
                of_classes,
            )
        )
    return tuple(found)


def _rate(hits: NDArray[np.float64], units: NDArray[np.int64], chance: float, seed: int) -> Metric:
    interval = rate_interval(hits, units, seed=seed)
    return Metric(float(hits.mean()), interval.low, interval.high, chance)
