"""Which words of two fingerprints differ, in the order in which they explain other embeddings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clipeval.baseline.fingerprint import NOT_SHOWN, PIXELS, TOKENS

NOT_RECORDED = "not recorded"

LABELS = {
    "weights": "weights (SHA-256)",
    "code": "the encoder's own code (SHA-256)",
    "model": "model",
    "revision": "revision",
    "family": "family of the model spec",
    "architecture": "architecture",
    "layer": "layer that the embedding is taken from",
    "configuration": "configuration files (SHA-256)",
    "modules": "modules",
    "projection": "projection",
    "bridge": "bridge between the towers",
    "class names": "class names",
    "class names sha256": "class names (SHA-256)",
    "array": "array of the stored rows",
    "ids": "ids of the stored rows",
    "tokenizer": "tokenizer files (SHA-256)",
    "text form": "form of the texts",
    "text length": "longest text",
    "text padding": "padding of the texts",
    "prompt": "prompt before a text",
    TOKENS: "tokens of the probe captions",
    "image processor backend": "image processor backend",
    "picture processor": "image processor",
    "resize": "resize",
    "crop": "crop",
    "scale": "scale of the pixels",
    "mean": "mean of the pixels",
    "standard deviation": "standard deviation of the pixels",
    "antialias": "antialiasing",
    "picture transform": "picture transform",
    "preprocessing": "preprocessing",
    PIXELS: "pixels of the probe pictures",
    "dtype": "dtype",
    "activation": "activation",
    "attention": "attention kernel",
    "device": "device",
    "memory layout": "memory layout of the image network",
    "torch": "torch version",
    "transformers": "transformers version",
    "open_clip_torch": "open_clip version",
    "sentence-transformers": "sentence-transformers version",
    "torchvision": "torchvision version",
    "pillow": "Pillow version",
    "tokenizers": "tokenizers version",
    "timm": "timm version",
    "efficientnet-lite-pytorch": "efficientnet-lite-pytorch version",
    "numpy": "numpy version",
    "batch size": "batch size (moves the last bits of a row)",
    "python": "Python version",
    "clipeval": "clipeval version",
}
"""Every word that our encoders use, as people say it; the likeliest cause of other embeddings first."""

HARMLESS = frozenset({"python", "clipeval"})
"""Words that change no embedding by themselves: what they could change, other words show."""

NAMES = frozenset({"model", "revision"})
"""What weights are called: where their hash is the same, another name is no cause."""

ARITHMETIC = frozenset({"dtype", "device", "attention", "memory layout", "batch size"})
"""Words of how the same network is computed."""

SHORT = 12
"""Digits of a hash that are shown."""

_TOWERS = {"image": "image tower", "text": "text tower"}
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PLACES = {name: place for place, name in enumerate(LABELS)}
_UNKNOWN = _PLACES["numpy"]  # most often the version of one more library


@dataclass(frozen=True)
class FieldChange:
    """One word of the fingerprint that differs.

    Attributes
    ----------
    name : str
        Its key.
    label : str
        The key in words.
    old, new : str
        ``not recorded`` where one side lacks it. Hashes are cut to their first 12 digits. The text is as it
        stood in the file: escape it before it is printed.
    matters : bool
        It can change an embedding.
    """

    name: str
    label: str
    old: str
    new: str
    matters: bool = True


def changed_fields(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """Compare two fingerprints word by word.

    Parameters
    ----------
    old, new : mapping of str to str
        From `clipeval.baseline.fingerprint.full_fingerprint`, perhaps of another version of clipeval: words
        that only one side has, and words that nobody knows, are differences like others.

    Returns
    -------
    tuple of FieldChange
        Ordered by how likely each explains other embeddings: weights and model, tokenizer, pixels, dtype,
        activation, attention, device, versions of libraries, and last what cannot explain any.

    Examples
    --------
    >>> old = {"torch": "2.14.0", "image processor backend": "pil", "dtype": "float32", "python": "3.11.7"}
    >>> new = {"torch": "2.15.0", "image processor backend": "torchvision", "dtype": "float32"}
    >>> for change in changed_fields(old, new):
    ...     print(f"{change.label}: {change.old} → {change.new}, {change.matters}")
    image processor backend: pil → torchvision, True
    torch version: 2.14.0 → 2.15.0, True
    Python version: 3.11.7 → not recorded, False
    """
    # a file may hold anything
    old, new = ({str(name): str(value) for name, value in side.items()} for side in (old, new))
    differing = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    changes = [(_place(name), name, _change(name, old, new)) for name in differing]
    return tuple(change for *_, change in sorted(changes, key=lambda one: (not one[2].matters, *one[:2])))


def only_arithmetic(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Say whether two fingerprints name one system that at most computes differently.

    Parameters
    ----------
    old, new : mapping of str to str
        As for `changed_fields`.

    Returns
    -------
    bool
        The SHA-256 of all weights is known and the same, and nothing but `ARITHMETIC` and versions of known
        libraries differs.

    Examples
    --------
    >>> old = {"weights": "0" * 64, "dtype": "float32"}
    >>> only_arithmetic(old, {**old, "dtype": "bfloat16"}), only_arithmetic(old, {**old, "prompt": "a photo"})
    (True, False)
    """
    weights = [name for name in {*old, *new} if _split(name)[1] == "weights"]
    same = all(old.get(name) == new.get(name) and _HASH.fullmatch(old[name]) for name in weights)
    words = [_split(change.name)[1] for change in changed_fields(old, new) if change.matters]
    return (
        bool(weights)
        and same
        and all(word in ARITHMETIC or LABELS.get(word, "").endswith(" version") for word in words)
    )


def _split(name: str) -> tuple[str, str]:
    """Split ``image: weights`` into the tower and the word."""
    tower, colon, word = name.partition(": ")
    return (tower, word) if colon and tower in _TOWERS else ("", name)


def _place(name: str) -> int:
    return _PLACES.get(_split(name)[1], _UNKNOWN)


def _change(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> FieldChange:
    tower, word = _split(name)
    label = LABELS.get(word, word)
    before, after = (side.get(name, NOT_RECORDED) for side in (old, new))
    cut = tuple(_HASH.sub(lambda found: found[0][:SHORT], value) for value in (before, after))
    if cut[0] != cut[1]:
        before, after = cut
    return FieldChange(
        name,
        f"{_TOWERS[tower]}, {label}" if tower else label,
        before,
        after,
        matters=not (
            word in HARMLESS
            or {before, after} == {NOT_RECORDED, NOT_SHOWN}
            or (word in NAMES and _same_weights(name, old, new))
        ),
    )


def _same_weights(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    tower, _ = _split(name)
    weights = f"{tower}: weights" if tower else "weights"
    known = old.get(weights)
    return known is not None and known == new.get(weights) and _HASH.fullmatch(known) is not None
