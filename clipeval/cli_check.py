"""``clipeval check``: the built-in claims from the command line, judged as in pytest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipeval.counted import count
from clipeval.report.text import printable
from clipeval.stopping import Ended

if TYPE_CHECKING:
    from clipeval.claims.claim import Claim
    from clipeval.claims.family import Case
    from clipeval.claims.results import CaseResult, FamilyResult, ModelFacts, NotApplicable

EPILOG = """Examples:

[cyan]clipeval check[/]

[cyan]clipeval check --model hf:openai/clip-vit-base-patch32 --data photos/ --report results/[/]

[cyan]clipeval check --claims 'study/*' --strict[/]

[cyan]clipeval check --list[/]

Exit status: 0 nothing is refuted and at least one claim about the models holds; 1 a claim is refuted, or
something broke; 2 a model did not run, nothing holds, or --strict and a claim is undecided;
3 wrong usage or data."""


def check(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="SPEC",
            help="A model spec, family:name; repeat it. Default: a random Pre-CLIP and ConSE, both offline.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option("--data", "-d", metavar="PATH", help="A dataset, as for compare; or 'embedded'."),
    ] = "embedded",
    claims: Annotated[
        str,
        typer.Option(
            metavar="SELECTOR",
            help="Patterns or parts of claim ids, joined by commas. Verdicts stay the same.",
        ),
    ] = "",
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC=ROLE", help="What a model is, where its spec does not say it."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Undecided and not_run are not good enough.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write claims.json, claims.md and report.html there.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the JSON document (schema in the package).")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Open no socket at all.")] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Judge models also where 'clipeval probe' finds an error.")
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list", help="List the claims and what they would be judged for; run nothing.")
    ] = False,
) -> None:
    """Judge the built-in claims about encoders: which hold, which are refuted, which the data cannot tell."""
    import sys
    from contextlib import redirect_stdout

    from clipeval.claims.builtin import BUILTIN
    from clipeval.claims.document import claims_document, document_text
    from clipeval.claims.results import UNSETTLED, left_out, merged, status
    from clipeval.claims.roles import parse_role_override
    from clipeval.claims.selection import check_selector, is_selected
    from clipeval.claims.session import ClaimSession
    from clipeval.data.address import shown
    from clipeval.encoders.defaults import offline_models
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress
    from clipeval.report.claims_markdown import claims_markdown, write_claims
    from clipeval.report.markdown import append_step_summary
    from clipeval.report.taken import check_free

    specs = model or list(offline_models(seed=42))
    check_selector(claims, [claim.id for claim in BUILTIN])
    roles = dict(parse_role_override(text) for text in role or ())
    if report and not only_list:
        check_free(report, "claims.json")
    # what a user's encoder prints must not get into the document
    with encoding_progress(quiet=as_json) as progress, redirect_stdout(sys.stderr):
        session = ClaimSession(
            specs,
            data,
            roles=roles,
            offline=offline,
            probing=not no_probe,
            cache=default_cache(),
            progress=progress,
        )
        cases = session.declare(BUILTIN)
        chosen = [case for case in cases if is_selected(case.claim.id, claims)]
        if not only_list:
            found = [session.case_result(case) for case in chosen]
    if only_list:
        _list([claim for claim in BUILTIN if is_selected(claim.id, claims)], chosen, as_json=as_json)
        return
    document = claims_document(found, strict=strict)
    if report:
        write_claims(report, found, strict=strict)
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        append_step_summary(os.environ["GITHUB_STEP_SUMMARY"], claims_markdown(found))
    if as_json:
        typer.echo(document_text(document), nl=False)
    else:
        options = [f for spec in model or () for f in ("--model", spec)]
        options += [f for text in role or () for f in ("--role", text)]
        options += ["--data", shown(data)] if data != "embedded" else []
        options += ["--offline"] if offline else []
        options += ["--no-probe"] if no_probe else []
        _print(found, options, report)
    _, models, judged = merged(found)
    ended = status(judged, models=models, strict=strict)
    if ended == UNSETTLED and not as_json:
        typer.echo(f"status {ended}: {_why_unsettled(judged, models, left_out(found))}", err=True)
    if ended:
        raise Ended(ended)


def _why_unsettled(
    cases: Sequence[CaseResult], models: Sequence[ModelFacts], outside: Sequence[NotApplicable]
) -> str:
    if not cases:
        about = "says anything about this data" if outside else "speaks about models of these roles"
        return f"no claim {about} (clipeval check --list)"
    absent = [model.spec for model in models if model.status != "ok"]
    if absent:
        rest = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        return f"{printable(absent[0])}{rest} did not run, so nothing is known about it"
    if not any(case.word == "holds" for case in cases):
        return "nothing holds"
    if models and not any(case.word == "holds" for case in cases if case.models):
        return "nothing holds about the models, only clipeval's own arithmetic"
    return "not every claim holds"


def _print(found: Sequence[FamilyResult], options: Sequence[str], report: Path | None) -> None:
    import shutil

    from clipeval.claims.results import left_out, merged
    from clipeval.report.claims_table import claims_table
    from clipeval.report.claims_text import (
        COLOURS,
        case_message,
        case_reason,
        counts_line,
        model_notes,
        outside_notes,
        shell,
    )

    datasets, models, cases = merged(found)
    outside = left_out(found)

    def paint(word: str, text: str) -> str:
        return typer.style(text, fg=COLOURS[word])

    for line in claims_table(cases, width=shutil.get_terminal_size().columns, paint=paint):
        typer.echo(line)
    for case in cases:
        if case.failed:
            command = shell("clipeval", "check", "--claims", case.claim, *options)
            typer.echo("\n" + case_message(case, command=command, datasets=datasets))
    # a model that did not run is named once, not for each of its claims
    absent = {model.reason for model in models if model.status == "not_run"}
    unsettled = [case for case in cases if case.word in ("undecided", "not_run")]
    notes = [*outside_notes(outside), *model_notes(models)]
    if unsettled or notes:
        typer.echo("")
    for case in unsettled:
        if case.reason in absent:
            continue
        typer.echo(f"{case.claim}: {case_reason(case)}")
    for note in notes:
        typer.echo(note)
    typer.echo("\n" + counts_line(cases, outside))
    if report:
        typer.echo(f"claims.json, claims.md and report.html in {report}")


def _list(claims: Sequence[Claim], cases: Sequence[Case], *, as_json: bool) -> None:
    import json

    rows = [
        {
            "id": claim.id,
            "statement": claim.statement,
            "source": f"{claim.source.kind}: {claim.source.reference}",
            "roles": [sorted(role.value for role in roles) for roles in claim.roles],
            "tolerance": claim.tolerance.value,
            "cases": [list(case.models) for case in cases if case.claim.id == claim.id],
        }
        for claim in sorted(claims, key=lambda claim: claim.id)
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for claim in sorted(claims, key=lambda claim: claim.id):
        places = " against ".join(" or ".join(sorted(role.value for role in roles)) for roles in claim.roles)
        number = sum(case.claim.id == claim.id for case in cases)
        typer.echo(typer.style(claim.id, bold=True) + f"  ({count(number, 'case')} with these models)")
        typer.echo(f"  {claim.statement}")
        typer.echo(f"  {claim.source.kind}: {claim.source.reference}" + (f"; {places}" if places else ""))
