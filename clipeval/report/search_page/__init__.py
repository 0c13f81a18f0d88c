"""The answer of a search as a page: one HTML file that asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from clipeval._version import __version__
from clipeval.counted import count
from clipeval.report.html.thumbnails import thumbnail
from clipeval.report.names import display_name
from clipeval.report.search_text import NOTE, in_context
from clipeval.report.text import printable
from clipeval.search import Found

SIDE = 480
"""Pixels of a picture's longer side."""


def search_page(found: Found) -> str:
    """Render what was found, with its pictures in the file.

    Captions, ids and the question are escaped, and characters that could not be seen as themselves are spelt
    out. The page forbids itself scripts and the network (Content-Security-Policy).

    Parameters
    ----------
    found : Found

    Returns
    -------
    str
        One HTML document.

    Raises
    ------
    PictureError
        A picture cannot be decoded.
    """
    from jinja2 import Environment, StrictUndefined

    here = files("clipeval.report.search_page")
    style = here.joinpath("gallery.css").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    hits = [_hit(found, at) for at in range(len(found.hits))]
    return template.from_string(here.joinpath("gallery.html").read_text(encoding="utf-8")).render(
        query=printable(found.query.text, longest=300),
        asked=found.query.picture and thumbnail(found.query.picture, side=SIDE),
        model=display_name(found.model),
        dataset=printable(found.dataset.name, longest=80),
        hits=hits,
        found=count(len(hits), "picture"),
        context=in_context(found),
        note=NOTE,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=__version__,
    )


def _hit(found: Found, at: int) -> dict[str, Any]:
    hit = found.hits[at]
    item = found.dataset.items[hit.item]
    return {
        "rank": hit.rank,
        "score": f"{hit.score:.3f}",
        "id": printable(item.id, longest=120),
        "caption": printable(item.captions[0], longest=400),
        "category": printable(item.category, longest=60) if item.category else "",
        "picture": item.picture and thumbnail(item.picture, side=SIDE),
    }
