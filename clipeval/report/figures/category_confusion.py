"""What is taken for what: the category of the first answer, by the category of the query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipeval.compare.job import Comparison
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS, Direction, Evaluation
from clipeval.report.chart import Chart, NotDrawn
from clipeval.report.figures.cells import LABELLED, draw_cells
from clipeval.report.figures.models import TITLES, Shown, in_colour, listed, of_data, shown, which_in_colour
from clipeval.report.style import INK, LETTERS, new_figure
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "category-confusion", "Category of the first answer"
CHANCE = "(chance)"


def category_confusion(job: Comparison) -> Chart | NotDrawn:
    """Chart the category of each query's first answer: a panel for each model and direction, chance below.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where no model ran, or categories are fewer than two or too many to read.
    """
    models = shown(job)
    names = _names(job.dataset)
    if not models:
        return NotDrawn(NAME, TITLE, "No model ran.")
    if len(names) < 2:
        reason = "There is one category." if job.dataset.categories else "The data have no categories."
        return NotDrawn(NAME, TITLE, reason)
    if len(names) > LABELLED:
        return NotDrawn(NAME, TITLE, f"There are {len(names)} categories, more than {LABELLED}.")
    tables = [[_counts(model.evaluation, direction) for direction in DIRECTIONS] for model in models]
    rows = [
        [model.name, direction, name, found, float(counts[row, column])]
        for model, pair in zip(models, tables, strict=True)
        for direction, counts in zip(DIRECTIONS, pair, strict=True)
        for row, name in enumerate(names)
        for column, found in enumerate(names)
    ]
    drawn = in_colour(models), [pair for model, pair in zip(models, tables, strict=True) if model.series]
    return Chart(
        NAME,
        TITLE,
        f"Category of the first answer by category of the query, on {of_data(job.dataset)}: colour is the "
        "share of a category's queries, numbers count them, a tie for the first place being shared. The last "
        "row is what a scorer that knows nothing gives: the share of each category among the candidates."
        + which_in_colour(models, rest="in the table", word="Drawn"),
        listed(
            [
                f"{model.name}, {TITLES[direction]}: {float(np.trace(counts)):g} of {float(counts.sum()):g} "
                f"first answers in the right category, chance {_by_chance(model.evaluation, direction):.0%}"
                for model, pair in zip(models, tables, strict=True)
                for direction, counts in zip(DIRECTIONS, pair, strict=True)
            ]
        ),
        ("model", "direction", "category", "answered_with", "queries"),
        rows,
        lambda: _figure(*drawn, names),
    )


def _names(data: Dataset) -> list[str]:
    without = any(item.category is None for item in data.items)
    return [*data.categories, *(["(none)"] if without and data.categories else [])]


def _category_of_item(data: Dataset) -> NDArray[np.int64]:
    place = {name: at for at, name in enumerate(data.categories)}
    return np.array([place.get(item.category or "", len(place)) for item in data.items])


def _counts(evaluation: Evaluation, direction: Direction) -> NDArray[np.float64]:
    """Count first answers: a query's own category where it hits, else that of its best rival."""
    data, ranks = evaluation.dataset, evaluation.direction(direction)
    of_item = _category_of_item(data)
    item_of_candidate = data.image_of_caption if direction == "i2t" else np.arange(data.n_images)
    own = of_item[evaluation.image_of_query(direction)]
    hits = np.where(ranks.best_rival < 0, 1.0, ranks.hits(1))
    rival = np.where(ranks.best_rival < 0, own, of_item[item_of_candidate[ranks.best_rival]])
    counts = np.zeros((len(_names(data)),) * 2)
    np.add.at(counts, (own, own), hits)
    np.add.at(counts, (own, rival), 1.0 - hits)
    return counts


def _candidates(evaluation: Evaluation, direction: Direction) -> NDArray[np.float64]:
    """Give the share of each category among the candidates."""
    data = evaluation.dataset
    of_item = _category_of_item(data)
    found = of_item[data.image_of_caption] if direction == "i2t" else of_item
    return np.bincount(found, minlength=len(_names(data))) / len(found)


def _by_chance(evaluation: Evaluation, direction: Direction) -> float:
    own = _category_of_item(evaluation.dataset)[evaluation.image_of_query(direction)]
    return float(_candidates(evaluation, direction)[own].mean())


def _figure(models: list[Shown], tables: list[list[NDArray[np.float64]]], names: list[str]) -> Figure:
    side = max(2.4, min(9.0, 0.34 * (len(names) + 1)))
    figure = new_figure(3.2 + 2 * side, 0.4 + len(models) * (side + 1.5))
    panels = figure.subplots(len(models), 2, squeeze=False)
    for line, model, pair in zip(panels, models, tables, strict=True):
        for axes, direction, counts in zip(line, DIRECTIONS, pair, strict=True):
            _cells(axes, model, direction, counts, names)
    return figure


def _cells(
    axes: Axes, model: Shown, direction: Direction, counts: NDArray[np.float64], names: list[str]
) -> None:
    sizes = counts.sum(axis=1)
    shares = np.divide(counts, sizes[:, None], out=np.zeros_like(counts), where=sizes[:, None] > 0)
    blind = _candidates(model.evaluation, direction)
    labels = [printable(name, longest=24) for name in names]
    last = len(names)

    def numbers(row: int, column: int) -> str:
        return f"{blind[column]:.0%}" if row == last else f"{counts[row, column]:.3g}"

    def hover(row: int, column: int) -> str:
        share = f"answered with {names[column]}: {numbers(row, column)}"
        return f"chance, {share}" if row == last else f"{names[row]} {share} of {sizes[row]:g}"

    draw_cells(
        axes,
        np.vstack([shares, blind]),
        rows=[*(f"{label} (n={size:g})" for label, size in zip(labels, sizes, strict=True)), CHANCE],
        columns=labels,
        numbers=numbers,
        hover=hover,
    )
    axes.axhline(last - 0.5, color=LETTERS[0], linewidth=2)
    axes.set_title(f"{wrapped(model.name, width=40, lines=3)}\n{TITLES[direction]}", fontsize=8.5, color=INK)
