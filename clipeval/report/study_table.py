"""A study on a terminal: its figures beside the published ones, its claims, and the table of all studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clipeval.claims.results import CaseResult
from clipeval.report.claims_table import claims_table
from clipeval.report.matrix_text import matrix_lines
from clipeval.report.names import display_name
from clipeval.report.study_files import study_title
from clipeval.report.text import printable
from clipeval.studies.document import figures, improvements, retrieval_rows
from clipeval.studies.preset import Preset
from clipeval.studies.run import StudyRun
from clipeval.studies.trained import train_command

PRINTED = 20
"""Up to so many captions the labelled matrix is printed too."""


def print_study(run: StudyRun, console: Console) -> None:
    """Print a run or a step: models, figures, hits, improvements, claims.

    Parameters
    ----------
    run : StudyRun
    console : Console
    """
    data = run.comparison.dataset
    console.print(Text.assemble((study_title(run), "bold"), f" on {printable(data.name, longest=80)}"))
    console.print(Text(f"{data.n_images} pictures, {data.n_captions} captions; step {run.step}", "dim"))
    if run.preset.note and not run.twin:
        console.print(Text(run.preset.note, "dim"))
    for model in run.preset.models:
        if model.key in run.specs:
            _print_model(run, model.key, run.labels[model.key], console)
    absent = any(result.status == "not_run" for result in run.comparison.models)
    if absent and not run.twin:
        console.print(Text("with --twin, models that need no model hub stand in", style="dim"))
    if run.features and not run.comparison.models:
        return
    console.print()
    _matrices(run, console)
    console.print(_figures(run))
    kinds = {artefact.kind for artefact in run.preset.artefacts}
    rows = retrieval_rows(run)[1:]
    if "retrieval" in kinds and rows:
        console.print(_hits(run, rows))
    for one in improvements(run):
        words = f"{one['first']} to {one['second']}, {one['metric']}: {one['words']}"
        console.print(Text(words))
    for key, found in run.galleries.items():
        if isinstance(found, str):
            console.print(Text(f"no gallery of {run.labels[key]}: {printable(found)}", style="yellow"))
    if run.judged is not None:
        _claims(run, run.judged.cases, console)


def _print_model(run: StudyRun, key: str, label: str, console: Console) -> None:
    result = run.result(key)
    line = Text.assemble((label, "bold"), "  ", display_name(run.specs[key]))
    if result is not None and result.status == "not_run":
        console.print(Text.assemble(line, ("  not_run", "yellow")))
        lines = "\n".join(printable(part.strip()) for part in result.reason.splitlines())
        console.print(Padding(Text(lines, style="dim"), (0, 0, 0, 3), expand=False))
        return
    how = [half for owner, half in run.features if owner == key]
    notes = ["embeddings from disk"] if key in run.reused else [f"embedded: {', '.join(how)}"]
    evaluation = result.evaluation if result else None
    notes += ["precomputed"] if evaluation and evaluation.precomputed else []
    if evaluation and evaluation.learned and evaluation.learned.seen_items:
        notes.append(
            f"trained on {evaluation.learned.seen_items} of these {evaluation.dataset.n_images} pictures"
        )
    console.print(Text.assemble(line, (f"  {'; '.join(notes)}", "dim")))


def _matrices(run: StudyRun, console: Console) -> None:
    for artefact in run.preset.artefacts:
        evaluation = run.evaluation(artefact.model)
        if artefact.kind == "matrix" and evaluation and evaluation.dataset.n_captions <= PRINTED:
            label = run.labels[artefact.model]
            console.print(Text(f"{label}: cosine similarities, right pairs starred", style="bold"))
            console.print(Text("\n".join(matrix_lines(evaluation))), soft_wrap=True)
            console.print()


def _figures(run: StudyRun) -> Table:
    table = _table("model", "figure", "published", "twin here" if run.twin else "here")
    for row in figures(run):
        table.add_row(run.labels[row["model"]], row["measure"], published_words(row), value_words(row))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < len(columns) - 2 else "right", overflow="fold")
    return table


def published_words(row: dict[str, Any]) -> str:
    """Write a published figure.

    Examples
    --------
    >>> published_words({"published": [6, 6], "published_n": 833}), published_words(
    ...     {"published": [0.15, 0.2], "published_n": None}
    ... )
    ('6 of 833', '0.15 to 0.2')
    """
    low, high = row["published"]
    text = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"{text} of {row['published_n']}" if row["published_n"] else text


def value_words(row: dict[str, Any]) -> str:
    """Write what was measured beside a published figure, or why nothing was.

    Examples
    --------
    >>> value_words({"value": 5.0, "n": 20, "reason": None})
    '5 of 20'
    """
    if row["value"] is None:
        return str(row["reason"])
    return f"{row['value']:g} of {row['n']}" if row["n"] is not None else f"{row['value']:.3f}"


def _hits(run: StudyRun, rows: Sequence[Sequence[Any]]) -> Table:
    table = _table("caption finds picture", "hits@K of N", "chance", "accuracy [95 %]", "nDCG@K")
    for key, _, k, n, hits, chance, rate, low, high, graded, _ in rows:
        interval = "" if low == "" else f" \\[{low:.2f}, {high:.2f}]"
        found = f"{hits:g} of {n} @{k}"
        table.add_row(run.labels[str(key)], found, f"{chance:g}", f"{rate:.3f}{interval}", f"{graded:.3f}")
    return table


def _claims(run: StudyRun, cases: Sequence[CaseResult], console: Console) -> None:
    console.print()
    if cases:
        for line in claims_table(cases, width=console.width):
            console.print(Text(line), soft_wrap=True)
        for case in cases:
            if case.failed:
                console.print(Text(f"{case.word}  {case.claim}: {printable(case.sentence)}", style="dim"))
    outside = run.judged.outside if run.judged else ()
    published = sum(one.claim.startswith("figure/") for one in outside)
    if published:
        console.print(
            Text(f"{published} published figures are not judged: these are not the study's pictures", "dim")
        )
    elif run.twin:
        console.print(Text("published figures are not judged: these are not the study's models", "dim"))


def print_presets(presets: Sequence[Preset], console: Console) -> None:
    """List the studies with their data, models, twins and steps."""
    for preset in presets:
        console.print(Text.assemble((f"{preset.number}  {preset.name}", "bold"), f"  {preset.title}"))
        console.print(Text(f"    data   {preset.data}"), soft_wrap=True)
        for model in preset.models:
            spec, twin = (
                model.spec or train_command(model.train),
                model.twin or train_command(model.twin_train),
            )
            console.print(Text(f"    {model.key}: {spec}"), soft_wrap=True)
            console.print(Text(f"        twin  {twin}", style="dim"), soft_wrap=True)
        console.print(Text(f"    steps  {', '.join(preset.steps)}"), soft_wrap=True)


def print_overview(runs: Sequence[tuple[StudyRun, StudyRun]], console: Console) -> None:
    """Print one table of all studies: each key figure as published, with the weights, and from the twin.

    Parameters
    ----------
    runs : sequence of (StudyRun, StudyRun)
        Of each study the run with its own models, and its twin's.
    console : Console
    """
    table = _table("study", "model", "key figure", "published", "with weights", "twin here")
    for own, twin in runs:
        labels = {model.key: model.label for model in own.preset.models}
        chosen = [(a, b) for a, b in zip(figures(own), figures(twin), strict=True) if a["key"]]
        for number, (mine, other) in enumerate(chosen):
            head = own.preset.number if number == 0 else ""
            words = published_words(mine)
            table.add_row(
                head, labels[mine["model"]], mine["measure"], words, value_words(mine), value_words(other)
            )
    console.print(table)
    names = (f"{own.preset.number} {own.preset.name}" for own, _ in runs)
    console.print(Text("; ".join(names), style="dim"))
