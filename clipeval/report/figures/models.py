"""The models of a comparison as a chart shows them: those that ran, their names and their marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipeval.compare.job import Comparison
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Direction, Evaluation
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
    """

    spec: str
    name: str
    evaluation: Evaluation
    scores: Scores
    categories: dict[str, Scores]
    colour: str
    marker: str


def shown(job: Comparison) -> list[Shown]:
    """List the models that ran, in their order."""
    names = model_names(job)
    return [
        Shown(
            result.spec,
            names[result.spec],
            result.evaluation,
            result.scores,
            result.categories,
            PALETTE[at % len(PALETTE)],
            MARKERS[at % len(MARKERS)],
        )
        for at, result in enumerate(job.models)
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


def legend_below(figure: Figure, axes: Axes) -> None:
    """Name the models, and chance, below all panels; in one column where a name is long."""
    handles, words = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        [wrapped(word, width=100, lines=2) for word in words],
        loc="outside lower center",
        ncols=1 if max(map(len, words)) > 45 else 2,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )
