"""The training loop: batches, steps, a look at what is held out after every epoch, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch

from clipeval.training.cached_gradients import backward, check_parts
from clipeval.training.checkpoint import check_finite, read_checkpoint, write_checkpoint
from clipeval.training.model import DualModel
from clipeval.training.optimiser import new_optimiser, set_rate
from clipeval.training.order import epoch_batches
from clipeval.training.pairs import Pairs
from clipeval.training.retrieval import retrieval
from clipeval.training.schedule import rate_at

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is going on, how many steps are done, and of how many."""


@dataclass
class Place:
    """Where a run stands.

    Attributes
    ----------
    epoch : int
        The one that is going on, from 0.
    batch : int
        Batches of it that are done.
    step : int
        Steps that are done, over all epochs.
    loss : float
        Sum of this epoch's losses, each times its pairs.
    history : list of dict
        One row for each epoch that is done.
    best : int
        Place in the history of the best retrieval on what is held out; -1 for none.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: int = -1


@dataclass(frozen=True)
class Kept:
    """Where a run is kept on disk.

    Attributes
    ----------
    path : Path
        The checkpoint.
    identity : mapping
        What the run is; see `clipeval.training.checkpoint`.
    resume : bool
        Go on from it.
    every : int
        Steps between two checkpoints; 0 for the ends of epochs only.
    """

    path: Path
    identity: Mapping[str, Any]
    resume: bool = False
    every: int = 0


def fit(
    model: DualModel, pairs: Pairs, *, kept: Kept | None = None, progress: Progress | None = None
) -> Place:
    """Train a model.

    Parameters
    ----------
    model : DualModel
        Changed in place; in the end it has the weights of the epoch that retrieved best on what is held out,
        or the last ones where nothing is.
    pairs : Pairs
    kept : Kept, optional
        Where checkpoints go. A run that goes on from one ends with the same bits as one that never stopped,
        on the same machine.
    progress : callable, optional
        See `Progress`.

    Returns
    -------
    Place
        With the history.

    Raises
    ------
    InvalidInputError
        The loss is no number, or batches cannot be cut into parts.
    CheckpointError
        There is nothing to go on from, or it is of another run.
    """
    settings = model.settings
    check_parts(model)
    optimiser = new_optimiser(model)
    place, best = Place(), dict[str, Any]()
    if kept and kept.resume:
        words, best = read_checkpoint(kept.path, model, optimiser, identity=kept.identity)
        place = Place(**words)

    def save() -> None:
        if kept:
            write_checkpoint(
                kept.path, model, optimiser, best=best, identity=kept.identity, place=asdict(place)
            )

    seen = pairs.image_of_text[pairs.train]
    per_epoch = len(_batches(seen, model, 0))
    steps = per_epoch * settings.epochs
    # torch's own stream is the caller's; every step seeds it anew
    with torch.random.fork_rng():
        while place.epoch < settings.epochs and not _waited_enough(place, settings.patience):
            model.train()
            for numbers in _batches(seen, model, place.epoch)[place.batch :]:
                texts = pairs.train[numbers]
                images = pairs.image_of_text[texts]
                share = rate_at(place.step, steps=steps, warmup=settings.warmup)
                set_rate(optimiser, share)
                optimiser.zero_grad(set_to_none=True)
                labels = pairs.image_labels[images], pairs.text_labels[texts]
                loss = backward(model, (images, texts), labels, step=place.step)
                check_finite(loss, step=place.step, rate=share * settings.learning_rate)
                if settings.clip:
                    torch.nn.utils.clip_grad_norm_(model.modules.parameters(), settings.clip)
                optimiser.step()
                model.clamp()
                place.step += 1
                place.batch += 1
                place.loss += loss * len(texts)
                if kept and kept.every and place.step % kept.every == 0 and place.batch < per_epoch:
                    save()
                if progress:
                    progress(f"epoch {place.epoch + 1}, loss {loss:.3f}", place.step, steps)
            best = _end_epoch(model, pairs, place, best)
            save()
    if best:
        model.modules.load_state_dict(best)
    model.modules.eval()
    return place


def _batches(seen: Any, model: DualModel, epoch: int) -> list[Any]:
    settings = model.settings
    return epoch_batches(seen, batch_size=settings.batch_size, seed=settings.seed, epoch=epoch)


def _end_epoch(model: DualModel, pairs: Pairs, place: Place, best: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "epoch": place.epoch + 1,
        "step": place.step,
        "loss": place.loss / len(pairs.train),
        "scale": model.scale,
    }
    if len(pairs.held_out):
        held = retrieval(model, pairs.image_of_text, pairs.held_out)
        train = retrieval(model, pairs.image_of_text, pairs.glimpse())
        row |= {f"held_out_{key}": value for key, value in held.document().items()}
        row |= {f"train_{key}": value for key, value in train.document().items()}
        if place.best < 0 or row["held_out_mrr"] > place.history[place.best]["held_out_mrr"]:
            place.best = len(place.history)
            best = {name: value.detach().clone() for name, value in model.modules.state_dict().items()}
    place.history.append(row)
    place.epoch, place.batch, place.loss = place.epoch + 1, 0, 0.0
    return best


def _waited_enough(place: Place, patience: int) -> bool:
    return bool(patience and place.best >= 0 and len(place.history) - 1 - place.best >= patience)
