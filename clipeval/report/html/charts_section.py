"""The section of a page that holds its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipeval.report.chart import Chart, NotDrawn, svg
from clipeval.report.html.page import Section


def charts_section(
    charts: Sequence[Chart | NotDrawn], *, drawings: Mapping[str, str] | None = None
) -> list[Section]:
    """Give the section of some charts.

    Parameters
    ----------
    charts : sequence of Chart or NotDrawn
        In the order of the page.
    drawings : mapping of str to str, optional
        SVG elements by the charts' names, where they are drawn already.

    Returns
    -------
    list of Section
        Empty where there is no chart at all.
    """
    known = drawings or {}
    drawn = [
        {
            "name": chart.name,
            "title": chart.title,
            "caption": chart.caption,
            "svg": known.get(chart.name) or svg(chart),
        }
        for chart in charts
        if isinstance(chart, Chart)
    ]
    absent = [{"title": one.title, "reason": one.reason} for one in charts if isinstance(one, NotDrawn)]
    if not drawn and not absent:
        return []
    return [Section("charts", "Charts", "charts", {"charts": drawn, "not_drawn": absent})]
