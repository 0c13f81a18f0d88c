"""A whole training run: data and towers in, a folder that ``dual:PATH`` reads out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.dual_folder import DESCRIPTION, TOKENIZER
from clipeval.encoders.imports import require_installed, versions
from clipeval.encoders.learned import TrainingRates
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import place
from clipeval.errors import ClipevalError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.learning import gallery_rates, training_gallery
from clipeval.evaluation.unseen import seen_pairs
from clipeval.training.diagnosis import Finding
from clipeval.training.settings import TrainingSettings

CHECKPOINT = "checkpoint.safetensors"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Trained:
    """What a run gave.

    Attributes
    ----------
    folder : Path
    settings : TrainingSettings
    data : mapping
        Name, hash and counts.
    towers : mapping
        Description of each side.
    history : tuple of mapping
        One row for each epoch.
    best : int
        Row of the epoch that was kept; the last where nothing was held out.
    findings : tuple of Finding
        What is wrong with the model.
    parameters : mapping
        How many are trained and how many are kept, of the networks and heads here.
    """

    folder: Path
    settings: TrainingSettings
    data: Mapping[str, Any]
    towers: Mapping[str, Mapping[str, Any]]
    history: tuple[Mapping[str, Any], ...]
    best: int
    findings: tuple[Finding, ...]
    parameters: Mapping[str, int]


def train(
    dataset: Dataset,
    *,
    image_tower: str,
    text_tower: str,
    out: Path,
    settings: TrainingSettings,
    freeze: Sequence[str] = (),
    pooling: str | None = None,
    options: LoadOptions | None = None,
    resume: bool = False,
    checkpoint_every: int = 0,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a dual encoder and write it to a folder.

    Parameters
    ----------
    dataset : Dataset
        A share of its independent units is held out (``settings.held_out``).
    image_tower, text_tower : str
        See `clipeval.training.tower_names.parse_tower`.
    out : Path
        Made if absent; it must not hold a run yet, unless `resume`.
    settings : TrainingSettings
    freeze : sequence of str
        ``image``, ``text``, ``image:N``, ``text:N``.
    pooling : str, optional
        Of the text network.
    options : LoadOptions, optional
        Device; offline; the word for random weights.
    resume : bool
        Go on from the folder's checkpoint.
    checkpoint_every : int
        Steps between checkpoints, beside those at the ends of epochs.
    cache : EmbeddingCache, optional
        Of the rows of towers that are kept.
    progress : callable, optional

    Returns
    -------
    Trained

    Raises
    ------
    ClipevalError
        Wrong names or data, weights that are not here, a folder in use, a loss that is no number.
    """
    require_installed("torch")
    import torch

    from clipeval.training.dual_writer import write_dual
    from clipeval.training.fit import Kept, fit
    from clipeval.training.model import SIDES, DualModel
    from clipeval.training.order import step_seed
    from clipeval.training.pairs import pairs_of
    from clipeval.training.sides import build_side, parse_freeze
    from clipeval.training.trainable_heads import frozen_heads

    options = options or LoadOptions()
    device, _ = place(options, where="--device")
    frozen = parse_freeze(freeze)
    _check_folder(out, resume=resume)
    pairs = pairs_of(dataset, share=settings.held_out, cache=cache)
    tokenizer = out / TOKENIZER if resume and (out / TOKENIZER).is_dir() else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step_seed(settings.seed, 0, 2**20))  # no step has so many parts
        built = {
            side: build_side(
                side,
                image_tower if side == "image" else text_tower,
                dataset,
                pairs,
                settings,
                options,
                freeze=frozen.get(side),
                pooling=pooling if side == "text" else None,
                tokenizer_folder=tokenizer,
                cache=cache,
                progress=progress,
            )
            for side in SIDES
        }
    try:
        model = DualModel(built["image"].side, built["text"].side, settings, device)
        data = _data_words(dataset, pairs)
        identity = {
            "settings": settings.document(),
            "data": data,
            **{f"{side} tower": _plain(built[side].words) for side in SIDES},
            # what it begins with: resumed over other weights, a frozen part would be another's
            **{f"{side} weights": one.network.weights_sha256() for side, one in built.items() if one.network},
            "freeze": sorted(freeze),
            "versions": {
                **versions("torch", "transformers", "timm", "torchvision"),
                "device": options.device,
            },
        }
        out.mkdir(parents=True, exist_ok=True)
        for side in built.values():
            if side.network is not None and side.network.tokenizer is not None and tokenizer is None:
                side.network.tokenizer.save_pretrained(out / TOKENIZER)
        kept = Kept(out / CHECKPOINT, identity, resume=resume, every=checkpoint_every)
        place_ = fit(model, pairs, kept=kept, progress=progress)
        findings = _findings(model, dataset, pairs, place_, built["text"].words)
        part = _trained_part(dataset, pairs)
        training = _training_rates(model, dataset, part)
    finally:
        for side in built.values():
            side.close()
    best = place_.best if place_.best >= 0 else len(place_.history) - 1
    summary = _summary(
        image_tower, text_tower, settings, len(pairs.train), place_.history[best]["epoch"], frozen
    )
    write_dual(
        out,
        heads={side: frozen_heads(model.modules[side], *built[side].standardisation) for side in SIDES},
        towers={side: one.network.module for side, one in built.items() if one.network is not None},
        descriptions={side: built[side].words for side in SIDES},
        seen=seen_pairs(part, sha256=dataset_hash(part), cache=cache),
        training=training,
        more={
            "summary": summary,
            "settings": settings.document(),
            "data": data,
            "scale": model.scale,
            "history": place_.history,
            "best": best,
            "freeze": sorted(freeze),
            "findings": [finding.text for finding in findings],
        },
    )
    counts = {
        "trained": sum(p.numel() for p in model.modules.parameters() if p.requires_grad),
        "frozen": sum(p.numel() for p in model.modules.parameters() if not p.requires_grad),
    }
    towers: dict[str, Any] = {side: built[side].words for side in SIDES}
    return Trained(out, settings, data, towers, tuple(place_.history), best, findings, counts)


def _check_folder(out: Path, *, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ClipevalError("the output is a file, not a folder", where=str(out), fix="name a new folder")
    for name in (DESCRIPTION, CHECKPOINT):
        if not resume and (out / name).is_file():
            raise ClipevalError(
                f"the folder holds a training run already: {name}",
                where=str(out),
                fix="go on with it (--resume), or name another folder",
            )


def _data_words(dataset: Dataset, pairs: Any) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": dataset_hash(dataset, pictures=dataset.picture_hashes),
        "train_pairs": len(pairs.train),
        "train_images": len(np.unique(pairs.image_of_text[pairs.train])),
        "held_out_pairs": len(pairs.held_out),
        "held_out_images": len(np.unique(pairs.image_of_text[pairs.held_out])),
    }


def _trained_part(dataset: Dataset, pairs: Any) -> Dataset:
    kept = np.unique(pairs.image_of_text[pairs.train])
    return replace(dataset, items=tuple(dataset.items[row] for row in kept))


def _training_rates(model: Any, dataset: Dataset, part: Dataset) -> TrainingRates:
    from clipeval.training.retrieval import embed_all

    items, captions = training_gallery(part)
    row_of = {key: row for row, key in enumerate(dataset.ids)}
    caption_of = {key: row for row, key in enumerate(dataset.caption_ids)}
    images = np.array([row_of[part.ids[item]] for item in items])
    texts = np.array([caption_of[part.caption_ids[caption]] for caption in captions])
    return gallery_rates(embed_all(model, "image", images), embed_all(model, "text", texts), part)


def _plain(words: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(words, sort_keys=True, default=str).encode()).hexdigest()


def _summary(
    image: str, text: str, settings: TrainingSettings, n: int, epoch: int, frozen: Mapping[Any, int]
) -> str:
    names = [
        name.split("/")[-1]
        + ("" if side not in frozen else " frozen" if frozen[side] < 0 else " partly frozen")
        for side, name in (("image", image), ("text", text))
    ]
    return (
        f"{names[0]} + {names[1]}, {_heads(settings)}{settings.loss}, {n} pairs, "
        f"batch {settings.batch_size}, epoch {epoch} of {settings.epochs}, seed {settings.seed}"
    )


def _heads(settings: TrainingSettings) -> str:
    return f"{settings.ensemble} heads averaged, " if settings.ensemble > 1 else ""


def _findings(
    model: Any, dataset: Dataset, pairs: Any, place: Any, words: Mapping[str, Any]
) -> tuple[Finding, ...]:
    from clipeval.training.diagnosis import diagnose, padding_effect
    from clipeval.training.retrieval import embed_all

    held = len(pairs.held_out) > 0
    looked = (pairs.held_out if held else pairs.train)[:512]
    different = looked[np.unique(pairs.text_labels[looked], return_index=True)[1]]
    images = np.unique(pairs.image_of_text[looked])
    rows = {"image": embed_all(model, "image", images), "text": embed_all(model, "text", different)}
    effect = padding_effect(model, dataset.captions, looked) if words["kind"] == "network" else 0.0
    return diagnose(
        place.history,
        rows,
        part="held_out" if held else None,
        batch_size=min(model.settings.batch_size, len(pairs.train)),
        text_words=words,
        padding_changes=effect,
        kept=place.best,
    )
