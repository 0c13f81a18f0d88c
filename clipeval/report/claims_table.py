"""Judged claims in rows, models in columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, product
from string import ascii_uppercase

from clipeval.claims.results import CaseResult
from clipeval.report.names import display_names
from clipeval.report.text import printable

Paint = Callable[[str, str], str]
"""Called with a word of the verdicts and a padded text; gives it in the colour of that word."""


def plain_paint(word: str, text: str) -> str:
    """Leave text without colour."""
    del word
    return text


def model_letters(cases: Sequence[CaseResult]) -> tuple[dict[str, str], dict[str, str]]:
    """Give each model of these cases a letter and a short name, both by spec.

    Examples
    --------
    >>> model_letters([])
    ({}, {})
    """
    models = sorted({model for case in cases for model in case.models})
    words = chain(ascii_uppercase, map("".join, product(ascii_uppercase, repeat=2)))
    return dict(zip(models, words, strict=False)), display_names(models)


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


def _short_id(case: CaseResult, letter_of: dict[str, str]) -> str:
    models = ",".join(letter_of[model] for model in case.models)
    return printable(case.claim) + (f"[{models}]" if models else "")
