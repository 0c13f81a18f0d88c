"""Whether right pairs score above wrong ones: the densities of both, and the area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison
from clipeval.core.pair_scores import pair_scores
from clipeval.core.similarity import unit_rows
from clipeval.evaluation import Evaluation
from clipeval.evaluation.scores import Metric, auroc
from clipeval.report.chart import Chart, NotDrawn
from clipeval.report.figures.models import Shown, listed, of_data, shown, which_in_colour
from clipeval.report.matrix_limit import too_many_pairs
from clipeval.report.style import INK, PALETTE, new_figure, plain
from clipeval.report.text import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "densities", "Scores of right and of wrong pairs"
MOST_NEGATIVES = 1_000_000
NARROW = 1e-3
"""A range of scores below which all are drawn as one bar."""
BARS = 40


@dataclass(frozen=True, eq=False)
class Pairs:
    """The scores of one model's right or wrong pairs; ``step`` above 1 where only every step-th is drawn."""

    values: np.ndarray
    count: int
    step: int = 1

    def words(self, kind: str) -> str:
        """Name them and their number."""
        part = f", every {self.step}th drawn" if self.step > 1 else ""
        return f"{kind} pairs ({self.count:,}{part})"


def densities(job: Comparison) -> Chart | NotDrawn:
    """Chart histogram and density of the scores of right and of wrong pairs, one panel for each model.

    Above a million wrong pairs an evenly spaced part of them is drawn, which the panel says; of a matrix that
    is too large, no others are scored.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where no model ran.
    """
    models = shown(job)
    if not models:
        return NotDrawn(NAME, TITLE, "No model ran.")
    pairs = [_pairs(model.evaluation) for model in models]
    areas = [auroc(model.scores) for model in models]
    rows = []
    for model, (right, wrong), area in zip(models, pairs, areas, strict=True):
        bins = _bins(right.values, wrong.values)
        for kind, part in (("right", right), ("wrong", wrong)):
            heights = np.histogram(part.values, bins=bins)[0] / max(1, len(part.values))
            rows += [
                [
                    model.name,
                    kind,
                    float(bins[at]),
                    float(bins[at + 1]),
                    float(height),
                    area.value,
                    area.low,
                    area.high,
                ]
                for at, height in enumerate(heights)
            ]
    return Chart(
        NAME,
        TITLE,
        f"Cosine similarity of right and of wrong pairs of {of_data(job.dataset)}, each kind with an area of "
        "one; dotted lines are means. AUROC: how often a right pair scores above a wrong one, 0.5 for a "
        "scorer that knows nothing; 95 % interval over pictures. Scales of different models are not "
        "comparable." + which_in_colour(models, rest="in the table", word="Drawn"),
        listed(
            [
                f"{model.name}: right pairs on average {right.values.mean():.3f}, "
                + (f"wrong pairs {wrong.values.mean():.3f}, " if wrong.count else "no wrong pairs, ")
                + (f"{_words(area)} (chance 0.5)" if area.value is not None else "no AUROC")
                for model, (right, wrong), area in zip(models, pairs, areas, strict=True)
            ]
        ),
        ("model", "pairs", "from", "to", "share", "auroc", "auroc_low", "auroc_high"),
        rows,
        lambda: _figure([one for one in zip(models, pairs, areas, strict=True) if one[0].series]),
    )


def _pairs(evaluation: Evaluation) -> tuple[Pairs, Pairs]:
    if too_many_pairs(evaluation.dataset):
        return _pairs_one_by_one(evaluation)
    scores = evaluation.similarity()
    right = np.zeros(scores.shape, dtype=bool)
    right[evaluation.dataset.image_of_caption, np.arange(scores.shape[1])] = True
    positive, negative = scores[right], scores[~right]
    step = max(1, -(-len(negative) // MOST_NEGATIVES))
    return Pairs(positive, len(positive)), Pairs(negative[::step], len(negative), step)


def _pairs_one_by_one(evaluation: Evaluation) -> tuple[Pairs, Pairs]:
    data = evaluation.dataset
    rows = data.image_of_caption
    images, texts = unit_rows(evaluation.images), unit_rows(evaluation.texts)
    right = pair_scores(images, texts, rows, np.arange(data.n_captions))
    pairs = data.n_images * data.n_captions
    step = max(1, -(-pairs // MOST_NEGATIVES))
    while step > 1 and gcd(step, data.n_captions) > 1:
        step += 1  # else the same few captions in every row
    pictures, captions = np.divmod(np.arange(0, pairs, step), data.n_captions)
    wrong = rows[captions] != pictures
    scores = pair_scores(images, texts, pictures[wrong], captions[wrong])
    return Pairs(right, len(right)), Pairs(scores, pairs - len(right), step)


def _bins(*values: np.ndarray) -> np.ndarray:
    every = [part for part in values if part.size]
    low, high = min(float(part.min()) for part in every), max(float(part.max()) for part in every)
    if high - low < NARROW:
        low, high = low - NARROW, high + NARROW
    return np.linspace(low, high, BARS + 1)


def _figure(drawn: list[tuple[Shown, tuple[Pairs, Pairs], Metric]]) -> Figure:
    figure = new_figure(8, 0.6 + 2.3 * len(drawn))
    panels = np.atleast_1d(figure.subplots(len(drawn), 1, sharex=True))
    for axes, (model, (right, wrong), area) in zip(panels, drawn, strict=True):
        _density(axes, right, wrong)
        found = f", {_words(area)}" if area.value is not None else ""  # no wrong pairs, no area
        name = wrapped(model.name, width=88, lines=2)
        axes.set_title(f"{name}{found}", fontsize=9, color=INK, loc="left")
    panels[-1].ticklabel_format(axis="x", useOffset=False)
    panels[-1].set_xlabel(
        "cosine similarity (scales of different models are not comparable)", fontsize=9, color=INK
    )
    return figure


def _words(area: Metric) -> str:
    interval = "" if area.low is None or area.high is None else f" [{area.low:.2f}, {area.high:.2f}]"
    return f"AUROC {area.value:.3f}{interval}"


def _density(axes: Axes, right: Pairs, wrong: Pairs) -> None:
    bins = _bins(right.values, wrong.values)
    # not the colours of the first two models: these are two kinds of pairs of one model
    for part, colour, kind in ((wrong, INK, "wrong"), (right, PALETTE[2], "right")):
        if not part.values.size:
            continue
        axes.hist(
            part.values, bins=bins.tolist(), density=True, color=colour, alpha=0.35, label=part.words(kind)
        )
        axes.axvline(float(part.values.mean()), color=colour, linewidth=1.2, linestyle=":")
        _smooth(axes, part.values, bins, colour)
    plain(axes, grid="x")
    axes.set_yticks([])
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)


def _smooth(axes: Axes, values: np.ndarray, bins: np.ndarray, colour: str) -> None:
    if len(values) < 3 or float(np.ptp(values)) < 1e-9:
        return  # a density of equal values does not exist
    from scipy.stats import gaussian_kde

    margin = 0.15 * (bins[-1] - bins[0])
    at = np.linspace(bins[0] - margin, bins[-1] + margin, 300)
    thinned = values[:: max(1, len(values) // 20_000)]
    axes.plot(at, gaussian_kde(thinned)(at), color=colour, linewidth=1.6)
