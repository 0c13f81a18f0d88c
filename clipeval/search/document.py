"""The answer of a search as plain data."""

from __future__ import annotations

from typing import Any

from clipeval._version import __version__
from clipeval.search.job import Found


def search_document(found: Found) -> dict[str, Any]:
    """Turn an answer into a JSON document; no path of the user's machine is in it but those of the spec.

    Parameters
    ----------
    found : Found

    Returns
    -------
    dict
    """
    items = found.dataset.items
    return {
        "clipeval": __version__,
        "query": {"kind": "picture" if found.query.picture else "text", "text": found.query.text},
        "model": found.model,
        "dataset": {"name": found.dataset.name, "n_images": found.dataset.n_images},
        "results": [
            {
                "rank": hit.rank,
                "score": round(hit.score, 9),
                "id": items[hit.item].id,
                "caption": items[hit.item].captions[0],
                "category": items[hit.item].category,
            }
            for hit in found.hits
        ],
        "all_pictures": {"median": round(found.median, 9), "least": round(found.least, 9)},
        "encoded": found.encoded,
    }
