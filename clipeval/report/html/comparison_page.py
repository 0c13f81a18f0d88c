"""The page of a comparison: who is better, by how much, and every query and score behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clipeval._version import __version__
from clipeval.compare.job import Comparison
from clipeval.counted import count
from clipeval.report.chart import Chart, NotDrawn
from clipeval.report.html.answer import answer_values
from clipeval.report.html.charts_section import charts_section
from clipeval.report.html.explorer import explorer_data, explorer_sections
from clipeval.report.html.model_names import page_names
from clipeval.report.html.page import Page, Section
from clipeval.report.html.private_paths import without_paths


def comparison_page(
    job: Comparison,
    *,
    pictures: Sequence[str | None],
    charts: Sequence[Chart | NotDrawn] = (),
    drawings: Mapping[str, str] | None = None,
    show_paths: bool = False,
) -> Page:
    """Lay out the page of a comparison.

    Parameters
    ----------
    job : Comparison
        What ran and what did not.
    pictures : sequence of str or None
        A small picture of each item (`clipeval.report.html.thumbnails`).
    charts : sequence of Chart or NotDrawn
        `clipeval.report.figures.of_comparison.comparison_charts`.
    drawings : mapping of str to str, optional
        See `charts_section`.
    show_paths : bool
        Whether paths of the user's machine stay in specs, reasons and fingerprints.

    Returns
    -------
    Page
    """
    shown = (lambda text: text) if show_paths else without_paths
    names = page_names(job, show_paths=show_paths)
    data = job.dataset
    facts = [count(data.n_images, "picture"), count(data.n_captions, "caption")]
    if data.categories:
        facts.append(count(len(data.categories), "category", "categories"))
    sections = [Section("answer", "Answer", "answer", answer_values(job, names=names, shown=shown))]
    explored: dict[str, Any] = {}
    ran = [(names[one.spec], one.evaluation) for one in job.models if one.evaluation is not None]
    if ran:
        explored = {"explorer": explorer_data(data, ran, pictures=pictures)}
        sections += explorer_sections(data, [name for name, _ in ran], explored["explorer"])
        sections += charts_section(charts, drawings=drawings)
    sections.append(Section("details", "Details", "details", _details(job, names, shown)))
    return Page(
        title=data.name,
        kind="comparison",
        facts=[*facts, f"clipeval {__version__}"],
        sections=sections,
        data=explored,
    )


def _details(job: Comparison, names: Mapping[str, str], shown: Callable[[str], str]) -> dict[str, Any]:
    return {
        "seed": job.seed,
        "models": [
            {
                "name": names[result.spec],
                "spec": shown(result.spec),
                "fingerprint": {
                    key: shown(value) for key, value in sorted(result.evaluation.fingerprint.items())
                },
            }
            for result in job.models
            if result.evaluation is not None
        ],
    }
