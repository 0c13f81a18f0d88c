"""The files of a study, under the names that the study gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clipeval.compare.document import to_text
from clipeval.report.chart import Chart, write_png
from clipeval.report.figures.densities import densities
from clipeval.report.figures.heatmap import heatmap
from clipeval.report.files import encoded, replace_file, write_csv, write_similarities, writing
from clipeval.report.gallery import draw_galleries
from clipeval.report.matrix_limit import too_large_for_the_matrix
from clipeval.report.matrix_text import write_matrix
from clipeval.report.names import display_name
from clipeval.report.study_charts import draw_right_pairs
from clipeval.report.style import INK
from clipeval.studies.document import (
    results_document,
    retrieval_rows,
    side_by_side,
    study_document,
    training_rows,
)
from clipeval.studies.features import features_bytes, features_file
from clipeval.studies.preset import Artefact
from clipeval.studies.run import StudyRun
from clipeval.studies.trained import is_trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOCUMENT = "study.json"
_WHOLE_MATRIX = frozenset({"similarities", "matrix", "heatmap", "densities"})


def study_title(run: StudyRun) -> str:
    """Name the study, and say where stand-ins took the models' parts."""
    twin = ", offline twin: not the study's models" if run.twin else ""
    return f"{run.preset.number} {run.preset.name}{twin}"


def write_study(folder: Path, run: StudyRun, *, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Write what a run, or a step, makes; files of other steps stay.

    Parameters
    ----------
    folder : Path
        Of the study; made if absent. Each file is written whole or not at all, ``study.json`` last.
    run : StudyRun
    progress : callable, optional
        Called with the name of each file before it is made.

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
    with writing("results", folder, fix="choose another folder with --out"):
        folder.mkdir(parents=True, exist_ok=True)
        for (key, half), features in run.features.items():
            place = features_file(folder / key, half)
            place.parent.mkdir(exist_ok=True)
            content = features_bytes(features, run.comparison.dataset, spec=run.specs[key], half=half)
            replace_file(place, content)
            written.append(place)
        for artefact in run.preset.artefacts:
            make = _maker(run, artefact)
            if make is not None:
                if progress:
                    progress(artefact.file)
                make(folder / artefact.file)
                written.append(folder / artefact.file)
        names = sorted(path.relative_to(folder).as_posix() for path in written)
        replace_file(folder / DOCUMENT, encoded(to_text(study_document(run, files=names))))
    return [*written, folder / DOCUMENT]


def _maker(run: StudyRun, artefact: Artefact) -> Callable[[Path], None] | None:
    """Say how a file is made; None where this step has nothing for it."""
    if artefact.kind in _WHOLE_MATRIX and too_large_for_the_matrix(run.comparison):
        return None
    if artefact.model:
        return _of_one(run, artefact)
    labels = {run.labels[model.key]: run.evaluation(model.key) for model in run.preset.models}
    ran = {label: evaluation for label, evaluation in labels.items() if evaluation is not None}
    if run.judged is None or not ran:
        return None
    makers: dict[str, Callable[[Path], None]] = {
        "bars": lambda path: draw_right_pairs(path, ran, title=study_title(run)),
        "comparison": lambda path: replace_file(path, encoded(to_text(side_by_side(run)))),
        "densities": lambda path: _draw_densities(path, run),
        "retrieval": lambda path: write_csv(path, retrieval_rows(run)),
        "training": lambda path: write_csv(path, training_rows(run)),
    }
    if artefact.kind == "training" and not any(
        is_trained(model, twin=run.twin) for model in run.preset.models
    ):
        return None
    return makers[artefact.kind]


def _draw_densities(path: Path, run: StudyRun) -> None:
    chart = densities(run.comparison)
    if isinstance(chart, Chart):  # a model ran, and the matrix is small enough
        write_png(path, _titled(chart, study_title(run)))


def _titled(chart: Chart, title: str) -> Chart:
    """Put the study above a chart that otherwise names models only: a twin's picture says so itself."""

    def figure() -> Figure:
        drawn = chart.figure()
        drawn.suptitle(title, fontsize=10, color=INK)
        return drawn

    return replace(chart, figure=figure)


def _of_one(run: StudyRun, artefact: Artefact) -> Callable[[Path], None] | None:
    evaluation = run.evaluation(artefact.model)
    if evaluation is None:
        return None
    found = run.galleries.get(artefact.model, "")
    title = f"{study_title(run)}: {run.labels[artefact.model]}"
    if artefact.kind == "gallery":
        if isinstance(found, str):
            return None
        title = f"{title}, {display_name(evaluation.model)}"
        return lambda path: draw_galleries(path, found, evaluation.dataset, title=title)
    makers: dict[str, Callable[[Path], None]] = {
        "heatmap": lambda path: write_png(path, _titled(heatmap(evaluation), title)),
        "matrix": lambda path: write_matrix(path, evaluation),
        "results": lambda path: replace_file(path, encoded(to_text(results_document(run, artefact.model)))),
        "similarities": lambda path: write_similarities(path, evaluation),
    }
    return makers[artefact.kind]
