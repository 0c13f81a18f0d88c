"""From what the user wrote about a tower to a side that is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Rows
from clipeval.encoders.dual import kept_tower
from clipeval.encoders.joined_towers import side_by_side
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.towers import FROZEN, Towers
from clipeval.errors import SpecError, near
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.embed import Progress, embed_images, embed_texts
from clipeval.training.heads_job import row_side
from clipeval.training.model import Side, SideName
from clipeval.training.network import Network, freeze_blocks, image_network, text_network
from clipeval.training.network_side import (
    frozen_rows,
    network_side,
    plain_standardisation,
    take_pixels,
    take_texts,
)
from clipeval.training.pairs import Pairs
from clipeval.training.pixel_store import PixelStore
from clipeval.training.settings import TrainingSettings
from clipeval.training.tower_names import TowerName, parse_tower

ALL = -1


@dataclass(frozen=True, eq=False)
class BuiltSide:
    """A side, and what is needed to save it.

    Attributes
    ----------
    side : Side
    standardisation : tuple of two ndarray
        Of the head.
    words : dict
        Description for ``dual.json``.
    network : Network or None
        None for a tower that is kept as it is.
    close : callable
        Gives files back.
    """

    side: Side
    standardisation: tuple[Any, Any]
    words: dict[str, Any]
    network: Network | None = None
    close: Callable[[], None] = lambda: None


def parse_freeze(words: Sequence[str]) -> dict[SideName, int]:
    """Read what is frozen: a whole side (`ALL`), or its embeddings and so many blocks.

    Raises
    ------
    SpecError
        Neither ``image`` nor ``text``, or no number behind the colon.

    Examples
    --------
    >>> parse_freeze(["image", "text:4"])
    {'image': -1, 'text': 4}
    """
    found: dict[SideName, int] = {}
    for word in words:
        side, colon, blocks = word.partition(":")
        if side not in ("image", "text"):
            raise SpecError(f"--freeze {word} names no side", fix=near(side, ("image", "text")))
        if colon and not blocks.isdecimal():
            raise SpecError(f"--freeze {word} has no number of blocks", fix=f"write {side} or {side}:4")
        found["image" if side == "image" else "text"] = int(blocks) if colon else ALL
    return found


def build_side(
    side: SideName,
    name: str,
    dataset: Dataset,
    pairs: Pairs,
    settings: TrainingSettings,
    options: LoadOptions,
    *,
    freeze: int | None,
    pooling: str | None,
    tokenizer_folder: Path | None,
    cache: EmbeddingCache | None,
    progress: Progress | None,
) -> BuiltSide:
    """Build one side.

    Parameters
    ----------
    side : {"image", "text"}
    name : str
        See `clipeval.training.tower_names.parse_tower`.
    dataset : Dataset
    pairs : Pairs
    settings : TrainingSettings
    options : LoadOptions
    freeze : int or None
        None: all of a network is trained; `ALL`: nothing; else so many blocks are not.
    pooling, tokenizer_folder
        Of a text network.
    cache : EmbeddingCache, optional
        Of rows of towers that are kept.
    progress : callable, optional

    Returns
    -------
    BuiltSide
    """
    tower = parse_tower(name, side=side)
    hidden = settings.hidden[0 if side == "image" else 1]
    seen = np.unique(pairs.image_of_text[pairs.train]) if side == "image" else pairs.train
    if tower.kind == "kept":
        if freeze not in (None, ALL):
            raise SpecError(
                f"'{name}' is used as it is: it has no blocks to freeze",
                where=f"--freeze {side}:{freeze}",
                fix="leave it out",
            )
        if side == "text" and pooling:
            raise SpecError(f"--text-pooling is for a text network, and '{name}' is used as it is")
        return _kept(side, tower, dataset, seen, settings, options, hidden, cache, progress)
    return _network(
        side,
        tower,
        dataset,
        pairs,
        seen,
        settings,
        options,
        hidden,
        freeze,
        pooling,
        tokenizer_folder,
        progress,
    )


def _kept(
    side: SideName,
    tower: TowerName,
    dataset: Dataset,
    seen: Any,
    settings: TrainingSettings,
    options: LoadOptions,
    hidden: int,
    cache: EmbeddingCache | None,
    progress: Progress | None,
) -> BuiltSide:
    embed = embed_images if side == "image" else embed_texts
    rows: list[Rows] = []
    words: list[dict[str, Any]] = []
    for part in tower.parts or (tower,):
        tensor, ids = part.options.get("tensor"), part.options.get("ids")
        loaded = kept_tower(
            side, part.name, options, tensor=tensor, ids=ids, where=f"--{side}-tower {part.text}"
        )
        both = Towers("towers", loaded, loaded)
        rows.append(embed(both, dataset, cache=cache, progress=progress).rows)
        one = {"name": part.name, "weights": loaded.fingerprint.get("weights"), "width": rows[-1].shape[1]}
        if part.name.startswith(FROZEN):
            # the file of ids says which row is whose, and is no part of the weights
            one["rows"] = hashlib.sha256(rows[-1].tobytes()).hexdigest()
        words.append(one | {key: value for key, value in (("tensor", tensor), ("ids", ids)) if value})
    whole = rows[0] if len(rows) == 1 else side_by_side(rows)
    made, standardisation = row_side(whole, seen, settings, hidden=hidden)
    described = words[0] if len(words) == 1 else {"name": tower.text, "width": whole.shape[1], "parts": words}
    return BuiltSide(made, standardisation, {"kind": "kept", **described})


def _network(
    side: SideName,
    tower: TowerName,
    dataset: Dataset,
    pairs: Pairs,
    seen: Any,
    settings: TrainingSettings,
    options: LoadOptions,
    hidden: int,
    freeze: int | None,
    pooling: str | None,
    tokenizer_folder: Path | None,
    progress: Progress | None,
) -> BuiltSide:
    import torch

    device = torch.device(options.device)
    close: Callable[[], None] = lambda: None  # noqa: E731
    if side == "image":
        network = image_network(tower, options, seed=settings.seed)
        from clipeval.encoders.pixel_plan import PixelPlan

        store = PixelStore(dataset, PixelPlan.of(network.words["pixels"]), progress=progress)
        take, n, close = take_pixels(store.pixels, device), dataset.n_images, store.close
    else:
        captions = [dataset.captions[number] for number in pairs.train]
        network = text_network(
            tower,
            options,
            pooling=pooling,
            captions=captions,
            tokenizer_folder=tokenizer_folder,
            seed=settings.seed,
        )
        take, n = take_texts(network, dataset.captions, device), dataset.n_captions
    if freeze == ALL:
        what = "pictures" if side == "image" else "captions"
        rows = frozen_rows(network, take, n, device, what=what, progress=progress)
        made, standardisation = row_side(rows, seen, settings, hidden=hidden)
        return BuiltSide(made, standardisation, network.words, network, close)
    still = (
        freeze_blocks(network.module, freeze, where=f"--freeze {side}:{freeze}") if freeze is not None else []
    )
    made = network_side(network, take, settings, hidden=hidden, still=still)
    return BuiltSide(made, plain_standardisation(network.words["width"]), network.words, network, close)
