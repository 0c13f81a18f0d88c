"""``clipeval swap``: one model against another, or against itself in another setting, without a file."""

from __future__ import annotations

import sys
from typing import Annotated

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
from clipeval.messages import say
from clipeval.stopping import stoppable

EPILOG = f"""Examples:

[cyan]clipeval swap hf:openai/clip-vit-base-patch32 hf:openai/clip-vit-base-patch16 --data photos/[/]

[cyan]clipeval swap hf:MODEL 'hf:MODEL?dtype=bfloat16' --data photos/ --margin 0.01[/]

[cyan]clipeval swap hf:MODEL 'hf:MODEL?processor=torchvision' --markdown comment.md[/]

{STATUS_WORDS}"""


def swap(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The model in use: a model spec, family:name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The model to take its place.")],
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="PATH", help="A dataset, as for compare; or 'embedded'.")
    ] = "embedded",
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
    """Say whether a new model can take the old one's place on your data: red, green or undecided, and why."""
    from contextlib import redirect_stdout
    from functools import partial

    from clipeval.baseline.compare import compare_snapshots
    from clipeval.baseline.measure import measure
    from clipeval.data.load import load_dataset
    from clipeval.encoders.load import check_family
    from clipeval.encoders.spec import parse_spec
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress
    from clipeval.report.html.swap_explorer import both_sides

    check_report(report)
    specs = (old, new)
    for spec in specs:
        check_family(spec)
    with (
        stoppable("interrupted: finished batches are kept in the cache"),
        # what a user's encoder prints must not get into the document
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        needed = any(parse_spec(spec).needs_pictures for spec in specs)
        dataset = load_dataset(data, require_pictures=needed, offline=offline)
        before, after = (
            measure(
                spec,
                dataset,
                data=data,
                device=device,
                batch_size=batch_size,
                offline=offline,
                allow_random_init=allow_random_init,
                probing=not no_probe,
                cache=None if no_cache else default_cache(),
                progress=partial(progress, spec),
                say=lambda text: say(f"note: {text}"),
            )
            for spec in specs
        )
        result = compare_snapshots(
            before, after, margin=margin, severe_rank=severe_rank, severe_limit=severe_limit
        )
    notes = dict.fromkeys(note for kept in (before, after) for note in kept.notes)
    give_answer(
        result,
        as_json=as_json,
        markdown=markdown,
        junit=junit,
        report=report,
        sides=partial(both_sides, before, after, dataset=dataset),
        notes=tuple(notes),
    )
