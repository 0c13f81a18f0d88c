"""Where a bridge meets its training pairs: they are embedded by its towers, and the bridge is learned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipeval.core import metrics
from clipeval.core.bootstrap import rate_interval
from clipeval.core.bridges.fit import Wish, fit_bridge
from clipeval.core.bridges.folds import Bridge
from clipeval.core.ranking import rank_retrieval
from clipeval.data.address import shown
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.base import Encoder, Playback, Rows
from clipeval.encoders.bridge_file import bridge_content, read_bridge
from clipeval.encoders.learned import LearnedPreClip, Rate, TrainingRates, UnlearnedPreClip
from clipeval.encoders.towers import Towers
from clipeval.errors import ClipevalError, EncoderError, InvalidInputError, NotAvailableError, SpecError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.distinct import has_fingerprint
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.evaluation.unseen import origin_hash, seen_pairs
from clipeval.whole_file import replace_whole

GALLERY = 1000
"""Training items that are ranked among each other, at most: hit rates fall as candidates become more."""
SHOWN = (1, 5)

Integers: TypeAlias = NDArray[np.int64]
Learner: TypeAlias = Callable[[Rows, Rows, Integers, Integers], Bridge]
"""See `learned_by`."""

# raised whenever another bridge would be learned from the same rows
_RECIPE = "1"


def learned(
    encoder: Encoder, *, cache: EmbeddingCache | None = None, progress: Progress | None = None
) -> Encoder:
    """Let an encoder learn the bridge that its spec asks for; others are given back as they are.

    Parameters
    ----------
    encoder : Encoder
        From `clipeval.load_encoder`.
    cache : EmbeddingCache, optional
        Where the towers' rows are kept, and the bridge itself.
    progress : callable, optional
        See `clipeval.evaluation.embed.Progress`; the steps are ``training pictures``, ``training captions``
        and ``learning``, which is told at its start and end, of 1.

    Returns
    -------
    Encoder
        A `LearnedPreClip` where there was something to learn.

    Raises
    ------
    DatasetError
        The training pairs cannot be read.
    EncoderError
        Nothing can be learned from them, or a tower's rows were refused.
    NotAvailableError
        A tower needs pictures and the training pairs have none.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from clipeval import load_encoder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "rows.npz"
    ...     np.savez(path, images=np.eye(20), texts=np.eye(20))
    ...     spec = f"preclip:frozen:{path}+frozen:{path}?projection=procrustes&fit=embedded"
    ...     learned(load_encoder(spec)).fingerprint["projection"]
    'procrustes, 20 pairs'
    """
    if not isinstance(encoder, UnlearnedPreClip):
        return encoder
    return learn(encoder, cache=cache, progress=progress)


def learn(
    encoder: UnlearnedPreClip, *, cache: EmbeddingCache | None = None, progress: Progress | None = None
) -> LearnedPreClip:
    """Learn the bridge of an encoder from the pairs that its spec names.

    Parameters
    ----------
    encoder : UnlearnedPreClip
        From `clipeval.load_encoder`.
    cache, progress
        As in `learned`.

    Returns
    -------
    LearnedPreClip

    Raises
    ------
    DatasetError, EncoderError, NotAvailableError
        As in `learned`.
    """
    if shown(encoder.fit) != encoder.fit:
        raise SpecError(
            "a model spec is printed and stored, and this one holds credentials",
            where=f"fit={shown(encoder.fit)}",
            fix="let the machine have them (its environment, a profile), not the spec",
        )
    needed = not isinstance(encoder.image_tower, Playback)
    pairs = load_dataset(encoder.fit, require_pictures=needed, offline=encoder.offline)
    return learn_from(encoder, encoder.wish, pairs, cache=cache, progress=progress)


def learn_from(
    towers: Towers,
    wish: Wish,
    pairs: Dataset,
    *,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> LearnedPreClip:
    """Learn a bridge between two towers from the pairs of a dataset.

    Parameters
    ----------
    towers : Towers
        Their rows are what the bridge is learned from.
    wish : Wish
        Which bridge.
    pairs : Dataset
        The training pairs.
    cache, progress
        As in `learned`.

    Returns
    -------
    LearnedPreClip

    Raises
    ------
    EncoderError, NotAvailableError
        As in `learned`.
    """
    bare = Towers(towers.name, towers.image, towers.text)
    sha256 = dataset_hash(pairs)
    kept = _place(bare, wish, pairs, sha256, cache)
    if kept is not None and kept.is_file():
        # what is there but broken is learned again
        with suppress(EncoderError, NotAvailableError):
            return read_bridge(kept, bare, kind=wish.kind)
    found = learned_by(
        lambda images, texts, owner, units: fit_bridge(wish, images, texts, owner, units=units),
        bare,
        pairs,
        sha256=sha256,
        cache=cache,
        progress=progress,
    )
    if kept is not None:
        with suppress(OSError):  # a cache that cannot be written to is not an error
            kept.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(kept, [bridge_content(found, wish)], durable=True)
    return found


def learned_by(
    learner: Learner,
    towers: Towers,
    pairs: Dataset,
    *,
    sha256: str | None = None,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> LearnedPreClip:
    """Let anything that can learn a bridge from rows learn one from the pairs of a dataset.

    Parameters
    ----------
    learner : Learner
        Makes a bridge from the rows of pictures and captions, the picture of each caption, and the
        independent unit of each picture.
    towers : Towers
        Their rows are what the bridge is learned from.
    pairs : Dataset
        The training pairs.
    sha256 : str, optional
        Its `clipeval.data.content.dataset_hash`, if it is already known.
    cache, progress
        As in `learned`.

    Returns
    -------
    LearnedPreClip
        It knows what it has seen.

    Raises
    ------
    EncoderError, NotAvailableError
        As in `learned`.
    """
    images, texts = training_rows(towers, pairs, cache=cache, progress=progress)
    if progress:
        progress("learning", 0, 1)
    try:
        bridge = learner(images, texts, pairs.image_of_caption, pairs.units)
    except InvalidInputError as error:
        where = f"{towers.name}, learned from {pairs.name}"
        raise EncoderError(error.what, where=where, fix=error.fix) from error
    found = LearnedPreClip(
        towers.name,
        towers.image,
        towers.text,
        seen_pairs(pairs, sha256=sha256 or dataset_hash(pairs), cache=cache),
        training_rates(bridge, images, texts, pairs),
        bridge,
    )
    if progress:
        progress("learning", 1, 1)
    return found


def training_rows(
    towers: Towers,
    pairs: Dataset,
    *,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> tuple[Rows, Rows]:
    """Embed training pairs by two towers.

    Parameters
    ----------
    towers : Towers
        Their rows are left as they are.
    pairs : Dataset
        The training pairs.
    cache, progress
        As in `learned`.

    Returns
    -------
    images, texts : ndarray of float32, shape (n_images, d) and (n_captions, e)

    Raises
    ------
    EncoderError, NotAvailableError
        As in `learned`.
    """

    def report(what: str, done: int, total: int) -> None:
        if progress:
            progress(f"training {what}", done, total)

    images = embed_images(towers, pairs, cache=cache, progress=report).rows
    return images, embed_texts(towers, pairs, cache=cache, progress=report).rows


def training_rates(bridge: Bridge, images: Rows, texts: Rows, pairs: Dataset) -> TrainingRates:
    """Score a bridge on what it has learned from: at most `GALLERY` items among each other.

    Parameters
    ----------
    bridge : Bridge
        Learned from these rows.
    images, texts : ndarray
        Rows of the towers.
    pairs : Dataset
        The training pairs.

    Returns
    -------
    TrainingRates
    """
    items, captions = training_gallery(pairs)
    return gallery_rates(bridge.images(images[items]), bridge.texts(texts[captions]), pairs)


def training_gallery(pairs: Dataset) -> tuple[Integers, Integers]:
    """Say which training items are ranked among each other, decided by a hash of their ids.

    Parameters
    ----------
    pairs : Dataset
        The training pairs.

    Returns
    -------
    items, captions : ndarray of int
        At most `GALLERY` items, and all of their captions.
    """
    order = sorted(range(pairs.n_images), key=lambda row: hashlib.sha256(_id(pairs, row)).digest())
    items: Integers = np.sort(np.array(order[:GALLERY], dtype=np.int64))
    return items, np.flatnonzero(np.isin(pairs.image_of_caption, items))


def gallery_rates(images: Rows, texts: Rows, pairs: Dataset) -> TrainingRates:
    """Rank the training items of `training_gallery` among each other.

    Parameters
    ----------
    images, texts : ndarray
        Their rows in the common space.
    pairs : Dataset
        The training pairs.

    Returns
    -------
    TrainingRates
    """
    items, captions = training_gallery(pairs)
    owner = np.searchsorted(items, pairs.image_of_caption[captions])
    ranks = rank_retrieval(images, texts, owner, rivals=False)
    unit = pairs.units[items]
    rates: dict[str, dict[str, Rate]] = {}
    for direction, one, cluster in (("i2t", ranks.i2t, unit), ("t2i", ranks.t2i, unit[owner])):
        blind = metrics.at_chance(one)
        rates[direction] = {}
        for k in SHOWN:
            if k <= one.n_candidates:
                hits = one.hits(k)
                interval = rate_interval(hits, cluster)
                chance = blind.hits(k).mean()
                rates[direction][f"hit_rate@{k}"] = Rate(
                    float(hits.mean()), float(interval.low), float(interval.high), float(chance)
                )
    return TrainingRates(len(items), len(captions), rates)


def save_bridge(path: Path, encoder: LearnedPreClip, wish: Wish) -> None:
    """Write a learned bridge to a file that the user named, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends with ``.safetensors``; its folder is made if absent, a file of this name is replaced.
    encoder : LearnedPreClip
        With the bridge.
    wish : Wish
        What was asked for.

    Raises
    ------
    ClipevalError
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, [bridge_content(encoder, wish)], durable=True)
    except OSError as error:
        raise ClipevalError(
            f"cannot write the bridge: {error.strerror or error}", where=str(path), fix="choose another place"
        ) from error


def _id(pairs: Dataset, row: int) -> bytes:
    return b"gallery:" + pairs.ids[row].encode(errors="surrogatepass")


def _place(
    towers: Towers, wish: Wish, pairs: Dataset, sha256: str, cache: EmbeddingCache | None
) -> Path | None:
    """Name the file of a bridge by everything that is in it."""
    words = (towers.image.fingerprint, towers.text.fingerprint)
    if cache is None or not all(has_fingerprint(one) for one in words):
        return None
    data = (pairs.name, origin_hash(pairs), sha256)
    text = json.dumps([_RECIPE, asdict(wish), [sorted(one.items()) for one in words], data])
    return cache.folder / "bridges" / f"{hashlib.sha256(text.encode()).hexdigest()}.safetensors"
