"""The files of a classification: one folder for each model and set of prompts, and the document."""

from __future__ import annotations

from pathlib import Path

from clipeval.classification.document import classification_document
from clipeval.classification.job import Classification, Classified
from clipeval.compare.document import to_text
from clipeval.report.chart import write_chart
from clipeval.report.figures.confusion import confusion
from clipeval.report.files import encoded, replace_file, write_csv, writing
from clipeval.report.names import display_name, folder_names

DOCUMENT = "classification.json"


def write_classification(folder: Path, job: Classification) -> list[Path]:
    """Write ``classes.csv`` and ``confusion`` as PNG, SVG and CSV of each model and set, the JSON last.

    Parameters
    ----------
    folder : Path
        Made if absent. Files of the same names are replaced, each whole or not at all.
    job : Classification

    Returns
    -------
    list of Path
        In order.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    written: list[Path] = []
    folders = folder_names([model.spec for model in job.models])
    with writing("results", folder, fix="choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        for model in job.models:
            for one in model.sets:
                place = folder / folders[model.spec] / one.prompts
                place.mkdir(parents=True, exist_ok=True)
                title = f"{display_name(model.spec)}, prompts {one.prompts}: top-1 {one.top1.value:.3f}"
                write_csv(place / "classes.csv", _rows(job, one))
                chart = confusion(job.names, one.confusion, title=title)
                written += [place / "classes.csv", *write_chart(place, chart)]
        names = [path.relative_to(folder).as_posix() for path in written]
        replace_file(folder / DOCUMENT, encoded(to_text(classification_document(job, files=names))))
    return [*written, folder / DOCUMENT]


def _rows(job: Classification, one: Classified) -> list[list[object]]:
    rows: list[list[object]] = [["class", "pictures", "accuracy", "low", "high", "most_taken_for"]]
    for at, name in enumerate(job.names):
        metric = one.of_classes.get(name)
        if metric is None or metric.value is None or metric.low is None or metric.high is None:
            continue
        counts = one.confusion[at].copy()
        counts[at] = 0.0
        wrong = job.names[int(counts.argmax())] if counts.any() else ""
        numbers = [round(number, 6) for number in (metric.value, metric.low, metric.high)]
        rows.append([name, int((job.right == at).sum()), *numbers, wrong])
    return rows
