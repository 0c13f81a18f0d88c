"""The models of a comparison as a chart shows them: those that ran, their names and their marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clipeval.compare.job import Comparison, ModelResult
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS, Direction, Evaluation
from clipeval.evaluation.scores import Scores
from clipeval.report.names import display_names
from clipeval.report.style import INK, MARKERS, PALETTE
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES: dict[Direction, str] = {"i2t": "image finds caption (i2t)", "t2i": "caption finds image (t2i)"}


@dataclass(frozen=True, eq=False)
class Shown:
    """One model that ran.

    Attributes
    ----------
    spec : str
        As the comparison has it.
    name : str
        Short and unlike the others', without folders of the user's machine.
    evaluation, scores, categories
        Of its result.
    colour, marker : str
        Its own in every chart of the comparison.
    series : int
        The number of its colour in a page, from 1; 0 for one of the many that share the colour of `INK`.
    """

    spec: str
    name: str
    evaluation: Evaluation
    scores: Scores
    categories: dict[str, Scores]
    colour: str
    marker: str
    series: int


def in_colour(models: Sequence[Shown]) -> list[Shown]:
    """Leave out those of very many models that have no colour of their own."""
    return [model for model in models if model.series]


def others(models: Sequence[Shown]) -> list[Shown]:
    """Give the models without a colour of their own."""
    return [model for model in models if not model.series]


def which_in_colour(models: Sequence[Shown], *, rest: str, word: str = "In colour") -> str:
    """Say in a caption which of very many models are in colour, or drawn, and what became of the rest."""
    if not others(models):
        return ""
    return f" {word}: the first of {len(models)} models, the best and the worst; the rest are {rest}."


def series_of(job: Comparison) -> dict[str, int]:
    """Give each model that ran the number of its colour, by spec; 0 where there are more models than colours.

    Of very many models the first, the worst and as many of the best as there is room for have one.
    """
    ran = [result for result in job.models if result.scores is not None]
    chosen = [result.spec for result in ran]
    if len(ran) > len(PALETTE):
        ranked = sorted(ran, key=_found_first, reverse=True)
        ends = dict.fromkeys([ran[0].spec, ranked[-1].spec, *(result.spec for result in ranked)])
        chosen = [spec for spec in chosen if spec in list(ends)[: len(PALETTE)]]
    return {result.spec: chosen.index(result.spec) + 1 if result.spec in chosen else 0 for result in ran}


def _found_first(result: ModelResult) -> float:
    if result.scores is None:
        raise AssertionError("only models that ran are ordered")
    return sum(result.scores.metrics[way]["hit_rate@1"].value or 0.0 for way in DIRECTIONS)


def shown(job: Comparison) -> list[Shown]:
    """List the models that ran, in their order."""
    names, series = model_names(job), series_of(job)
    return [
        Shown(
            result.spec,
            names[result.spec],
            result.evaluation,
            result.scores,
            result.categories,
            PALETTE[series[result.spec] - 1] if series[result.spec] else INK,
            MARKERS[series[result.spec] - 1] if series[result.spec] else "",
            series[result.spec],
        )
        for result in job.models
        if result.evaluation is not None and result.scores is not None
    ]


def model_names(job: Comparison) -> dict[str, str]:
    """Give each model its short name; one whose rows were shipped with clipeval says so."""
    names = display_names([result.spec for result in job.models])
    for result in job.models:
        if result.evaluation is not None and result.evaluation.precomputed:
            names[result.spec] += " [precomputed]"
    return names


def of_data(data: Dataset) -> str:
    """Name the data and their size, as captions do.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> of_data(load_dataset("embedded"))
    'embedded (20 pictures, 20 captions)'
    """
    name = printable(data.name, longest=60)
    return f"{name} ({data.n_images:,} pictures, {data.n_captions:,} captions)"


def listed(parts: Sequence[str]) -> str:
    """Join what a screen reader says of each model to sentences.

    Examples
    --------
    >>> listed(["A 0.5", "B 0.7"])
    'A 0.5; B 0.7.'
    """
    return "; ".join(parts) + "."


def legend_below(figure: Figure, *panels: Axes) -> None:
    """Name the models, and chance, below all panels, each once; in one column where a name is long."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, word in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(word, handle)
    words = list(found)
    figure.legend(
        list(found.values()),
        [wrapped(word, width=100, lines=2) for word in words],
        loc="outside lower center",
        ncols=1 if max(map(len, words)) > 45 else 2,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
