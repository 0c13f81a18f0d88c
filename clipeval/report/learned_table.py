"""What learned bridges do on the pairs they have learned from, beside what they do on held-out items."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from clipeval.encoders.learned import LearnedPreClip, Rate
from clipeval.evaluation import DIRECTIONS
from clipeval.evaluation.scores import Metric, Scores
from clipeval.evaluation.unseen import Learned
from clipeval.report.text import printable

METRIC = "hit_rate@1"
Row = tuple[str, Learned, Scores]
"""A letter, what was learned, and the scores on held-out items."""


def learned_table(rows: Sequence[Row]) -> tuple[Table, list[Text]]:
    """Make the table and the lines below it.

    Parameters
    ----------
    rows : sequence of tuple
        See `Row`; at least one.

    Returns
    -------
    table : Table
    below : list of Text
        One for each bridge: parameters, training data, and what else a reader must know.
    """
    table = Table(
        title=f"Learned from pairs: {METRIC} on the training pairs, and held out",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for direction in DIRECTIONS:
        table.add_column(f"{direction} training", justify="right", overflow="fold")
        table.add_column(f"{direction} held out", justify="right", overflow="fold")
    below = []
    for letter, learned, scores in rows:
        cells = []
        for direction in DIRECTIONS:
            rate = learned.training.rates.get(direction, {}).get(METRIC)
            cells += [rate_cell(rate), rate_cell(scores.metrics[direction][METRIC])]
        table.add_row(letter, *cells)
        below.append(Text(f"{letter}  {learned_words(learned, scores)}", style="dim"))
    return table, below


def rate_cell(rate: Rate | Metric | None) -> str:
    r"""Write a rate with its interval, for rich.

    Examples
    --------
    >>> rate_cell(Rate(0.25, 0.2, 0.31, 0.001)), rate_cell(None)
    ('0.250 \\[.20, .31]', 'n/a')
    """
    if rate is None or rate.value is None:
        return "n/a"
    if rate.low is None or rate.high is None:
        return f"{rate.value:.3f}"
    low, high = (
        f"{bound:.2f}".replace("0.", ".", 1) if bound < 0.995 else "1.00" for bound in (rate.low, rate.high)
    )
    return f"{rate.value:.3f} \\[{low}, {high}]"


def learned_words(learned: Learned, scores: Scores) -> str:
    """Say what a bridge has learned from, and among how many candidates the two numbers were measured."""
    training = learned.training
    name = printable(learned.name, longest=60)
    text = f"{learned.bridge}; from {name}: {learned.n_images} pictures, {learned.n_captions} captions"
    part = f" {training.n_images} of" if training.n_images < learned.n_images else ""
    text += f"; training rates among{part} these pictures, held out among {scores.n_images}"
    if learned.seen_items:
        text += f"; {learned.seen_items} of {scores.n_images} scored items are training items"
    if learned.equal_captions:
        text += (
            f"; {learned.equal_captions} of {scores.n_captions} held-out captions are training captions too"
        )
    return text


def training_words(encoder: LearnedPreClip) -> list[str]:
    """Say what a bridge has just learned from, and how well it retrieves that."""
    seen, training = encoder.seen, encoder.training
    counts = f"{len(seen.ids)} pictures, {seen.n_captions} captions"
    lines = [encoder.bridge.words, f"learned from {printable(seen.name, longest=60)}: {counts}"]
    for direction in DIRECTIONS:
        rate = training.rates[direction].get(METRIC)
        if rate is not None:
            cell = rate_cell(rate).replace("\\", "")
            where = f"on {training.n_images} training pictures"
            lines.append(f"{where}, {direction} {METRIC} {cell}, chance {rate.chance:.4f}")
    return lines
