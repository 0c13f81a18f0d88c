"""Judged claims in words: the message of a failure, reasons, notes and counts."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from clipeval.claims.results import CaseResult, DatasetFacts, ModelFacts, NotApplicable
from clipeval.core.verdict import Verdict
from clipeval.report.text import printable

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
    words = _with_short_names(case)
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
        rows.append(("found", printable(words(case.sentence))))
    if numbers(case):
        rows.append(("numbers", numbers(case)))
    if case.reason and not case.broken:
        rows.append(("why", words(case.reason)))
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
        lines += [f"    {at}. {printable(words(item))}" for at, item in enumerate(case.worst, start=1)]
    lines += ["  to see it again", f"    {command}"]
    return "\n".join(lines)


LONG = 24
"""A spec longer than this is spelt out once in a message, and called by its number elsewhere."""


def _with_short_names(case: CaseResult) -> Callable[[str], str]:
    """Put "model 1" for a long spec: the message spells it out above, and in the command below."""
    if len(case.models) == 1:
        return short_names(dict.fromkeys(case.models, "the model"))
    return short_names({spec: f"model {at}" for at, spec in enumerate(case.models, start=1)})


def short_names(names: Mapping[str, str]) -> Callable[[str], str]:
    """Put a short name for each long spec of a text that is spelt out elsewhere.

    Parameters
    ----------
    names : mapping of str to str
        By spec.

    Returns
    -------
    callable
        From a text to a text.

    Examples
    --------
    >>> short_names({"hf:openai/clip-vit-base-patch32": "B"})("hf:openai/clip-vit-base-patch32 wins")
    'B wins'
    """

    def words(text: str) -> str:
        for spec in sorted(names, key=len, reverse=True):  # one spec may begin another
            if len(spec) > LONG:
                text = text.replace(spec, names[spec])
        return text

    return words


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


def outside_notes(outside: Sequence[NotApplicable]) -> list[str]:
    """Say which claims the data leaves out, and why: one line for each reason.

    Examples
    --------
    >>> outside_notes([NotApplicable("a[m]", "a", ("m",), None, "it has no categories")])
    ['a: does not apply: it has no categories']
    """
    claims: dict[str, list[str]] = {}
    for one in outside:
        claims.setdefault(one.reason, []).append(one.claim)
    notes = []
    for reason, among in claims.items():
        first, *more = dict.fromkeys(among)
        who = f"{first} and {len(more)} more: do" if more else f"{first}: does"
        why = "; ".join(line.strip() for line in reason.splitlines() if line.strip())
        notes.append(printable(f"{who} not apply: {why}"))
    return notes


def counts_line(cases: Sequence[CaseResult], outside: Sequence[NotApplicable] = ()) -> str:
    """Count cases by verdict, and those that the data leaves out.

    Examples
    --------
    >>> counts_line([])
    'no claim was judged'
    """
    words = [case.word for case in cases]
    found = [f"{words.count(word)} {word}" for word in COLOURS if word in words]
    rest = f"; {len(outside)} not applicable" if outside else ""
    if not found:
        return "no claim was judged" + rest
    held = any(case.verdict is Verdict.HOLDS for case in cases)
    return ", ".join(found) + ("" if held else "; nothing holds") + rest


def shell(*words: str) -> str:
    """Join words to a command that a shell splits into the same words.

    Examples
    --------
    >>> shell("clipeval", "check", "--model", "preclip:a+b?seed=1&layer=logits")
    "clipeval check --model 'preclip:a+b?seed=1&layer=logits'"
    """
    return shlex.join(words)
