"""``clipeval baseline``: keep what a model answers in a file, and compare later runs with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipeval.cli_answer import STATUS_WORDS, check_report, give_answer
from clipeval.cli_options import (
    AsJson,
    BatchSize,
    Device,
    HtmlReport,
    Junit,
    Margin,
    Markdown,
    NoCache,
    NoProbe,
    Offline,
    RandomInit,
    SevereLimit,
    SevereRank,
)
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    from clipeval.baseline.snapshot import Snapshot

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Keep what a model answers in a file; say later whether a swap of model, library or "
    "preprocessing changed it.",
)

SAVE_EPILOG = """Examples:

[cyan]clipeval baseline save --model hf:openai/clip-vit-base-patch32 --data photos/ search.json[/]

[cyan]clipeval baseline save --model frozen:rows.npz --data pairs.json --embeddings rows.json[/]"""
CHECK_EPILOG = f"""Examples:

[cyan]clipeval baseline check search.json[/]   the same model, after a library changed

[cyan]clipeval baseline check search.json --model hf:openai/clip-vit-base-patch16 --margin 0.01[/]

[cyan]clipeval baseline check search.json --markdown comment.md --junit report.xml[/]

{STATUS_WORDS}"""
DIFF_EPILOG = f"""Examples:

[cyan]clipeval baseline diff old.json new.json[/]

{STATUS_WORDS}"""


@app.command(epilog=SAVE_EPILOG)
def save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write: a small JSON file.")],
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="SPEC", help="A model spec, family:name.")
    ] = ...,  # type: ignore[assignment]  # typer's word for "required"
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="PATH", help="A dataset, as for compare; or 'embedded'.")
    ] = "embedded",
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Keep the embeddings too, beside the file.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline that is there.")] = False,
    device: Device = "cpu",
    batch_size: BatchSize = "32",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
    no_probe: NoProbe = False,
) -> None:
    """Write a baseline: the data's content hashes, the model's fingerprint, and every query's answer.

    Review it and commit it. Exit status: 0 written; 3 wrong usage, data or file, or no such model.
    """
    from clipeval.baseline.file import check_target, save_baseline

    check_target(file, replace=force)
    kept = _measured(
        model,
        data,
        named=data,
        device=device,
        batch_size=batch_size,
        offline=offline,
        no_cache=no_cache,
        allow_random_init=allow_random_init,
        no_probe=no_probe,
    )
    written = save_baseline(file, kept, embeddings=embeddings, replace=force)
    for path in written:
        typer.echo(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")
    _say(kept.notes)
    typer.echo("review it and commit it; later: clipeval baseline check " + str(file))


@app.command(epilog=CHECK_EPILOG)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A baseline that 'save' wrote.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="SPEC", help="The new model; by default the baseline's own."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", metavar="PATH", help="Where the data are now, if not where they were."),
    ] = None,
    margin: Margin = 0.02,
    severe_rank: SevereRank = None,
    severe_limit: SevereLimit = 0,
    device: Device = "cpu",
    batch_size: BatchSize = "32",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
    no_probe: NoProbe = False,
    markdown: Markdown = None,
    junit: Junit = None,
    report: HtmlReport = None,
    as_json: AsJson = False,
) -> None:
    """Run a model on the baseline's data and say whether its answers still hold: red, green, undecided, why.

    The answer comes in this order: the data, the fingerprint, the embeddings, the queries that flipped, the
    metrics, two guards.
    """
    from clipeval.baseline.compare import compare_snapshots
    from clipeval.baseline.data_path import data_as_found
    from clipeval.baseline.file import load_baseline
    from clipeval.data.load import load_dataset
    from clipeval.report.html.swap_explorer import Sides, both_sides

    check_report(report)
    old = load_baseline(file)
    named = data or data_as_found(old.data, file=file)
    new = _measured(
        model or old.model,
        named,
        named=named,
        device=device,
        batch_size=batch_size,
        offline=offline,
        no_cache=no_cache,
        allow_random_init=allow_random_init,
        no_probe=no_probe,
        quiet=as_json,
    )
    result = compare_snapshots(old, new, margin=margin, severe_rank=severe_rank, severe_limit=severe_limit)
    notes = tuple(dict.fromkeys([*old.notes, *new.notes]))

    def sides() -> Sides | None:
        return both_sides(old, new, dataset=load_dataset(named, require_pictures=False, offline=offline))

    give_answer(
        result, as_json=as_json, markdown=markdown, junit=junit, report=report, sides=sides, notes=notes
    )


@app.command(epilog=DIFF_EPILOG)
def diff(
    old: Annotated[Path, typer.Argument(metavar="A", help="The older baseline.")],
    new: Annotated[Path, typer.Argument(metavar="B", help="The newer one.")],
    margin: Margin = 0.02,
    severe_rank: SevereRank = None,
    severe_limit: SevereLimit = 0,
    markdown: Markdown = None,
    junit: Junit = None,
    report: HtmlReport = None,
    as_json: AsJson = False,
) -> None:
    """Compare two baseline files; no model is run."""
    from functools import partial

    from clipeval.baseline.compare import compare_snapshots
    from clipeval.baseline.file import load_baseline
    from clipeval.report.html.swap_explorer import both_sides

    check_report(report)
    before, after = load_baseline(old), load_baseline(new)
    result = compare_snapshots(
        before, after, margin=margin, severe_rank=severe_rank, severe_limit=severe_limit
    )
    notes = tuple(dict.fromkeys([*before.notes, *after.notes]))
    sides = partial(both_sides, before, after)
    give_answer(
        result, as_json=as_json, markdown=markdown, junit=junit, report=report, sides=sides, notes=notes
    )


def _measured(
    model: str,
    data: str,
    *,
    named: str,
    device: str,
    batch_size: int | Literal["auto"],
    offline: bool,
    no_cache: bool,
    allow_random_init: bool,
    no_probe: bool,
    quiet: bool = False,
) -> Snapshot:
    from contextlib import redirect_stdout
    from functools import partial

    from clipeval.baseline.measure import measure
    from clipeval.data.load import load_dataset
    from clipeval.encoders.load import check_family
    from clipeval.encoders.spec import parse_spec
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress

    check_family(model)
    with (
        stoppable("interrupted: finished batches are kept in the cache, nothing was written"),
        # what a user's encoder prints must not get into the document
        encoding_progress(quiet=quiet) as progress,
        redirect_stdout(sys.stderr),
    ):
        return measure(
            model,
            load_dataset(data, require_pictures=parse_spec(model).needs_pictures, offline=offline),
            data=named,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            probing=not no_probe,
            cache=None if no_cache else default_cache(),
            progress=partial(progress, model),
            say=lambda text: _say((text,)),
        )


def _say(notes: tuple[str, ...]) -> None:
    from clipeval.messages import say

    for note in notes:
        say(f"note: {note}")
