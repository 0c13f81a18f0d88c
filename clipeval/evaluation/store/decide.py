"""What a job on a store has to do: begin it, go on, mend, append, or refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clipeval.data.content import dataset_hash, picture_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.store_manifest import Manifest
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.store.growth import Members, growth_of, members_of, require_append, require_finished
from clipeval.evaluation.store.plan import newest_portion, planned, require_unaltered
from clipeval.evaluation.store.portions import PortionInputs, portions_of

TOLD_EVERY = 100

Hashed: TypeAlias = Callable[[Dataset, Progress | None], Sequence[str]]


@dataclass(frozen=True, eq=False)
class Work:
    """What a store is to hold.

    Attributes
    ----------
    plan : Manifest
        Without shards.
    portions : list of PortionInputs
        What each portion encodes.
    appended : int
        Items that a finished store does not hold yet; 0 where a store is begun, gone on with or mended.
    """

    plan: Manifest
    portions: list[PortionInputs]
    appended: int


def decided(
    encoder: Encoder,
    dataset: Dataset,
    folder: Path,
    before: Manifest | None,
    *,
    append: bool,
    settings: Mapping[str, str],
    shard_size: int | None,
    progress: Progress | None,
    hashed: Hashed | None = None,
) -> Work:
    """Decide what a job has to do.

    Parameters
    ----------
    encoder, dataset, folder, append, settings, shard_size, progress, hashed
        See `embed_to_store`.
    before : Manifest or None
        Of the store, which the same encoder began.

    Returns
    -------
    Work

    Raises
    ------
    DatasetError
        The store is of another dataset, and this one is not to be, or cannot be, appended to it.
    EncoderError
        The manifest was altered, or a file of the store is damaged that nobody can make again.
    PictureError
        A picture cannot be read.
    NotAvailableError
        The dataset lacks pictures.
    """
    hashes = (hashed or _hashed)(dataset, progress)
    dataset_sha256 = dataset_hash(dataset, pictures=hashes)
    members: Members = []
    new: list[int] = []
    if before is None:
        new = list(range(dataset.n_images))
    elif before.last.dataset_sha256 == dataset_sha256:
        members = members_of(folder, before, dataset)
    else:
        require_finished(folder, before, dataset, append=append)
        growth = growth_of(folder, before, dataset, hashes=hashes)
        require_append(folder, before, dataset, growth, append=append)
        members, new = growth.members, growth.new
    portions = portions_of(encoder, dataset, [*members, new] if new else members, hashes=hashes)
    if before is None or new:
        newest = newest_portion(dataset, dataset_sha256=dataset_sha256)
        plan = planned(
            encoder, portions, newest=newest, before=before, settings=settings, shard_size=shard_size
        )
    else:
        plan = before.bare
    require_unaltered(plan, portions, folder)
    return Work(plan, portions, len(new) if before else 0)


def _hashed(dataset: Dataset, progress: Progress | None) -> Sequence[str]:
    """`item_hashes`, told from time to time: of a large set, old items too, it takes long."""
    hashes: list[str] = []
    for item in dataset.items:
        if progress and len(hashes) % TOLD_EVERY == 0:
            progress("reading", len(hashes), dataset.n_images)
        hashes.append(picture_hash(item))
    if progress:
        progress("reading", dataset.n_images, dataset.n_images)
    return hashes
