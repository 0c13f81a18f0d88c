"""``clipeval classify``: zero-shot classification by the names of the categories."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clipeval.cli_options import BatchSize, Device, NoCache, NoProbe, Offline, RandomInit
from clipeval.messages import complain, say
from clipeval.printing import printed_first
from clipeval.stopping import stoppable

FAILED = 1

EPILOG = """Examples:

[cyan]clipeval classify --model conse:efficientnet-lite0+all-MiniLM-L6-v2[/]

[cyan]clipeval classify --model hf:openai/clip-vit-base-patch32 --data photos/ --templates openai80[/]

[cyan]clipeval classify --data photos/ --templates "a photo of a {}" --templates "a drawing of a {}"[/]

[cyan]clipeval classify --data val/ --classes imagenet --templates single --templates openai80[/]"""


def classify(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="SPEC",
            help="A model spec, family:name; repeat it. Default: ConSE, which needs no model hub.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            metavar="PATH",
            help="A dataset with categories, or pictures in folders named as their classes.",
        ),
    ] = "embedded",
    templates: Annotated[
        list[str] | None,
        typer.Option(
            "--templates",
            "-t",
            metavar="SET",
            help="single ('a photo of a {}.'), openai80, or a prompt of your own with {} for the class name; "
            "repeat it. Several prompts of your own are one ensemble. Default: single.",
        ),
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            metavar="data|imagenet", help="The dataset's categories, or ImageNet's 1,000 by their names."
        ),
    ] = "data",
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="Where files are written.")] = (
        "results"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 42,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first items; the name then says so.")
    ] = None,
    device: Device = "cpu",
    batch_size: BatchSize = "32",
    offline: Offline = False,
    no_cache: NoCache = False,
    allow_random_init: RandomInit = False,
    no_probe: NoProbe = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the JSON document.")] = False,
) -> None:
    """Sort pictures into classes that the model knows by name only: top-1, top-5, classes, confusions."""
    from contextlib import redirect_stdout

    from rich.console import Console

    from clipeval.classification.document import classification_document
    from clipeval.classification.job import classify as run
    from clipeval.classification.names import class_names, prompt_sets
    from clipeval.compare.document import to_text
    from clipeval.data.class_folders import load_classes
    from clipeval.encoders.defaults import offline_models
    from clipeval.encoders.load import check_family
    from clipeval.errors import ClipevalError
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress
    from clipeval.report.classification_files import write_classification
    from clipeval.report.classification_table import print_classification
    from clipeval.report.write import check_folder

    specs = model or [offline_models(seed)[1]]
    for spec in specs:
        check_family(spec)
    folder = Path(out)
    check_folder(folder)
    prompts = prompt_sets(templates or ["single"])
    with (
        stoppable("interrupted: nothing was written"),
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        dataset = load_classes(data, limit=limit, offline=offline)
        job = run(
            specs,
            dataset,
            class_names(dataset, classes),
            prompts,
            seed=seed,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=None if no_cache else default_cache(),
            probing=not no_probe,
            progress=progress,
            say=lambda text: say(f"note: {text}"),
        )

    def show() -> None:
        if as_json:
            typer.echo(to_text(classification_document(job)), nl=False)
        else:
            print_classification(job, Console(highlight=False))

    try:
        with printed_first(show), stoppable("interrupted while files were written"):
            written = write_classification(folder, job)
    except ClipevalError as error:
        complain(error)
        raise typer.Exit(FAILED) from error
    if not as_json:
        typer.echo(f"\n{len(written)} files in {folder}/")
    if any(one.failed for one in job.models) or not any(one.sets for one in job.models):
        raise typer.Exit(FAILED)
