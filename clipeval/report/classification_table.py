"""A classification on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipeval.classification.document import mean_per_class
from clipeval.classification.job import Classification
from clipeval.evaluation.scores import Metric
from clipeval.report.names import display_names
from clipeval.report.text import printable

MOST_CLASSES = 20
"""Above so many, the best and the worst halves of this number are printed."""


def print_classification(job: Classification, console: Console) -> None:
    """Print the accuracies of each model and set of prompts, and of the classes.

    Parameters
    ----------
    job : Classification
    console : Console
    """
    data = job.dataset
    with_class = len({int(number) for number in job.right})
    console.print(
        Text.assemble(
            (printable(data.name, longest=120), "bold"),
            f": {len(job.pictures)} of {data.n_images} pictures have a category; "
            f"{len(job.names)} classes, {with_class} with pictures",
        )
    )
    names = display_names([model.spec for model in job.models])
    for model in job.models:
        if not model.sets:
            console.print(Text.assemble((names[model.spec], "bold"), ("  not_run", "yellow")))
            console.print(Text(printable(model.reason.replace("\n", "; ")), style="dim"))
    sets = [(model, one) for model in job.models for one in model.sets]
    if not sets:
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("model", "prompts", "top-1 \\[95 %]", "top-5", "mean of classes"):
        table.add_column(
            column, justify="left" if column in {"model", "prompts"} else "right", no_wrap=column != "model"
        )
    for model, one in sets:
        words = f"{one.prompts} ({len(one.templates)})"
        cells = (Text(_cell(one.top1)), Text(_cell(one.top5)))
        table.add_row(names[model.spec], words, *cells, f"{mean_per_class(one):.3f}")
    chance = sets[0][1]
    five = "n/a" if chance.top5.chance is None else f"{chance.top5.chance:.3f}"
    table.add_row("chance", "", f"{chance.top1.chance:.3f}", five, "", style="dim")
    console.print(table)
    for model, one in sets:
        rows = sorted(one.of_classes.items(), key=lambda row: row[1].value or 0.0)
        if len(rows) > MOST_CLASSES:
            rows = rows[: MOST_CLASSES // 2] + rows[-MOST_CLASSES // 2 :]
        console.print(Text(f"\naccuracy by class: {names[model.spec]}, prompts {one.prompts}", style="bold"))
        for name, metric in rows:
            at = job.names.index(name)
            wrong = one.confusion[at].copy()
            wrong[at] = 0.0
            taken = f"; most taken for {printable(job.names[int(wrong.argmax())])}" if wrong.any() else ""
            number = int((job.right == at).sum())
            console.print(Text(f"  {_cell(metric)}  {printable(name, longest=40)} ({number}){taken}"))


def _cell(metric: Metric) -> str:
    if metric.value is None or metric.low is None or metric.high is None:
        return "n/a"
    return f"{metric.value:.3f} [{metric.low:.2f}, {metric.high:.2f}]"
