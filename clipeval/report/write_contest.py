"""All files of one contest of bridges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from clipeval.bridges.contest import Contest
from clipeval.bridges.curve import Point
from clipeval.bridges.document import contest_document
from clipeval.report.chart import write_chart
from clipeval.report.figures.contest import contest, curve
from clipeval.report.files import encoded, replace_file, writing
from clipeval.report.stale import listed_files, remove_files

DOCUMENT = "contest.json"
OF_CONTEST = ("contest.png", "contest.svg", "contest.csv")
OF_CURVE = ("curve.png", "curve.svg", "curve.csv")


def contest_text(job: Contest, points: Sequence[Point]) -> str:
    """Give the JSON document as text."""
    files = (*OF_CONTEST, *(OF_CURVE if points else ()))
    document = contest_document(job, points, files=files)
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_contest(folder: Path, job: Contest, points: Sequence[Point]) -> list[str]:
    """Write tables, pictures and, last, the JSON document; an earlier curve that is not drawn again goes.

    Parameters
    ----------
    folder : Path
        Made if absent; files of the same names are replaced.
    job : Contest
        What ran and what did not.
    points : sequence of Point
        Of the learning curve; may be empty.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    with writing("results", folder, fix="choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        earlier = listed_files(folder / DOCUMENT, known=frozenset({*OF_CONTEST, *OF_CURVE}))
        (folder / DOCUMENT).unlink(missing_ok=True)
        remove_files(folder, set(earlier))
        charts = [contest(job), *([curve(points, job)] if points else [])]
        written = [path.name for chart in charts for path in write_chart(folder, chart)]
        replace_file(folder / DOCUMENT, encoded(contest_text(job, points)))
    return [*written, DOCUMENT]
