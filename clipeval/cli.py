"""The command line: parses and prints; no arithmetic lives here."""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from clipeval import cli_check, cli_probe
from clipeval._version import __version__
from clipeval.stopping import Stopped, give_up_output, stoppable

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


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return value


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

    Exit status: 0 all that could run did; 1 a model broke, none could run, a claim is refuted, or results
    could not be printed or written; 2 a claim is not decided; 3 wrong usage or data; 130 interrupted.
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
            callback=_not_empty,
            help="A CSV, metadata.json, folder, COCO JSON, Parquet or tar shards; or 'embedded'.",
        ),
    ] = "embedded",
    out: Annotated[
        str,
        typer.Option("--out", "-o", metavar="DIR", callback=_not_empty, help="Where files are written."),
    ] = "results",
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
    from clipeval.compare.job import Comparison
    from clipeval.compare.job import compare as run
    from clipeval.data.load import load_dataset
    from clipeval.encoders.defaults import default_models
    from clipeval.encoders.load import check_family
    from clipeval.encoders.spec import parse_spec
    from clipeval.errors import ClipevalError
    from clipeval.evaluation import default_cache
    from clipeval.progress import encoding_progress, working
    from clipeval.report.table import print_comparison
    from clipeval.report.write import check_folder, file_names, too_large_for_the_matrix, write_comparison

    specs = model or list(default_models(seed))
    for spec in specs:
        check_family(spec)
    folder = Path(out)
    check_folder(folder)
    for spec in [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]:
        _say(f"note: --model {spec} is given {specs.count(spec)} times and runs once")
    # without pictures, a model that needs them is not run, with the reason; the others are
    needed = all(parse_spec(spec).needs_pictures for spec in specs)

    def show(job: Comparison) -> None:
        if as_json:
            typer.echo(to_text(comparison_document(job, files=file_names(job))), nl=False)
        else:
            print_comparison(job, Console(highlight=False, soft_wrap=False))
        sys.stdout.flush()

    kept = "" if no_cache else "finished batches are kept in the cache, "
    with (
        stoppable(f"interrupted: {kept}nothing was written"),
        # what a user's encoder prints must not get into the document
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        dataset = load_dataset(data, require_pictures=needed, limit=limit)
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
    unprinted: OSError | SystemExit | None = None
    try:
        show(job)
    except (OSError, SystemExit) as error:  # the reader of a pipe has left, or a disk is full
        unprinted = error
    try:
        with stoppable("interrupted while files were written"), working(quiet=as_json) as step:
            written = write_comparison(folder, job, comparison_document(job), progress=step)
    except ClipevalError as error:
        _complain(error)
        raise typer.Exit(FAILED) from error
    if unprinted is not None:
        raise unprinted
    if not as_json:
        console = Console(highlight=False, soft_wrap=False)
        console.print(Text(_files(folder, written)))
        if too_large_for_the_matrix(job):
            console.print("too many pairs for the matrix: no similarities.csv, heatmap.png and scores.png")
    if any(result.failed for result in job.models) or all(r.status == "not_run" for r in job.models):
        raise typer.Exit(FAILED)


app.command(epilog=cli_probe.EXAMPLES)(cli_probe.probe)


app.command(epilog=cli_check.EPILOG)(cli_check.check)


def _files(out: Path, written: list[Path]) -> str:
    top = [path.name for path in written if path.parent == out]
    more = ", model folders" if len(top) < len(written) else ""
    return f"{len(written)} file{'s'[: len(written) != 1]} in {out}/: {', '.join(top)}{more}"


def _in_words(error: OSError) -> str:
    words = error.strerror or str(error) or type(error).__name__
    return f"{words}: {str(error.filename)[:200]}" if error.filename else f"cannot write the output: {words}"


def _complain(error: Exception) -> None:
    head, *more = str(error).splitlines()
    _say("\n".join([f"error: {head}", *more]))


def _say(text: str) -> None:
    from clipeval.report.text import printable

    with suppress(OSError):  # there is nobody to tell
        typer.echo("\n".join(printable(line) for line in text.splitlines()), err=True)


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

    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal's encoding lacks is spelt out instead of ending the run
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(args=arguments, prog_name="clipeval")
        finally:
            sys.stdout.flush()  # here, where a full disk is an error that we know
    except ClipevalError as error:
        _complain(error)
        sys.exit(USAGE)
    except BrokenPipeError:
        give_up_output()
        sys.exit(FAILED)
    except OSError as error:
        give_up_output()
        _say(f"error: {_in_words(error)}")
        sys.exit(FAILED)
    except Stopped as stop:
        _say(str(stop))
        sys.exit(stop.status)
    except cli_check.CheckEnd as end:
        sys.exit(end.status)
    except SystemExit as end:
        # typer says 2 for wrong usage; here 2 means "undecided"
        sys.exit(USAGE if end.code == 2 else end.code)


if __name__ == "__main__":
    main()
