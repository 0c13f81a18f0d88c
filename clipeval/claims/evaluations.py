"""Evaluations shared by all tests of a session, and by all worker processes of pytest-xdist."""

from __future__ import annotations

import hashlib
import io
import json
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from clipeval.claims.shared import SharedFolder
from clipeval.core.ranking import rank_retrieval
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.learned import TrainingRates
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import EmbeddingCache, Evaluation, evaluate
from clipeval.evaluation.by_spec import evaluate_spec
from clipeval.evaluation.unseen import Learned
from clipeval.probes import ProbeStore, require_sound
from clipeval.probes.report import ProbeFinding


@dataclass(frozen=True)
class Failure:
    """Why there is no evaluation.

    Attributes
    ----------
    reason : str
        In words.
    broken : bool
        The model was there and its embeddings were refused; otherwise something is absent.
    """

    reason: str
    broken: bool


class Evaluations:
    """Evaluates each model on each dataset once.

    Parameters
    ----------
    offline : bool
        Open no socket at all.
    probing : bool
        Probe each named model first; one with an error is not evaluated.
    cache : EmbeddingCache, optional
        Where embeddings are kept between sessions.
    shared : SharedFolder, optional
        Where the processes of one session meet.
    progress : callable, optional
        Called with the spec, what is encoded, how many are done, and of how many.
    """

    def __init__(
        self,
        *,
        offline: bool = False,
        probing: bool = True,
        cache: EmbeddingCache | None = None,
        shared: SharedFolder | None = None,
        progress: Callable[[str, str, int, int], None] | None = None,
    ) -> None:
        self._offline = offline
        self._probing = probing
        self._cache = cache
        self._shared = shared
        self._progress = progress
        self._done: dict[tuple[object, int], Evaluation | Failure] = {}
        # ids of objects are only unique while the objects live
        self._alive: list[object] = []
        self._hashes: dict[int, str] = {}
        self._specs: dict[int, tuple[weakref.ref[Encoder], str]] = {}

    def loaded(self, encoder: Encoder, spec: str) -> None:
        """Note by which spec an encoder was loaded: its evaluation is shared with those who only name it."""
        self._specs[id(encoder)] = (weakref.ref(encoder), spec)

    def _spec_of(self, encoder: Encoder) -> str | None:
        reference, spec = self._specs.get(id(encoder), (None, None))
        return spec if reference is not None and reference() is encoder else None

    def of(self, model: str | Encoder, dataset: Dataset) -> Evaluation | Failure:
        """Evaluate a model, or give what was found before.

        Parameters
        ----------
        model : str or Encoder
            A model spec, or a loaded encoder.
        dataset : Dataset
            What to evaluate on.

        Returns
        -------
        Evaluation or Failure
        """
        named = model if isinstance(model, str) else self._spec_of(model)
        key = (named or id(model), id(dataset))
        if key not in self._done:
            self._alive += [dataset] if named else [model, dataset]
            if named and self._shared:
                self._done[key] = self._across_processes(model, named, dataset, self._shared)
            else:
                self._done[key] = self._run(model, dataset, named=named is not None)
        return self._done[key]

    def hash_of(self, dataset: Dataset) -> str:
        """Hash a dataset's content, once."""
        if id(dataset) not in self._hashes:
            self._alive.append(dataset)
            self._hashes[id(dataset)] = dataset_hash(dataset)
        return self._hashes[id(dataset)]

    def _run(self, model: str | Encoder, dataset: Dataset, *, named: bool) -> Evaluation | Failure:
        progress = self._progress
        try:
            if not isinstance(model, str):
                return self._loaded(model, dataset, probing=named and self._probing)
            return evaluate_spec(
                model,
                dataset,
                offline=self._offline,
                probing=self._probing,
                cache=self._cache,
                progress=(lambda *step: progress(model, *step)) if progress else None,
            )
        except (NotAvailableError, EncoderError) as error:
            return Failure(str(error), broken=isinstance(error, EncoderError))

    def _loaded(self, model: Encoder, dataset: Dataset, *, probing: bool) -> Evaluation:
        # a named model is probed by whichever way it comes; an object of a test's own is the test's affair
        store = ProbeStore(self._cache.folder / "probes") if self._cache else None
        warnings = require_sound(model, store=store).warnings if probing else ()
        return replace(evaluate(model, dataset, cache=self._cache), warnings=warnings)

    def _across_processes(
        self, model: str | Encoder, spec: str, dataset: Dataset, shared: SharedFolder
    ) -> Evaluation | Failure:
        # the name counts too: a part of a dataset never passes for the whole
        key = hashlib.sha256(json.dumps([spec, dataset.name, self.hash_of(dataset)]).encode()).hexdigest()
        kept: list[Evaluation | Failure] = []

        def make() -> bytes:
            kept.append(self._run(model, dataset, named=True))
            return _packed(kept[0])

        content = shared.once(f"evaluation-{key}", make)
        return kept[0] if kept else _unpacked(content, dataset)


def _packed(result: Evaluation | Failure) -> bytes:
    if isinstance(result, Failure):
        return json.dumps({"reason": result.reason, "broken": result.broken}).encode()
    facts = {
        "model": result.model,
        "fingerprint": dict(result.fingerprint),
        "encoded": result.encoded,
        "precomputed": result.precomputed,
        "warnings": [asdict(warning) for warning in result.warnings],
        "learned": asdict(result.learned) if result.learned else None,
    }
    buffer = io.BytesIO()
    np.savez(buffer, images=result.images, texts=result.texts, facts=np.array(json.dumps(facts)))
    return buffer.getvalue()


def _unpacked(content: bytes, dataset: Dataset) -> Evaluation | Failure:
    if content.startswith(b"{"):
        return Failure(**json.loads(content))
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        images, texts = stored["images"], stored["texts"]
        facts: dict[str, Any] = json.loads(str(stored["facts"]))
    facts["warnings"] = tuple(ProbeFinding(**warning) for warning in facts["warnings"])
    if (said := facts["learned"]) is not None:
        facts["learned"] = Learned(**{**said, "training": TrainingRates.from_plain(said["training"])})
    # counting ranks again is cheap beside encoding, and gives the same ranks to the bit
    ranks = rank_retrieval(images, texts, dataset.image_of_caption)
    return Evaluation(dataset=dataset, images=images, texts=texts, ranks=ranks, **facts)
