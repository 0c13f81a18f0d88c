"""Short names of models: for tables, and for folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from clipeval.encoders.spec import ModelSpec, parse_spec
from clipeval.errors import SpecError
from clipeval.report.text import printable

_TWO_TOWERS = {"preclip", "conse"}
_PATH = re.compile(r"(?P<kind>frozen:|local-dir:)?(?P<path>.*)", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LOOKS_LIKE_A_PATH = re.compile(r"[/\\~.]|[A-Za-z]:[/\\]")


def display_name(spec: str, *, folders: int = 0) -> str:
    """Shorten a model spec for a table or a chart.

    Parameters
    ----------
    spec : str
        A model spec.
    folders : int, optional
        How many folders of a path to keep: a path of the user's machine is of little use to a reader.

    Returns
    -------
    str
        One line without control characters.

    Examples
    --------
    >>> display_name("preclip:resnet50+all-MiniLM-L6-v2?projection=gaussian&seed=42")
    'preclip resnet50 + all-MiniLM-L6-v2 (projection=gaussian, seed=42)'
    >>> display_name("hf:gpt2@607a30d783dfa663caf39e06633721c8d4cfcd7e")
    'hf gpt2@607a30d'
    >>> display_name("frozen:/data/features_clip.npy")
    'frozen features_clip.npy'
    >>> display_name("preclip:resnet50+bert:b?projection=ridge&fit=/data/train/")
    'preclip resnet50 + bert:b (projection=ridge, fit=train)'
    """
    parsed = parse_spec(spec)
    parts = parsed.name.split("+") if parsed.family in _TWO_TOWERS else [parsed.name]
    text = f"{parsed.family} " + " + ".join(_without_folders(part, parsed, keep=folders) for part in parts)
    if parsed.revision:
        text += f"@{parsed.revision[:7] if _COMMIT.fullmatch(parsed.revision) else parsed.revision}"
    if parsed.options:
        shown = {
            key: _without_folders(value, parsed, keep=folders) if key == "fit" else value
            for key, value in parsed.options.items()
        }
        text += " (" + ", ".join(f"{key}={value}" for key, value in shown.items()) + ")"
    return printable(text)


def _without_folders(part: str, spec: ModelSpec, *, keep: int) -> str:
    found = _PATH.fullmatch(part)
    kind, path = (found["kind"] or "", found["path"]) if found else ("", part)
    if not (kind or spec.family == "frozen" or _LOOKS_LIKE_A_PATH.match(path)):
        return part  # owner/name of a hub, or architecture/tag
    pieces = [piece for piece in re.split(r"[/\\]", path) if piece]
    return kind + "/".join(pieces[-1 - keep :])


def display_names(specs: Sequence[str]) -> dict[str, str]:
    """Shorten model specs, keeping as many folders of their paths as tell them apart.

    Parameters
    ----------
    specs : sequence of str
        Model specs; a user's own encoder may go by a name that is none, and keeps it.

    Returns
    -------
    dict of str to str
        By spec.

    Examples
    --------
    >>> display_names(["frozen:old/rows.npz", "frozen:new/rows.npz", "frozen:other.npz"]).values()
    dict_values(['frozen old/rows.npz', 'frozen new/rows.npz', 'frozen other.npz'])
    >>> display_names(["hf:openai/clip", "mine"])
    {'hf:openai/clip': 'hf openai/clip', 'mine': 'mine'}
    """
    names = {spec: _short(spec) for spec in specs}
    for folders in range(1, max((spec.count("/") + spec.count("\\") for spec in names), default=0) + 1):
        times = Counter(names.values())
        names |= {spec: _short(spec, folders=folders) for spec, name in names.items() if times[name] > 1}
    return names


def _short(spec: str, *, folders: int = 0) -> str:
    try:
        return display_name(spec, folders=folders)
    except SpecError:
        return printable(spec)  # known by its name alone


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
