"""An evaluation: one encoder on one dataset, with the record of every query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import TieRule
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Fingerprint, Rows
from clipeval.encoders.learned import LearnedTowers
from clipeval.errors import EncoderError, InvalidInputError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.evaluation.engine import HERE, EngineOfModel
from clipeval.evaluation.learning import learned
from clipeval.evaluation.unseen import Learned, require_unseen
from clipeval.probes.report import ProbeFinding

Direction: TypeAlias = Literal["i2t", "t2i"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True)
class QueryRecord:
    """What happened to one query: enough to compare it with another model's record later.

    Attributes
    ----------
    query : str
        Item id (i2t) or caption id ``ITEM#0`` (t2i).
    rank : float
        Under the tie rule of the evaluation.
    positive_score : float
        Similarity of the best right answer.
    rival : str or None
        The best wrong candidate.
    rival_score : float or None
        Its similarity.
    """

    query: str
    rank: float
    positive_score: float
    rival: str | None
    rival_score: float | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One encoder on one dataset.

    Attributes
    ----------
    model : str
        The model spec.
    fingerprint : mapping of str to str
        Everything that can change an embedding.
    dataset : Dataset
        What was embedded.
    images : ndarray of float32, shape (n_images, d)
        In the common space, as the encoder gave them (not normalised).
    texts : ndarray of float32, shape (n_captions, d)
        Likewise.
    ranks : Ranks
        Both directions.
    encoded : int
        Inputs that were encoded now; the rest came from the cache or was played back.
    precomputed : bool
        The rows were shipped with clipeval, not computed on this machine.
    warnings : tuple of ProbeFinding
        What probes of the encoder found that a reader of the scores must know; empty if it was not probed.
    learned : Learned, optional
        What the encoder's bridge has learned from, if it learns from pairs.
    """

    model: str
    fingerprint: Fingerprint
    dataset: Dataset
    images: Rows
    texts: Rows
    ranks: Ranks
    encoded: int
    precomputed: bool = False
    warnings: tuple[ProbeFinding, ...] = ()
    learned: Learned | None = None

    def direction(self, direction: Direction) -> DirectionRanks:
        """Give the ranks of ``i2t`` or ``t2i``."""
        ranks: DirectionRanks = getattr(self.ranks, direction)
        return ranks

    def similarity(self) -> NDArray[np.float64]:
        """Cosine matrix, shape ``(n_images, n_captions)`` of the rows that are ranked, clipped to [-1, 1]."""
        left, right = (unit_rows(rows).astype(np.float64) for rows in (self.images, self.texts))
        return np.clip(left @ right.T, -1.0, 1.0)

    def image_of_query(self, direction: Direction) -> NDArray[np.int64]:
        """Give the item of each ranked query."""
        queries = self.direction(direction).queries
        return queries if direction == "i2t" else self.dataset.image_of_caption[queries]

    def _repr_html_(self) -> str:
        """Show a small table in a notebook."""
        from clipeval.evaluation.notebook import notebook_table

        return notebook_table(self)

    @property
    def units(self) -> NDArray[np.int64]:
        """The independent unit of every item: itself, or the first item with its picture or caption."""
        return self.dataset.units

    def cluster(self, direction: Direction) -> NDArray[np.int64]:
        """Give the independent unit of each ranked query, which every interval and test resamples whole."""
        units: NDArray[np.int64] = self.units[self.image_of_query(direction)]
        return units

    def query_ids(self, direction: Direction) -> tuple[str, ...]:
        """Give the ids of the ranked queries."""
        ids = self.dataset.ids if direction == "i2t" else self.dataset.caption_ids
        return tuple(ids[query] for query in self.direction(direction).queries)

    def records(self, direction: Direction) -> Iterator[QueryRecord]:
        """Yield one record for each ranked query, in the dataset's order."""
        ranks = self.direction(direction)
        candidates = self.dataset.caption_ids if direction == "i2t" else self.dataset.ids
        rank = ranks.rank  # of all queries, computed anew each time it is asked for
        for at, query in enumerate(self.query_ids(direction)):
            rival = int(ranks.best_rival[at])
            yield QueryRecord(
                query,
                float(rank[at]),
                float(ranks.positive_score[at]),
                candidates[rival] if rival >= 0 else None,
                float(ranks.rival_score[at]) if rival >= 0 else None,
            )


def evaluate(
    encoder: Encoder,
    dataset: Dataset,
    *,
    ties: TieRule = "expected",
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    precomputed: bool = False,
    seen_too: bool = False,
    by: EngineOfModel = HERE,
) -> Evaluation:
    """Evaluate an encoder on a dataset.

    A bridge that is learned from pairs learns first. It is refused where it has seen what it would be scored
    on, and so is a model that ``clipeval train`` made (`clipeval.evaluation.unseen`).

    Parameters
    ----------
    encoder : Encoder
        From `clipeval.load_encoder`, or your own.
    dataset : Dataset
        From `clipeval.load_dataset`.
    ties : {"expected", "optimistic", "pessimistic"}
        See `clipeval.rank_retrieval`.
    cache : EmbeddingCache, optional
        Where tower rows are kept; a second run then encodes nothing.
    progress : callable, optional
        See `clipeval.evaluation.embed.Progress`; ``ranking`` is told at its start and end, of 1.
    precomputed : bool
        Label of embeddings that were shipped with clipeval.
    seen_too : bool
        Score a bridge or a trained model also on what it has learned from, and count these items.
    by : EngineOfModel
        Who encodes and ranks; by default this process.

    Returns
    -------
    Evaluation

    Raises
    ------
    EncoderError
        NaN or infinity, or widths that differ; a bridge that cannot be learned, or has seen these items.
    NotAvailableError
        The encoder needs pictures and the dataset has none.
    PictureError
        A picture cannot be decoded.
    """
    encoder = learned(encoder, cache=cache, progress=progress)
    facts = (
        require_unseen(encoder, dataset, cache=cache, seen_too=seen_too)
        if isinstance(encoder, LearnedTowers)
        else None
    )
    towers = by.spread(encoder)
    images = embed_images(towers, dataset, cache=cache, progress=progress)
    texts = embed_texts(towers, dataset, cache=cache, progress=progress)
    if progress:
        progress("ranking", 0, 1)
    try:
        ranks = by.rank(images.rows, texts.rows, dataset.image_of_caption, ties=ties, progress=progress)
    except InvalidInputError as error:
        where = f"{encoder.name}, {error.where or dataset.name}"
        raise EncoderError(error.what, where=where, fix=error.fix) from error
    if progress:
        progress("ranking", 1, 1)
    return Evaluation(
        model=encoder.name,
        fingerprint=dict(encoder.fingerprint),
        dataset=dataset,
        images=images.rows,
        texts=texts.rows,
        ranks=ranks,
        encoded=images.encoded + texts.encoded,
        precomputed=precomputed,
        learned=facts,
    )
