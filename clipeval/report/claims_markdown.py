"""Judged claims as Markdown (for files and for the summary of a CI job), and the files of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from clipeval.claims.document import Json, claims_document, document_text
from clipeval.claims.results import CaseResult, FamilyResult, ModelFacts, left_out, merged
from clipeval.core.verdict import Verdict
from clipeval.report.chart import Chart, write_chart
from clipeval.report.claims_table import model_letters
from clipeval.report.claims_text import counts_line, outside_notes, short_names
from clipeval.report.figures.claims import claims_chart, lettered
from clipeval.report.files import encoded, replace_file, writing
from clipeval.report.html.claims_page import claims_page
from clipeval.report.html.render import page_html
from clipeval.report.markdown import MARKS, literal, table_row
from clipeval.report.text import printable


def claims_markdown(results: Iterable[FamilyResult]) -> str:
    r"""Write what a session found as Markdown.

    Parameters
    ----------
    results : iterable of FamilyResult
        The parts that were asked for.

    Returns
    -------
    str
        Text of others (captions, names) cannot become markup.

    Examples
    --------
    >>> claims_markdown([])
    '## clipeval: no claim was judged\n'
    """
    results = list(results)
    datasets, models, cases = merged(results)
    outside = left_out(results)
    lines = [f"## clipeval: {counts_line(cases, outside)}"]
    for data in datasets:
        words = f"{data.n_images} pictures, {data.n_captions} captions, content `{data.sha256[:12]}`"
        lines += ["", f"Data {literal(data.name)}: {words}"]
    letter_of, names = model_letters(cases)
    if models:
        lines += ["", "| | model | role | |", "|---|---|---|---|"]
        lines += [
            table_row(
                letter_of.get(model.spec, ""),
                literal(names.get(model.spec, model.spec)),
                model.role or "",
                _how(model),
            )
            for model in models
        ]
    if cases:
        lines += ["", "| verdict | claim | models | statement | found |", "|---|---|---|---|---|"]
        for case in cases:
            who = ", ".join(letter_of[model] for model in case.models)
            word = f"{MARKS[case.word]} {case.word}"
            lines.append(
                table_row(word, literal(case.claim), who, literal(case.statement), _found(case, letter_of))
            )
    if outside:
        lines += ["", *(f"* {literal(note)}" for note in outside_notes(outside))]
    for case in cases:
        if case.failed:
            lines += _failure(case)
    return "\n".join(lines) + "\n"


def _how(model: ModelFacts) -> str:
    if model.status != "ok":
        return f"{model.status}: {literal(' '.join(model.reason.split()))}"
    words = ["precomputed: embeddings shipped with clipeval"] if model.precomputed else []
    return "; ".join([*words, *(f"warning: {literal(warning)}" for warning in model.warnings)])


def _found(case: CaseResult, letter_of: Mapping[str, str]) -> str:
    words = short_names({model: letter_of[model] for model in case.models})
    text = literal(words(case.sentence))
    if case.verdict is not Verdict.HOLDS and case.reason:
        first = words(case.reason.splitlines()[0])
        text += f"{'; ' if text else ''}{literal(first)}"
    if case.p_corrected is None:
        return text
    return f"{text} (p = {case.p_corrected:.2g} corrected for {case.family})"


def _failure(case: CaseResult) -> list[str]:
    lines = ["", f"### {MARKS[case.word]} {literal(case.statement)}", "", f"Source: {literal(case.source)}"]
    if case.broken:
        lines += ["", *(f"    {printable(line)}" for line in case.broken.splitlines())]
    if case.worst:
        lines += ["", "Items that speak most against it:", ""]
        lines += [f"{at}. {literal(item)}" for at, item in enumerate(case.worst, start=1)]
    return lines


def write_claims(folder: Path, results: Iterable[FamilyResult], *, strict: bool) -> list[Path]:
    """Write ``claims.md``, the chart, ``report.html`` and, last, ``claims.json``: if it is there, all is.

    Parameters
    ----------
    folder : Path
        Made if absent. Files of these names are replaced.
    results : iterable of FamilyResult
        The parts that were asked for.
    strict : bool
        Whether undecided and not_run count as failures.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    found = list(results)
    text, page, document = (folder / name for name in ("claims.md", "report.html", "claims.json"))
    judged = claims_document(found, strict=strict)
    with writing("the report", folder):
        folder.mkdir(parents=True, exist_ok=True)
        document.unlink(missing_ok=True)
        replace_file(text, encoded(claims_markdown(found)))
        drawn = _write_chart(folder / "charts", judged)
        replace_file(page, encoded(page_html(claims_page(judged))))
        replace_file(document, encoded(document_text(judged)))
    return [text, *drawn, page, document]


def _write_chart(folder: Path, judged: Json) -> list[Path]:
    chart = claims_chart(lettered(judged))
    if not isinstance(chart, Chart):
        return []
    folder.mkdir(exist_ok=True)
    return write_chart(folder, chart)
