"""Judged claims for a terminal: the message of a failure, the table of claims and models."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from itertools import chain, product
from string import ascii_uppercase

from clipeval.claims.results import CaseResult, DatasetFacts, ModelFacts
from clipeval.core.verdict import Verdict
from clipeval.errors import SpecError
from clipeval.report.names import display_name, display_names
from clipeval.report.text import printable

Paint = Callable[[str, str], str]
"""Called with a word of the verdicts and a padded text; gives it in the colour of that word."""

COLOURS = {"holds": "green", "refuted": "red", "undecided": "yellow", "not_run": "yellow", "broken": "red"}
"""Of every verdict, by names that pytest and typer both know."""


def case_message(case: CaseResult, *, command: str, datasets: Sequence[DatasetFacts] = ()) -> str:
    """Say everything about one case: the statement, the numbers, the worst items, how to see it again.

    Parameters
    ----------
    case : CaseResult
        Judged.
    command : str
        What reproduces it.
    datasets : sequence of DatasetFacts
        Among them the one it was judged on.

    Returns
    -------
    str
        Lines; nothing of others' text is printed raw.
    """
    lines = [f"{case.word}: {printable(case.statement)}"]
    rows = [("claim", f"{case.claim} ({printable(case.source)})")]
    rows += [
        ("model" if len(case.models) == 1 else f"model {at}", printable(model))
        for at, model in enumerate(case.models, start=1)
    ]
    rows += [
        ("data", f"{printable(data.name)}: {data.n_images} pictures, {data.n_captions} captions")
        for data in datasets
        if data.sha256 == case.dataset
    ]
    if case.sentence:
        rows.append(("found", printable(case.sentence)))
    if numbers(case):
        rows.append(("numbers", numbers(case)))
    if case.reason and not case.broken:
        rows.append(("why", case.reason))
    if case.broken:
        rows.append(("broke", case.broken))
    width = max(len(head) for head, _ in rows)
    for head, text in rows:
        first, *more = text.splitlines() or [""]
        lines.append(f"  {head:<{width}}  {printable(first)}")
        lines += [f"  {'':<{width}}  {printable(line)}" for line in more]
    if case.worst:
        lines.append(
            f"  the {len(case.worst)} items that speak most against it"
            if len(case.worst) > 1
            else "  the item that speaks most against it"
        )
        lines += [f"    {at}. {printable(item)}" for at, item in enumerate(case.worst, start=1)]
    lines += ["  to see it again", f"    {command}"]
    return "\n".join(lines)


def case_reason(case: CaseResult) -> str:
    """Say in one line why a case is neither green nor red."""
    why = case.reason or case.sentence
    text = "; ".join(line.strip() for line in why.splitlines() if line.strip())
    return f"{case.word}: {printable(text)}"


def numbers(case: CaseResult) -> str:
    """Put the numbers of a case into one line.

    Parameters
    ----------
    case : CaseResult
        Judged.

    Returns
    -------
    str
        Empty where the claim has none.
    """
    parts = []
    if case.effect is not None:
        interval = "" if case.low is None or case.high is None else f" [{case.low:+.4g}, {case.high:+.4g}]"
        parts.append(f"effect {case.effect:+.4g}{interval}")
    if case.p is not None:
        corrected = (
            "" if case.p_corrected is None else f" ({case.p_corrected:.2g} corrected for {case.family})"
        )
        parts.append(f"p = {case.p:.2g}{corrected}")
    if case.n is not None:
        parts.append(f"n = {case.n}")
    if case.discordant is not None:
        parts.append(f"only one right {case.discordant[0]} : {case.discordant[1]}")
    if case.minimum_detectable_effect is not None:
        parts.append(f"detectable {case.minimum_detectable_effect:.3g}")
    return ", ".join(parts)


def model_letters(cases: Sequence[CaseResult]) -> tuple[dict[str, str], dict[str, str]]:
    """Give each model of these cases a letter and a short name, both by spec.

    Examples
    --------
    >>> model_letters([])
    ({}, {})
    """
    models = sorted({model for case in cases for model in case.models})
    words = chain(ascii_uppercase, map("".join, product(ascii_uppercase, repeat=2)))
    specs = [model for model in models if _is_spec(model)]
    names = {model: printable(model) for model in models} | display_names(specs)
    return dict(zip(models, words, strict=False)), names


def _is_spec(model: str) -> bool:
    try:
        display_name(model)
    except SpecError:
        return False  # an encoder of the user's own, by its name
    return True


def plain_paint(word: str, text: str) -> str:
    """Leave text without colour."""
    del word
    return text


def claims_table(cases: Sequence[CaseResult], *, width: int = 80, paint: Paint = plain_paint) -> list[str]:
    """Lay out claims in rows and models in columns.

    A claim about several models stands in the column of the first, with the letters of the others.

    Parameters
    ----------
    cases : sequence of CaseResult
        Judged.
    width : int
        Of the terminal; a table that does not fit becomes a list.
    paint : callable
        See `Paint`.

    Returns
    -------
    list of str
        Lines.
    """
    letter_of, names = model_letters(cases)
    models = list(letter_of)
    legend = [f"{letter_of[model]}  {names[model]}" for model in models]
    claims = list(dict.fromkeys(case.claim for case in cases))
    cells: dict[tuple[str, str], list[CaseResult]] = {}
    for case in cases:
        cells.setdefault((case.claim, case.models[0] if case.models else ""), []).append(case)
    columns = [*models, *([""] if any(not case.models for case in cases) else [])]

    def text(case: CaseResult) -> str:
        others = "".join(letter_of[model] for model in case.models[1:])
        return f"{case.word} ({others})" if others else case.word

    widths = {
        column: max([len(text(case)) for claim in claims for case in cells.get((claim, column), [])] + [5])
        for column in columns
    }
    first = max(len(printable(claim)) for claim in claims) if claims else 0
    if first + sum(2 + widths[column] for column in columns) > width:
        body = [f"{paint(case.word, f'{case.word:<9}')}  {_short_id(case, letter_of)}" for case in cases]
        return [*legend, "", *body]
    head = " " * first + "".join(f"  {letter_of.get(column, '-'):<{widths[column]}}" for column in columns)
    lines = [*legend, "", head.rstrip()]
    for claim in claims:
        stacks = [cells.get((claim, column), []) for column in columns]
        for row in range(max(map(len, stacks))):
            line = f"{printable(claim) if row == 0 else '':<{first}}"
            gap = 0
            for column, stack in zip(columns, stacks, strict=True):
                gap += 2
                if row < len(stack):
                    line += " " * gap + paint(stack[row].word, text(stack[row]))
                    gap = widths[column] - len(text(stack[row]))
                else:
                    gap += widths[column]
            lines.append(line)
    return lines


def model_notes(models: Sequence[ModelFacts]) -> list[str]:
    """Say what a reader must know about the models: what did not run, what stood in, what a probe saw.

    Parameters
    ----------
    models : sequence of ModelFacts
        Of a session.

    Returns
    -------
    list of str
        One line for each note.

    Examples
    --------
    >>> model_notes([ModelFacts("hf:clip", None, "not_run", "no weights")])
    ['hf:clip: not_run: no weights']
    """
    notes = []
    for model in models:
        if model.status != "ok":
            reason = "; ".join(line.strip() for line in model.reason.splitlines())
            notes.append(f"{model.spec}: {model.status}: {reason}")
        if model.precomputed:
            notes.append(f"{model.spec}: precomputed; pip install 'clipeval[models]' computes it here")
        notes += [f"{model.spec}: warning: {warning}" for warning in model.warnings]
    return [printable(note) for note in notes]


def _short_id(case: CaseResult, letter_of: dict[str, str]) -> str:
    models = ",".join(letter_of[model] for model in case.models)
    return printable(case.claim) + (f"[{models}]" if models else "")


def counts_line(cases: Sequence[CaseResult]) -> str:
    """Count cases by verdict.

    Examples
    --------
    >>> counts_line([])
    'no claim was judged'
    """
    words = [case.word for case in cases]
    found = [f"{words.count(word)} {word}" for word in COLOURS if word in words]
    if not found:
        return "no claim was judged"
    held = any(case.verdict is Verdict.HOLDS for case in cases)
    return ", ".join(found) + ("" if held else "; nothing holds")


def shell(*words: str) -> str:
    """Join words to a command that a shell splits into the same words.

    Examples
    --------
    >>> shell("clipeval", "check", "--model", "preclip:a+b?seed=1&layer=logits")
    "clipeval check --model 'preclip:a+b?seed=1&layer=logits'"
    """
    return shlex.join(words)
