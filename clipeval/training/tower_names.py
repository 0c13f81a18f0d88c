"""What a tower's name on the command line means: kept as it is, or a network that is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipeval.encoders.image_towers import EFFICIENTNETS, RESNETS
from clipeval.encoders.joined_towers import split_joined
from clipeval.errors import SpecError, near

NETWORKS = ("hf:", "torchvision:", "timm:")
RANDOM = "random:"

TINY: Mapping[str, Mapping[str, Any]] = {
    "tiny-resnet": {
        "model_type": "resnet",
        "embedding_size": 32,
        "hidden_sizes": [32, 64, 128, 256],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
    },
    "tiny-vit": {
        "model_type": "vit",
        "hidden_size": 192,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": 64,
        "patch_size": 8,
    },
    "tiny-bert": {
        "model_type": "bert",
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
    },
    "tiny-gpt2": {
        "model_type": "gpt2",
        "n_embd": 128,
        "n_layer": 2,
        "n_head": 2,
        "n_positions": 64,
    },
}
"""Configurations of transformers, small enough for a processor; without weights, so random ones."""

SIDES_OF_TINY = {"image": ("tiny-resnet", "tiny-vit"), "text": ("tiny-bert", "tiny-gpt2")}


@dataclass(frozen=True)
class TowerName:
    """A tower's name, taken apart.

    Attributes
    ----------
    text : str
        What the user wrote.
    kind : {"kept", "tiny", "hf", "torchvision", "timm"}
    name : str
        Behind the kind.
    random : bool
        Its weights are random ones.
    revision : str or None
        Branch, tag or commit of a name on the hub.
    options : mapping
        ``tensor`` and ``ids`` of frozen rows.
    parts : tuple of TowerName
        Of joined towers.
    """

    text: str
    kind: str
    name: str
    random: bool = False
    revision: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[TowerName, ...] = ()


def parse_tower(text: str, *, side: str) -> TowerName:
    """Take a tower's name apart.

    Parameters
    ----------
    text : str
        ``frozen:PATH[?tensor=NAME&ids=FILE]``; a tower of ``preclip:``; several of these image towers with a
        plus sign between them; ``hf:NAME[@REVISION]``,
        ``torchvision:NAME[.WEIGHTS]`` or ``timm:NAME``, each also behind ``random:``; or a tiny
        network of random weights.
    side : {"image", "text"}

    Returns
    -------
    TowerName

    Raises
    ------
    SpecError
        A name that no tower of this side has (near matches named).

    Examples
    --------
    >>> parse_tower("frozen:rows.npz?tensor=val", side="image").options
    {'tensor': 'val'}
    >>> [part.name for part in parse_tower("resnet50+efficientnet-lite0", side="image").parts]
    ['resnet50', 'efficientnet-lite0']
    >>> parse_tower("random:torchvision:resnet18", side="image").random
    True
    >>> parse_tower("hf:gpt2@607a30d", side="text").revision
    '607a30d'
    """
    from urllib.parse import parse_qsl

    option = f"--{side}-tower"
    joined = split_joined(text) if side == "image" else (text,)
    if len(joined) > 1:
        parts = tuple(parse_tower(one, side=side) for one in joined)
        trained = next((part.text for part in parts if part.kind != "kept"), None)
        if trained:
            raise SpecError(
                f"'{trained}' would be trained, and only towers that stay as they are can be joined",
                where=f"{option} {text}",
                fix="frozen:PATH, efficientnet-lite0, resnet50 ... with plus signs between them",
            )
        return TowerName(text, "kept", text, parts=parts)
    if text.startswith("frozen:"):
        name, _, query = text.partition("?")
        options = dict(parse_qsl(query))
        for key in options:
            if key not in {"tensor", "ids"}:
                raise SpecError(
                    f"unknown option '{key}'", where=f"{option} {text}", fix=near(key, ["tensor", "ids"])
                )
        return TowerName(text, "kept", name, options=options)
    bare = text.removeprefix(RANDOM)
    for prefix in NETWORKS:
        if bare.startswith(prefix):
            if side == "text" and prefix != "hf:":
                raise SpecError(
                    f"{prefix} knows no text networks", where=f"{option} {text}", fix="write hf:NAME"
                )
            name, revision = _revision(bare.removeprefix(prefix)) if prefix == "hf:" else (bare, None)
            return TowerName(
                text, prefix.removesuffix(":"), name.removeprefix(prefix), bare != text, revision
            )
    if bare != text:
        raise SpecError(
            f"'{bare}' names no network", where=f"{option} {text}", fix=f"write {RANDOM}hf:FOLDER or the like"
        )
    if text in TINY:
        if text not in SIDES_OF_TINY[side]:
            raise SpecError(
                f"'{text}' is no {side} network", where=option, fix=near(text, SIDES_OF_TINY[side])
            )
        return TowerName(text, "tiny", text, random=True)
    known = [*EFFICIENTNETS, *RESNETS, *SIDES_OF_TINY[side]] if side == "image" else []
    if side == "image" and text.partition(".")[0] not in known:
        raise SpecError(
            f"unknown image tower '{text}'", where=option, fix=near(text, [*known, "hf:NAME", "timm:NAME"])
        )
    return TowerName(text, "kept", text)


def _revision(name: str) -> tuple[str, str | None]:
    """Split ``NAME@REVISION``; an '@' before a slash or in the name of a folder belongs to a path."""
    head, at, revision = name.rpartition("@")
    if not at or "/" in revision or folder_of(name):
        return name, None
    return head, revision


def folder_of(name: str) -> Path | None:
    """Give the local folder that a name means, if it is one."""
    path = Path(name).expanduser()
    return path if path.is_dir() else None
