"""Short names of models: for tables, and for folders."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clipeval.encoders.spec import parse_spec


def display_name(spec: str) -> str:
    """Shorten a model spec for a table or a chart.

    Examples
    --------
    >>> display_name("preclip:resnet50+all-MiniLM-L6-v2?projection=gaussian&seed=42")
    'preclip resnet50 + all-MiniLM-L6-v2 (projection=gaussian, seed=42)'
    >>> display_name("frozen:/data/features_clip.npy")
    'frozen features_clip.npy'
    """
    parsed = parse_spec(spec)
    # a path of the user's machine is of no use to a reader
    parts = [re.sub(r"^(frozen:)?(.*/)(?=[^/]+$)", r"\1", part) for part in parsed.name.split("+")]
    name = f"{parsed.family} " + " + ".join(parts) if "/" in parsed.name and parsed.family != "hf" else None
    text = name or f"{parsed.family} {parsed.name.replace('+', ' + ')}"
    if parsed.options:
        text += " (" + ", ".join(f"{key}={value}" for key, value in parsed.options.items()) + ")"
    return text


def folder_names(specs: Sequence[str]) -> dict[str, str]:
    """Give each model a folder name that is safe on every file system and unlike the others'.

    Examples
    --------
    >>> folder_names(["hf:openai/clip", "hf:openai-clip"])
    {'hf:openai/clip': 'hf-openai-clip', 'hf:openai-clip': 'hf-openai-clip-2'}
    """
    names: dict[str, str] = {}
    for spec in specs:
        base = re.sub(r"[^A-Za-z0-9.]+", "-", spec).strip("-.")[-80:].strip("-.") or "model"
        name, number = base, 1
        while name.lower() in {taken.lower() for taken in names.values()}:
            number += 1
            name = f"{base}-{number}"
        names[spec] = name
    return names
