"""The place in an encoder where its network is called, so that another way to run it can stand there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from clipeval.encoders.base import ImageTower, TextTower
from clipeval.encoders.hf import HfEncoder
from clipeval.encoders.image_towers import ClassifierTower
from clipeval.encoders.language_models import MeanPooledTower
from clipeval.encoders.open_clip import OpenClipEncoder
from clipeval.encoders.st import SentenceTransformersEncoder
from clipeval.encoders.text_towers import SentenceTower

Call: TypeAlias = Callable[..., object]
Style: TypeAlias = Literal["words", "tensor", "mapping"]


@dataclass(frozen=True)
class Seam:
    """Where a tower calls its network.

    Attributes
    ----------
    side : str
        ``image`` or ``text``.
    place : tuple of int and str
        Which object's which attribute; some families call one network for both sides.
    network : torch.nn.Module
        Holds the parameters.
    get, put : callable
        Give what the tower calls now; set something else in its place, called alike.
    style : str
        How it is called: with tensors by name (``words``), with one ``tensor``, with one ``mapping``.
    output : str or None
        Under which name the rows are in what it returns; None where it returns a tensor.
    """

    side: str
    place: tuple[int, str]
    network: Any
    get: Callable[[], Call]
    put: Callable[[Call], None]
    style: Style
    output: str | None = None

    def call(self, inputs: Any, call: Call | None = None) -> object:
        """Call the network (or something else in its place) on prepared inputs."""
        run = call or self.get()
        if self.style == "words":
            return run(**inputs)
        # some models write into the mapping that they are given
        return run(dict(inputs) if self.style == "mapping" else inputs)


def image_seam(tower: ImageTower) -> Seam | None:
    """Find the seam of an image tower; None where its family has none.

    Examples
    --------
    >>> image_seam(object()) is None
    True
    """
    # the attributes are of this package's own classes: their encode methods call the network through them
    if isinstance(tower, HfEncoder):
        return _attribute("image", tower._model, "get_image_features", "words", "pooler_output")
    if isinstance(tower, OpenClipEncoder):
        return _attribute("image", tower._model, "encode_image", "tensor")
    if isinstance(tower, SentenceTransformersEncoder):
        return _attribute("image", tower._model, "forward", "mapping", "sentence_embedding")
    if isinstance(tower, ClassifierTower):

        def put(call: Call) -> None:
            # a cached property of a frozen dataclass: the cache is where the network stands
            vars(tower)["classifier"] = replace(tower.classifier, features=call)

        place = (id(tower), "classifier")
        return Seam(
            "image", place, tower.classifier.network, lambda: tower.classifier.features, put, "tensor"
        )
    return None


def text_seam(tower: TextTower) -> Seam | None:
    """Find the seam of a text tower; None where its family has none.

    Examples
    --------
    >>> text_seam(object()) is None
    True
    """
    if isinstance(tower, HfEncoder):
        return _attribute("text", tower._model, "get_text_features", "words", "pooler_output")
    if isinstance(tower, OpenClipEncoder):
        return _attribute("text", tower._model, "encode_text", "tensor")
    if isinstance(tower, SentenceTransformersEncoder):
        return _attribute("text", tower._model, "forward", "mapping", "sentence_embedding")
    if isinstance(tower, SentenceTower):
        return _attribute("text", tower.model, "forward", "mapping", "sentence_embedding")
    if isinstance(tower, MeanPooledTower):
        return _attribute("text", tower.model, "forward", "words", "last_hidden_state")
    return None


def _attribute(side: str, network: Any, name: str, style: Style, output: str | None = None) -> Seam:
    return Seam(
        side,
        (id(network), name),
        network,
        lambda: getattr(network, name),
        lambda call: setattr(network, name, call),
        style,
        output,
    )
