"""Every chart of a comparison."""

from __future__ import annotations

from clipeval.compare.job import Comparison
from clipeval.report.chart import Chart, NotDrawn
from clipeval.report.figures import categories, category_confusion, densities, hit_rates, hubness, slopes

CHARTS = tuple(
    module.NAME for module in (hit_rates, densities, slopes, categories, category_confusion, hubness)
)
"""The names of all that there can be."""


def comparison_charts(job: Comparison) -> list[Chart | NotDrawn]:
    """Give the charts of a comparison in the order of a page; in place of one that cannot be, the reason.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    list of Chart or NotDrawn
        One of each of `CHARTS`.
    """
    return [
        hit_rates.hit_rates(job),
        densities.densities(job),
        slopes.slopes(job),
        categories.categories(job),
        category_confusion.category_confusion(job),
        hubness.hubness(job),
    ]
