"""Whether what is evaluated is new: nothing is scored on the pairs that it has learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from clipeval.data.content import item_hashes
from clipeval.data.dataset import Dataset
from clipeval.encoders.learned import LearnedTowers, TrainingRates
from clipeval.encoders.seen import SeenPairs, text_digests
from clipeval.errors import EncoderError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.pixels import pixel_hashes

NAMED = 3
"""Items that an error names."""


class SeenItemsError(EncoderError):
    """A bridge or a trained model that would be scored on what it has learned from."""


@dataclass(frozen=True)
class Learned:
    """What a bridge or a trained model has learned from, to be shown beside its scores on held-out items.

    Attributes
    ----------
    bridge : str
        Kind and parameters.
    name : str
        Of the training dataset.
    n_images, n_captions : int
        Of the training dataset.
    equal_captions : int
        Held-out captions whose very text is also a training caption; they are scored all the same.
    training : TrainingRates
        Hit rates among the training items.
    seen_items : int
        Scored items that are training items; above 0 only where that was asked for.
    """

    bridge: str
    name: str
    n_images: int
    n_captions: int
    equal_captions: int
    training: TrainingRates
    seen_items: int = 0


def origin_hash(dataset: Dataset) -> str:
    """Hash where a dataset was loaded from; "" where it was made in memory.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> origin_hash(Dataset("one", (Item("a", ("a cat",)),)))
    ''
    """
    if not dataset.origin:
        return ""
    return hashlib.sha256(dataset.origin.encode(errors="surrogatepass")).hexdigest()


def seen_pairs(dataset: Dataset, *, sha256: str, cache: EmbeddingCache | None = None) -> SeenPairs:
    """Describe training pairs by their hashes.

    Parameters
    ----------
    dataset : Dataset
        The training pairs.
    sha256 : str
        Its `clipeval.data.content.dataset_hash`.
    cache : EmbeddingCache, optional
        As in `pixel_hashes`.

    Returns
    -------
    SeenPairs
    """
    return SeenPairs(
        name=dataset.name,
        origin=origin_hash(dataset),
        sha256=sha256,
        ids=dataset.ids,
        pictures=_pictures(dataset),
        pixels=pixel_hashes(dataset, cache=cache),
        captions=text_digests(tuple(dict.fromkeys(dataset.captions))),
        n_captions=dataset.n_captions,
    )


def require_unseen(
    encoder: LearnedTowers, dataset: Dataset, *, cache: EmbeddingCache | None = None, seen_too: bool = False
) -> Learned:
    """Refuse to score what was learned from pairs on items that it has learned from.

    An item is seen if its picture is a training picture (the same file, or the same pixels), or if it has the
    id of a training item of the same dataset. Where there are no pictures to compare, as with frozen rows
    alone, the id and one of the captions together stand for the picture.

    Parameters
    ----------
    encoder : LearnedTowers
        It knows what it has seen.
    dataset : Dataset
        What it is to be evaluated on.
    cache : EmbeddingCache, optional
        As in `pixel_hashes`.
    seen_too : bool
        Count the seen items instead of refusing them: to repeat what others did.

    Returns
    -------
    Learned
        With the number of captions that are training captions too: the same words for another picture.

    Raises
    ------
    SeenItemsError
        Names the items, and the way out.
    """
    seen = encoder.seen
    digests = text_digests(dataset.captions)
    known_captions = frozenset(seen.captions)
    found = _seen_items(seen, dataset, digests, cache)
    if found and not seen_too:
        same = bool(seen.origin) and seen.origin == origin_hash(dataset)
        whole = seen.name.removesuffix("#train").removesuffix("#test")
        names = ", ".join(f"'{item_id}' ({why})" for item_id, why in found[:NAMED])
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        if same and dataset.name == f"{whole}#test" and seen.name == f"{whole}#train":
            # the parts are made without decoding: only the same file is the same picture there
            way_out = "delete one of each two files that show the same picture: the parts compare only files"
        elif same:
            way_out = f"hold a part out: {encoder.way_out} and evaluate on PATH#test (here: {whole}#test)"
        else:
            way_out = "learn from a dataset that holds none of these, or evaluate on one"
        raise SeenItemsError(
            f"the {encoder.joint} has learned from {len(found)} of the {dataset.n_images} items "
            f"that it would be scored on: {names}{more}",
            where=f"{encoder.name}, learned from {seen.name}, on {dataset.name}",
            fix=way_out,
        )
    return Learned(
        bridge=encoder.learned_words,
        name=seen.name,
        n_images=len(seen.ids),
        n_captions=seen.n_captions,
        equal_captions=sum(digest in known_captions for digest in digests),
        training=encoder.training,
        seen_items=len(found),
    )


def _seen_items(
    seen: SeenPairs, dataset: Dataset, digests: Sequence[str], cache: EmbeddingCache | None
) -> list[tuple[str, str]]:
    """Give the ids of seen items, each with why."""
    pictures, pixels = frozenset(seen.pictures) - {""}, frozenset(seen.pixels) - {""}
    ids, captions = frozenset(seen.ids), frozenset(seen.captions)
    same_origin = bool(seen.origin) and seen.origin == origin_hash(dataset)
    # decoding is the dear part: not where the other side has no pictures
    decoded = pixel_hashes(dataset, cache=cache) if pixels else ("",) * dataset.n_images
    of_item: list[list[str]] = [[] for _ in dataset.items]
    for row, digest in zip(dataset.image_of_caption, digests, strict=True):
        of_item[int(row)].append(digest)
    found: list[tuple[str, str]] = []
    for item, picture, own, mine in zip(dataset.items, _pictures(dataset), decoded, of_item, strict=True):
        # with pictures on both sides they decide; an id alone is a name that two datasets may both give
        by_name = not (picture and pictures) and item.id in ids and any(one in captions for one in mine)
        if picture and picture in pictures:
            found.append((item.id, "the same picture"))
        elif own and own in pixels:
            found.append((item.id, "the same pixels"))
        elif same_origin and item.id in ids:
            found.append((item.id, "the same item"))
        elif by_name:
            found.append((item.id, "the same id and caption"))
    return found


def _pictures(dataset: Dataset) -> tuple[str, ...]:
    hashes = item_hashes(dataset)
    return tuple(
        digest if item.picture is not None else "" for item, digest in zip(dataset.items, hashes, strict=True)
    )
