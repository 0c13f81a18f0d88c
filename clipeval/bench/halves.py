"""A tower taken apart: what is prepared on the CPU, what is moved, what the network does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clipeval.bench.seam import Call, Seam, image_seam, text_seam
from clipeval.encoders.base import ImageTower, TextTower
from clipeval.encoders.hf import HfEncoder
from clipeval.encoders.imports import import_models
from clipeval.encoders.language_models import MeanPooledTower
from clipeval.encoders.open_clip import OpenClipEncoder
from clipeval.encoders.placement import place
from clipeval.encoders.staging import PixelStage, stage_of
from clipeval.encoders.text_towers import SentenceTower


@dataclass(frozen=True)
class Half:
    """One tower taken apart.

    Attributes
    ----------
    prepare : callable
        From pictures or texts to what the network takes, on the CPU.
    move : callable
        That, on the network's device and in its dtype.
    seam : Seam
        Where the network is called.
    """

    prepare: Callable[[Sequence[Any]], Any]
    move: Callable[[Any], Any]
    seam: Seam

    def forward(self, inputs: Any, call: Call | None = None) -> object:
        """Run the network without gradients, or something else in its place."""
        with import_models("torch").inference_mode():
            return self.seam.call(inputs, call)


def take_apart_images(tower: ImageTower) -> Half | None:
    """Take an image tower apart; None where its family does not allow it.

    Examples
    --------
    >>> take_apart_images(object()) is None
    True
    """
    seam = image_seam(tower)
    if seam is None:
        return None
    return Half(_image_preparation(tower), _mover(tower), seam)


def take_apart_texts(tower: TextTower) -> Half | None:
    """Take a text tower apart; None where its family does not allow it.

    Examples
    --------
    >>> take_apart_texts(object()) is None
    True
    """
    seam = text_seam(tower)
    if seam is None:
        return None
    return Half(_text_preparation(tower), _mover(tower), seam)


def _image_preparation(tower: Any) -> Callable[[Sequence[Any]], Any]:
    stage = stage_of(tower)
    if isinstance(stage, PixelStage):
        named = isinstance(tower, HfEncoder)

        def fill(pictures: Sequence[Any]) -> Any:
            room = stage.room(len(pictures))
            for at, picture in enumerate(pictures):
                stage.put(room, at, picture)
            return {"pixel_values": room} if named else room

        return fill
    # the attributes are of this package's own classes: their encode methods run these same steps
    if isinstance(tower, HfEncoder):
        return tower._prepare
    return _library(tower._model)


def _text_preparation(tower: Any) -> Callable[[Sequence[Any]], Any]:
    if isinstance(tower, HfEncoder):
        return lambda texts: tower._text.prepare(texts)[0]
    if isinstance(tower, OpenClipEncoder):
        return lambda texts: tower._tokenizer(list(texts))
    if isinstance(tower, MeanPooledTower):
        return tower._tokens
    if isinstance(tower, SentenceTower):
        return _library(tower.model)
    prepare, named = _library(tower._model), tower._as_text
    return lambda texts: prepare([named(text) for text in texts])


def _library(model: Any) -> Callable[[Sequence[Any]], Any]:
    """Find how this version of sentence-transformers prepares a batch."""
    prepare = getattr(model, "preprocess", None) or model.tokenize
    return lambda inputs: prepare(list(inputs))


def _mover(tower: Any) -> Callable[[Any], Any]:
    options = getattr(tower, "_options", None) or tower.options
    device, dtype = place(options, where="benchmark")

    def move(inputs: Any) -> Any:
        if hasattr(inputs, "is_floating_point"):
            return inputs.to(device, dtype) if inputs.is_floating_point() else inputs.to(device)
        return {key: move(value) if hasattr(value, "to") else value for key, value in inputs.items()}

    return move
