"""The command line: parses and prints; no arithmetic lives here."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from clipeval import cli_check, cli_probe
from clipeval._version import __version__

OK, FAILED, USAGE = 0, 1, 3

app = typer.Typer(
    name="clipeval",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"clipeval {__version__}")
        raise typer.Exit


@app.callback(
    epilog="""Examples:

[cyan]clipeval compare[/]   random Pre-CLIP, ConSE and CLIP on 20 pictures that come along

[cyan]clipeval check[/]   which claims about encoders hold for them

[cyan]clipeval compare --help[/]   all options, and examples with your own models and pictures"""
)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn statements about image-text encoders into tests, with the evidence attached.

    Exit status: 0 all that could run did; 1 a model broke, none could run, or a claim is refuted; 2 a claim
    is not decided; 3 wrong usage or data.
    """


@app.command(
    epilog="""Examples:

[cyan]clipeval compare[/]

[cyan]clipeval compare --data photos/ --model hf:openai/clip-vit-base-patch32 --model st:clip-ViT-B-32[/]

[cyan]clipeval compare --data pairs.json --model frozen:features_clip.npy --out results/clip[/]

[cyan]clipeval compare --offline --json > comparison.json[/]"""
)
def compare(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="SPEC",
            help="A model spec, family:name; repeat it. Default: a random Pre-CLIP, ConSE and OpenAI's CLIP.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            metavar="PATH",
            help="A CSV, metadata.json, folder, COCO JSON, Parquet or tar shards; or 'embedded'.",
        ),
    ] = "embedded",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where files are written.")] = Path(
        "results"
    ),
    seed: Annotated[
        int, typer.Option(min=0, help="Of the default model's projection, of bootstrap and permutations.")
    ] = 42,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first items; the name then says so.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps ...")] = "cpu",
    batch_size: Annotated[int, typer.Option(min=1, help="Inputs in one forward pass.")] = 32,
    offline: Annotated[bool, typer.Option("--offline", help="Open no socket at all.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor write the cache of embeddings.")
    ] = False,
    allow_random_init: Annotated[
        bool, typer.Option("--allow-random-init", help="Accept models without trained weights.")
    ] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Evaluate models also where 'clipeval probe' finds an error.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only the JSON document (schema in the package).")
    ] = False,
) -> None:
    """Compare encoders on one dataset: hit rates with intervals, paired tests, pictures, files."""
    from contextlib import redirect_stdout

    from rich.console import Console
    from rich.text import Text

    from clipeval.compare.document import comparison_document, to_text
    from clipeval.compare.job import compare as run
    from clipeval.data.load import load_dataset
    from clipeval.encoders.defaults import default_models
    from clipeval.encoders.load import check_family
    from clipeval.encoders.spec import parse_spec
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress
    from clipeval.report.table import print_comparison
    from clipeval.report.write import check_folder, write_comparison

    specs = model or list(default_models(seed))
    for spec in specs:
        check_family(spec)
    check_folder(out)
    needed = any(parse_spec(spec).needs_pictures for spec in specs)
    dataset = load_dataset(data, require_pictures=needed, limit=limit)
    # what a user's encoder prints must not get into the document
    with encoding_progress(quiet=as_json) as progress, redirect_stdout(sys.stderr):
        job = run(
            specs,
            dataset,
            seed=seed,
            device=device,
            batch_size=batch_size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=None if no_cache else default_cache(),
            probing=not no_probe,
            progress=progress,
        )
    document = comparison_document(job)
    written = write_comparison(out, job, document)
    if as_json:
        typer.echo(to_text(document), nl=False)
    else:
        console = Console(highlight=False, soft_wrap=False)
        print_comparison(job, console)
        console.print(Text(_files(out, written)))
    if any(result.failed for result in job.models) or all(r.status == "not_run" for r in job.models):
        raise typer.Exit(FAILED)


app.command(epilog=cli_probe.EXAMPLES)(cli_probe.probe)


app.command(epilog=cli_check.EPILOG)(cli_check.check)


def _files(out: Path, written: list[Path]) -> str:
    top = [path.name for path in written if path.parent == out]
    more = ", model folders" if len(top) < len(written) else ""
    return f"{len(written)} file{'s'[: len(written) != 1]} in {out}/: {', '.join(top)}{more}"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors that we know end in one message, not in a stack trace.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Raises
    ------
    SystemExit
        Always, with the exit status.
    """
    from clipeval.errors import ClipevalError
    from clipeval.report.text import printable

    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding lacks is spelt out instead of ending the run
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(args=arguments, prog_name="clipeval")
    except ClipevalError as error:
        lines = str(error).splitlines()
        typer.echo("\n".join(["error: " + printable(lines[0]), *map(printable, lines[1:])]), err=True)
        sys.exit(USAGE)
    except cli_check.CheckEnd as end:
        sys.exit(end.status)
    except SystemExit as end:
        # typer says 2 for wrong usage; here 2 means "undecided"
        sys.exit(USAGE if end.code == 2 else end.code)


if __name__ == "__main__":
    main()
