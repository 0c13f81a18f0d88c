"""Figures that others published, to be shown beside one's own: never measured here, and labelled so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from clipeval.errors import InvalidInputError, near


@dataclass(frozen=True)
class Published:
    """One published row.

    Attributes
    ----------
    label : str
        Model, as its publisher calls it.
    rates : mapping of str to mapping of str to float
        By direction, then by metric (``hit_rate@5``).
    source : str
        Where it was published.
    note : str
        What is different there.
    """

    label: str
    rates: Mapping[str, Mapping[str, float]]
    source: str
    note: str


def published_names() -> tuple[str, ...]:
    """Give the names under which figures are kept.

    Examples
    --------
    >>> published_names()
    ('flickr8k',)
    """
    return tuple(sorted(_all()))


def published_rows(name: str) -> tuple[Published, ...]:
    """Give the published figures for a dataset.

    Parameters
    ----------
    name : str
        One of `published_names`.

    Returns
    -------
    tuple of Published

    Raises
    ------
    InvalidInputError
        Nothing is kept under this name (near matches named).

    Examples
    --------
    >>> published_rows("flickr8k")[0].rates["t2i"]
    {'hit_rate@5': 0.8054}
    """
    known = _all()
    if name not in known:
        raise InvalidInputError(f"no published figures are kept for '{name}'", fix=near(name, known))
    return tuple(
        Published(row["label"], {"i2t": row["i2t"], "t2i": row["t2i"]}, row["source"], row["note"])
        for row in known[name]
    )


def _all() -> dict[str, Any]:
    text = files("clipeval.bridges").joinpath("published.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
