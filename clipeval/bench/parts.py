"""An encoder taken apart, so that each step can be timed by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from clipeval.data.pictures import decode_picture
from clipeval.encoders.base import Encoder, ImageTower, TextTower
from clipeval.encoders.hf import HfEncoder
from clipeval.encoders.image_towers import ClassifierTower
from clipeval.encoders.language_models import MeanPooledTower
from clipeval.encoders.open_clip import OpenClipEncoder
from clipeval.encoders.placement import place
from clipeval.encoders.st import SentenceTransformersEncoder
from clipeval.encoders.text_towers import SentenceTower

PARTS = (
    "decode",
    "preprocess",
    "tokenise",
    "forward image",
    "forward text",
    "end to end image",
    "end to end text",
)
GROUPS = {
    "decode": ("decode",),
    "preprocess": ("preprocess", "tokenise"),
    "forward": ("forward image", "forward text"),
    "end-to-end": ("end to end image", "end to end text"),
}
"""What ``--part`` takes, and which parts that are."""


@dataclass(frozen=True)
class Half:
    """One tower taken apart.

    Attributes
    ----------
    prepare : callable
        From pictures or texts to what the network takes, on the CPU.
    move : callable
        That, on the network's device and in its dtype.
    forward : callable
        From there to a tensor or a mapping of tensors, without gradients.
    """

    prepare: Callable[[Sequence[Any]], Any]
    move: Callable[[Any], Any]
    forward: Callable[[Any], object]


@dataclass(frozen=True)
class Part:
    """A piece of work that can be timed.

    Attributes
    ----------
    name : str
        One of `PARTS`.
    call : callable
        Does it once, on ``items`` inputs.
    items : int
        Pictures or texts.
    """

    name: str
    call: Callable[[], object]
    items: int


def take_apart_images(tower: ImageTower) -> Half | None:
    """Take an image tower apart; None where its family does not allow it.

    Examples
    --------
    >>> take_apart_images(object()) is None
    True
    """
    # the attributes are of this package's own classes: their encode methods run these same steps
    if isinstance(tower, HfEncoder):
        return Half(tower._prepare, _mover(tower), _mapped(tower._model.get_image_features))
    if isinstance(tower, OpenClipEncoder):
        return Half(_stacked(tower._transform), _mover(tower), _plain(tower._model.encode_image))
    if isinstance(tower, SentenceTransformersEncoder):
        return Half(_library(tower._model), _mover(tower), _plain(tower._model.forward))
    if isinstance(tower, ClassifierTower):
        ready = tower.classifier
        return Half(_stacked(ready.preprocess), _mover(tower), _plain(ready.features))
    return None


def take_apart_texts(tower: TextTower) -> Half | None:
    """Take a text tower apart; None where its family does not allow it.

    Examples
    --------
    >>> take_apart_texts(object()) is None
    True
    """
    if isinstance(tower, HfEncoder):
        return Half(
            lambda texts: tower._text.prepare(texts)[0],
            _mover(tower),
            _mapped(tower._model.get_text_features),
        )
    if isinstance(tower, OpenClipEncoder):
        return Half(
            lambda texts: tower._tokenizer(list(texts)), _mover(tower), _plain(tower._model.encode_text)
        )
    if isinstance(tower, SentenceTransformersEncoder):
        prepare, named = _library(tower._model), tower._as_text
        return Half(
            lambda texts: prepare([named(text) for text in texts]),
            _mover(tower),
            _plain(tower._model.forward),
        )
    if isinstance(tower, SentenceTower):
        return Half(_library(tower.model), _mover(tower), _plain(tower.model.forward))
    if isinstance(tower, MeanPooledTower):
        return Half(tower._tokens, _mover(tower), _mapped(tower.model))
    return None


def parts_of(
    encoder: Encoder, encoded: Sequence[bytes], texts: Sequence[str], *, wanted: Sequence[str] = PARTS
) -> tuple[list[Part], list[str]]:
    """Make the parts of an encoder that can be timed on one batch.

    Parameters
    ----------
    encoder : Encoder
        Loaded with the batch size of the inputs.
    encoded : sequence of bytes
        The files of the pictures of one batch.
    texts : sequence of str
        As many as a batch holds.
    wanted : sequence of str
        Of `PARTS`.

    Returns
    -------
    parts : list of Part
        In the order of `PARTS`.
    missing : list of str
        Wanted parts that this encoder does not allow, with the reason.
    """
    pictures = [_decoded(file) for file in encoded]
    found: dict[str, Callable[[], object]] = {
        "decode": lambda: [_decoded(file) for file in encoded],
        # one step after the other, as `clipeval compare` runs them
        "end to end image": lambda: encoder.encode_images([_decoded(file) for file in encoded]),
        "end to end text": lambda: encoder.encode_texts(texts),
    }
    missing = []
    towers: list[tuple[str, str, Half | None, Sequence[Any]]] = [
        ("image", "preprocess", take_apart_images(encoder.image_tower), pictures),
        ("text", "tokenise", take_apart_texts(encoder.text_tower), texts),
    ]
    for side, step, half, inputs in towers:
        if half is None:
            missing += [
                f"{name}: this {side} tower cannot be taken apart"
                for name in (step, f"forward {side}")
                if name in wanted
            ]
            continue
        ready = half.move(half.prepare(inputs))
        found[step] = _bound(half.prepare, inputs)
        found[f"forward {side}"] = _bound(half.forward, ready)
    return [
        Part(name, found[name], len(encoded)) for name in PARTS if name in wanted and name in found
    ], missing


def _decoded(file: bytes) -> Image:
    return decode_picture(file, where="a picture of the benchmark")


def _bound(call: Callable[[Any], object], inputs: Any) -> Callable[[], object]:
    return lambda: call(inputs)


def _stacked(transform: Callable[[Image], Any]) -> Callable[[Sequence[Image]], Any]:
    import torch

    return lambda pictures: torch.stack([transform(picture) for picture in pictures])


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


def _plain(call: Callable[[Any], object]) -> Callable[[Any], object]:
    import torch

    def forward(inputs: Any) -> object:
        with torch.inference_mode():
            return call(dict(inputs) if isinstance(inputs, dict) else inputs)  # some models write into it

    return forward


def _mapped(call: Callable[..., object]) -> Callable[[Any], object]:
    import torch

    def forward(inputs: Any) -> object:
        with torch.inference_mode():
            return call(**inputs)

    return forward
