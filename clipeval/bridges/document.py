"""The contest as one JSON document, and as the rows of two tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from clipeval._version import __version__
from clipeval.bridges.contest import SHOWN, Contest, Entry
from clipeval.bridges.curve import Point
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS

HEADER = (
    "name",
    "way",
    "direction",
    "metric",
    "value",
    "low",
    "high",
    "chance",
    "training_value",
    "training_low",
    "training_high",
    "words",
    "not_run",
)


def contest_document(
    job: Contest, points: Sequence[Point] = (), *, files: Sequence[str] = ()
) -> dict[str, Any]:
    """Turn a contest into plain data; apart from ``seconds`` the same job gives the same document.

    Parameters
    ----------
    job : Contest
        What ran and what did not.
    points : sequence of Point
        Of the learning curve.
    files : sequence of str
        What is written beside the document.

    Returns
    -------
    dict
    """
    return {
        "clipeval": __version__,
        "towers": job.towers,
        "seed": job.seed,
        "train": _data(job.train),
        "test": _data(job.test),
        "entries": [_entry(entry) for entry in job.entries],
        "curve": [asdict(point) for point in points],
        "files": list(files),
    }


def contest_rows(job: Contest) -> list[tuple[object, ...]]:
    """Give one row for each contestant, direction and metric, a header first."""
    rows: list[tuple[object, ...]] = [HEADER]
    for entry in job.entries:
        if entry.reason:
            rows.append((entry.name, entry.way, *[""] * 10, entry.reason))
            continue
        for direction in DIRECTIONS:
            for metric, one in entry.rates[direction].items():
                own = entry.learned.training.rates[direction].get(metric) if entry.learned else None
                numbers = (one.value, one.low, one.high, one.chance)
                training = (own.value, own.low, own.high) if own else (None, None, None)
                cells = ["" if number is None else round(number, 6) for number in (*numbers, *training)]
                rows.append((entry.name, entry.way, direction, metric, *cells, entry.words, ""))
    return rows


def curve_rows(points: Sequence[Point]) -> list[tuple[object, ...]]:
    """Give one row for each point, a header first."""
    header = ("name", "training_pictures", "training_captions", "seed", "i2t_hit_rate@1", "t2i_hit_rate@1")
    return [
        header,
        *((p.name, p.n_images, p.n_captions, p.seed, round(p.i2t, 6), round(p.t2i, 6)) for p in points),
    ]


def _data(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "n_images": data.n_images,
        "n_captions": data.n_captions,
        "sha256": dataset_hash(data),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "way": entry.way,
        "words": entry.words,
        "reason": entry.reason or None,
        "rates": {
            direction: {name: asdict(one) for name, one in of.items() if name in SHOWN}
            for direction, of in entry.rates.items()
        },
        "learned": asdict(entry.learned) if entry.learned else None,
        "seconds": round(entry.seconds, 3),
    }
