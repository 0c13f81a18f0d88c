"""A learned bridge as a safetensors file: its arrays, the pairs it has seen, and the towers it belongs to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.bridges.anchors import AnchorBridge
from clipeval.core.bridges.fit import Wish
from clipeval.core.bridges.linear import LinearBridge
from clipeval.encoders.base import Fingerprint
from clipeval.encoders.learned import LearnedPreClip, TrainingRates
from clipeval.encoders.seen import SeenPairs
from clipeval.encoders.towers import Towers
from clipeval.errors import EncoderError, NotAvailableError

FORMAT = "clipeval bridge 1"
ENDING = ".safetensors"
_ARRAYS = {
    "linear": ("image_mean", "text_mean", "image_matrix", "text_matrix"),
    "anchors": ("image_anchors", "text_anchors"),
}


def bridge_content(encoder: LearnedPreClip, wish: Wish) -> bytes:
    """Give the bytes of the file of a learned bridge.

    Parameters
    ----------
    encoder : LearnedPreClip
        Towers are named, not stored.
    wish : Wish
        What was asked for.

    Returns
    -------
    bytes
        The same for the same bridge, each time.

    Raises
    ------
    EncoderError
        The bridge is none of `clipeval.core.bridges`: its own kind of file keeps it.
    """
    from safetensors.numpy import save

    bridge, seen = encoder.bridge, encoder.seen
    if not isinstance(bridge, (LinearBridge, AnchorBridge)):
        raise EncoderError(f"no file is known for this bridge: {bridge.words}", where=encoder.name)
    shape = "linear" if isinstance(bridge, LinearBridge) else "anchors"
    tensors = {name: getattr(bridge, name) for name in _ARRAYS[shape] if getattr(bridge, name) is not None}
    tensors |= seen.tensors()
    facts: dict[str, Any] = {
        "shape": shape,
        "words": bridge.words,
        "wish": asdict(wish),
        "towers": {
            "image": dict(sorted(encoder.image.fingerprint.items())),
            "text": dict(sorted(encoder.text.fingerprint.items())),
        },
        "seen": seen.facts(),
        "training": asdict(encoder.training),
    }
    if isinstance(bridge, AnchorBridge):
        facts |= {"top": bridge.top, "power": bridge.power}
    # one key of metadata: the library writes several in random order
    metadata = {"clipeval": json.dumps({"format": FORMAT, **facts}, sort_keys=True)}
    return bytes(save({key: np.ascontiguousarray(value) for key, value in tensors.items()}, metadata))


def read_bridge(path: Path, towers: Towers, *, kind: str | None = None) -> LearnedPreClip:
    """Read a learned bridge and put it over its towers.

    Parameters
    ----------
    path : Path
        What `bridge_content` gave.
    towers : Towers
        They must be those that it was learned on.
    kind : str, optional
        What the user calls it; another kind is refused.

    Returns
    -------
    LearnedPreClip

    Raises
    ------
    NotAvailableError
        There is no such file.
    EncoderError
        The file is broken or no bridge, of another kind, or belongs to other towers.
    """
    if not path.is_file():
        raise NotAvailableError(
            f"there is no file '{path}'", where=towers.name, fix="give the file of a bridge"
        )
    facts, tensors = _read(path)
    try:
        found = str(facts["wish"]["kind"])
        learned_on: dict[str, Fingerprint] = {side: dict(facts["towers"][side]) for side in ("image", "text")}
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error
    if kind is not None and kind != found:
        raise EncoderError(
            f"the file holds a bridge of the kind '{found}', not '{kind}'",
            where=f"{towers.name}, {path.name}",
            fix=f"write projection={found}",
        )
    _check_towers(learned_on, towers, path)
    try:
        encoder = _built(facts, tensors, towers)
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error
    for name, carry, width in (
        ("image", encoder.bridge.images, towers.image.width),
        ("text", encoder.bridge.texts, towers.text.width),
    ):
        try:
            carry(np.ones((1, width)))
        except (ValueError, TypeError) as error:
            raise EncoderError(
                f"the bridge does not fit the {name} tower: {str(error).splitlines()[0]}",
                where=f"{towers.name}, {path.name}",
                fix="learn it again on these towers",
            ) from error
    return encoder


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            facts: Any = json.loads((file.metadata() or {}).get("clipeval", "null"))
            if not isinstance(facts, dict) or facts.get("format") != FORMAT:
                raise EncoderError(
                    "the file is no bridge",
                    where=path.name,
                    fix="fit= takes a dataset, or a file that 'clipeval fit' wrote",
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except EncoderError:
        raise
    except Exception as error:  # hostile bytes can fail anywhere in a parser
        raise _broken(path, error) from error
    for name, values in tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise EncoderError(
                f"'{name}' holds NaN or infinity", where=path.name, fix="learn the bridge again"
            )
    return facts, tensors


def _broken(path: Path, error: Exception) -> EncoderError:
    words = (str(error).splitlines() or [""])[0][:200]
    return EncoderError(
        f"cannot read the bridge: {type(error).__name__}: {words}",
        where=path.name,
        fix="the file is truncated or was altered: learn it again",
    )


def _built(facts: dict[str, Any], tensors: dict[str, NDArray[Any]], towers: Towers) -> LearnedPreClip:
    arrays = {name: tensors.get(name) for name in _ARRAYS[facts["shape"]]}
    words = str(facts["words"])
    bridge = (
        LinearBridge(words, **arrays)  # type: ignore[arg-type]
        if facts["shape"] == "linear"
        else AnchorBridge(words, **arrays, top=int(facts["top"]), power=float(facts["power"]))  # type: ignore[arg-type]
    )
    seen = SeenPairs.from_file(facts["seen"], tensors)
    training = TrainingRates.from_plain(facts["training"])
    return LearnedPreClip(towers.name, towers.image, towers.text, seen, training, bridge)


def _check_towers(stored: dict[str, Fingerprint], towers: Towers, path: Path) -> None:
    """Refuse rows of other networks; frozen ones are only rows, whose file says nothing of their network."""
    for side, tower in (("image", towers.image), ("text", towers.text)):
        was, now = stored[side], tower.fingerprint
        if "frozen" in (was.get("family"), now.get("family")):
            continue
        for key in ("model", "weights", "layer"):
            if was.get(key) != now.get(key):
                raise EncoderError(
                    f"the bridge was learned on another {side} tower: its {key} is {was.get(key)}, "
                    f"here it is {now.get(key)}",
                    where=f"{towers.name}, {path.name}",
                    fix="learn it again on these towers, or name those",
                )
