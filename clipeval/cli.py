"""The command line: parses and prints; no arithmetic lives here."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from clipeval import (
    cli_baseline,
    cli_bench,
    cli_bridges,
    cli_check,
    cli_classify,
    cli_compare,
    cli_embed,
    cli_fit,
    cli_probe,
    cli_report,
    cli_search,
    cli_swap,
    cli_train,
)
from clipeval._version import __version__
from clipeval.cli_compare import FAILED
from clipeval.messages import complain, say
from clipeval.stopping import Ended, Stopped, give_up_output

USAGE = 3

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

[cyan]clipeval swap OLD NEW --data photos/[/]   may a new model take the old one's place

[cyan]clipeval compare --help[/]   all options, and examples with your own models and pictures"""
)
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn statements about image-text encoders into tests, with the evidence attached.

    Exit status: 0 all that could run did; 1 a model broke, none could run, a claim is refuted, or results
    could not be printed or written; 2 not decided; 3 wrong usage or data; 130 interrupted.
    """


app.command(epilog=cli_compare.EPILOG)(cli_compare.compare)
app.command(epilog=cli_classify.EPILOG)(cli_classify.classify)
app.command(epilog=cli_probe.EXAMPLES)(cli_probe.probe)
app.command(epilog=cli_search.EPILOG)(cli_search.search)
app.command(epilog=cli_embed.EPILOG)(cli_embed.embed)
app.command(epilog=cli_train.EPILOG)(cli_train.train)
app.command(epilog=cli_check.EPILOG)(cli_check.check)
app.command(epilog=cli_fit.EPILOG)(cli_fit.fit)
app.command(epilog=cli_bridges.EPILOG)(cli_bridges.bridges)
app.command(epilog=cli_swap.EPILOG)(cli_swap.swap)
app.command(epilog=cli_bench.EPILOG)(cli_bench.bench)
app.command(epilog=cli_report.EPILOG)(cli_report.report)
app.add_typer(cli_baseline.app, name="baseline")


def _in_words(error: OSError) -> str:
    words = error.strerror or str(error) or type(error).__name__
    return f"{words}: {str(error.filename)[:200]}" if error.filename else f"cannot write the output: {words}"


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
    from clipeval.encoders.allocator import keep_freed_memory
    from clipeval.errors import ClipevalError

    keep_freed_memory()
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
        complain(error)
        sys.exit(USAGE)
    except BrokenPipeError:
        give_up_output()
        sys.exit(FAILED)
    except OSError as error:
        give_up_output()
        say(f"error: {_in_words(error)}")
        sys.exit(FAILED)
    except Stopped as stop:
        say(str(stop))
        sys.exit(stop.status)
    except Ended as end:
        sys.exit(end.status)
    except SystemExit as end:
        # typer says 2 for wrong usage; here 2 means "undecided"
        sys.exit(USAGE if end.code == 2 else end.code)


if __name__ == "__main__":
    main()
