"""Search a dataset's pictures: their embeddings are the index, from the cache or from a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.ranking import rank_retrieval
from clipeval.core.similarity import unit_rows
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Playback, Rows
from clipeval.encoders.load import load_encoder
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.store_reading import read_manifest
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.batch_size import BatchSize, fitting
from clipeval.evaluation.by_spec import open_spec
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.evaluation.learning import learned
from clipeval.probes import ProbeStore, require_sound
from clipeval.search.query import Query


@dataclass(frozen=True)
class Hit:
    """One picture that was found.

    Attributes
    ----------
    rank : int
        From 1; equal scores stand in the dataset's order.
    item : int
        Its place in the dataset.
    score : float
        Cosine similarity with the question.
    """

    rank: int
    item: int
    score: float


@dataclass(frozen=True, eq=False)
class Found:
    """The answer.

    Attributes
    ----------
    query : Query
    model : str
        The model spec.
    dataset : Dataset
    hits : tuple of Hit
        Best first.
    median, least : float
        Of the scores of all pictures: what the best are to be seen beside.
    encoded : int
        Pictures and texts that were encoded now; the rest was kept from before.
    """

    query: Query
    model: str
    dataset: Dataset
    hits: tuple[Hit, ...]
    median: float
    least: float
    encoded: int


def search(
    query: Query,
    spec: str,
    dataset: Dataset,
    *,
    top: int = 10,
    device: str = "cpu",
    batch_size: BatchSize = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    cache: EmbeddingCache | None = None,
    probing: bool = True,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Found:
    """Find the pictures that are most similar to a text or a picture.

    The order is exact (`clipeval.rank_retrieval`): every picture is scored, none is left out by an index that
    is only nearly right.

    Parameters
    ----------
    query : Query
        See `clipeval.search.query_of`.
    spec : str
        A model spec. ``frozen:STORE`` of ``clipeval embed`` gives the pictures' embeddings, and the model
        that made the store encodes the question.
    dataset : Dataset
        Where to look.
    top : int
        How many pictures; all where there are fewer.
    device, batch_size, offline, allow_random_init, cache, probing, progress, say
        See `clipeval.evaluation.by_spec.evaluate_spec`.

    Returns
    -------
    Found

    Raises
    ------
    SpecError
        The spec cannot be understood.
    NotAvailableError
        Weights, packages or pictures are absent, or stored embeddings hold no encoder for the question.
    EncoderError
        A probe found an error, what the model gave was refused, or the store is another model's.
    PictureError
        A picture cannot be decoded.
    """

    def run(size: int, told: Progress | None) -> Found:
        index, asking = _encoders(
            spec,
            dataset,
            device=device,
            batch_size=size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
            progress=told,
        )
        if probing:
            require_sound(asking, store=ProbeStore(cache.folder / "probes") if cache else None)
        pictures = embed_images(index, dataset, cache=cache, progress=told)
        asked = Dataset("the question", (query.item,))
        embed = embed_images if query.picture else embed_texts
        question = embed(asking, asked, cache=cache, progress=None)
        encoded = pictures.encoded + question.encoded
        return _found(query, spec, dataset, pictures.rows, question.rows, top=top, encoded=encoded)

    return fitting(run, batch_size, spec=spec, device=device, say=say, progress=progress)


def _encoders(
    spec: str,
    dataset: Dataset,
    *,
    device: str,
    batch_size: int,
    offline: bool,
    allow_random_init: bool,
    cache: EmbeddingCache | None,
    progress: Progress | None,
) -> tuple[Encoder, Encoder]:
    """Load what has the pictures' embeddings, and what encodes the question: most often one and the same."""
    opened = open_spec(
        spec,
        dataset,
        device=device,
        batch_size=batch_size,
        offline=offline,
        allow_random_init=allow_random_init,
        cache=cache,
        progress=progress,
    )
    index = opened.encoder
    if not isinstance(index.text_tower, Playback):
        return index, index
    parsed = parse_spec(spec)
    folder = Path(parsed.name).expanduser()
    if opened.precomputed or parsed.family != "frozen" or not folder.is_dir():
        raise NotAvailableError(
            "stored embeddings hold no encoder for the question",
            where=spec,
            fix="name the model itself, or a store that 'clipeval embed' made",
        )
    manifest = read_manifest(folder)
    asking = learned(
        load_encoder(
            manifest.model,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
        ),
        cache=cache,
        progress=progress,
    )
    now = {str(key): str(value) for key, value in asking.fingerprint.items()}
    # the store's batch size moves the last bits of its rows, not what is near what
    for key in sorted({*manifest.fingerprint, *now} - {"batch size"}):
        was, is_now = (str(words.get(key, "nothing said"))[:80] for words in (manifest.fingerprint, now))
        if was != is_now and not key.endswith(": batch size"):
            raise EncoderError(
                f"the model is not the one that made the store: {key} was {was}, is {is_now}",
                where=folder.name,
                fix="install what made it, or search with the model itself instead of the store",
            )
    return index, asking


def _found(
    query: Query, spec: str, dataset: Dataset, pictures: Rows, question: Rows, *, top: int, encoded: int
) -> Found:
    count = min(top, len(pictures))
    # lists are as long as the smaller side allows: the question is asked once for each place in the list
    asked = np.repeat(question, count, axis=0)
    ranks = rank_retrieval(pictures, asked, np.zeros(count, dtype=np.int64), top=count, rivals=False)
    lists = ranks.t2i.top
    if lists is None:
        raise AssertionError("lists were asked for")
    # by the rule by which the hits are scored: the least of all is the last one's score to the last digit
    asked_again = np.broadcast_to(unit_rows(question), pictures.shape)
    every = np.clip(fixed_order_dot(unit_rows(pictures), asked_again), -1.0, 1.0)
    hits = zip(lists.candidates[0].tolist(), lists.scores[0].tolist(), strict=True)
    return Found(
        query=query,
        model=spec,
        dataset=dataset,
        hits=tuple(Hit(rank, item, min(1.0, max(-1.0, score))) for rank, (item, score) in enumerate(hits, 1)),
        median=float(np.median(every)),
        least=float(every.min()),
        encoded=encoded,
    )
