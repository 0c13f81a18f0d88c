"""``clipeval probe``: what would ruin a model's scores in silence."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from clipeval.cli_options import BatchSize
from clipeval.messages import say

if TYPE_CHECKING:
    from clipeval.probes import ProbeReport

ERROR_FOUND = 1
EXAMPLES = """Examples:

[cyan]clipeval probe hf:openai/clip-vit-base-patch32[/]

[cyan]clipeval probe python:my_models:factory --json[/]"""
COLOURS = {"error": "red", "warning": "yellow", "ok": "green", "not_applicable": "dim"}


def probe(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A model spec, family:name.")],
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps ...")] = "cpu",
    batch_size: BatchSize = "32",
    offline: Annotated[bool, typer.Option("--offline", help="Open no socket at all.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Ask again, whatever an earlier run found.")
    ] = False,
    allow_random_init: Annotated[
        bool, typer.Option("--allow-random-init", help="Accept a model without trained weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the JSON document.")] = False,
) -> None:
    """Probe a model: a few inputs, and the mistakes that ruin scores in silence.

    Of embeddings that are played back (frozen:) nothing can be asked: judge them with 'clipeval check'.

    Exit status: 0 no errors (warnings are printed); 1 an error was found; 3 wrong usage, or no such model.
    """
    from contextlib import redirect_stdout

    from clipeval.encoders.load import load_encoder
    from clipeval.evaluation import default_cache
    from clipeval.evaluation.batch_size import fitting
    from clipeval.evaluation.learning import learned
    from clipeval.probes import default_store
    from clipeval.probes import probe as run

    def ask(size: int, _: object) -> ProbeReport:
        cache = None if no_cache else default_cache()
        encoder = load_encoder(
            spec,
            device=device,
            batch_size=size,
            offline=offline,
            allow_random_init=allow_random_init,
            cache=cache,
        )
        return run(learned(encoder, cache=cache), store=None if no_cache else default_store())

    # what a user's encoder prints must not get into the document
    with redirect_stdout(sys.stderr):
        report = fitting(ask, batch_size, spec=spec, device=device, say=lambda text: say(f"note: {text}"))
    if as_json:
        typer.echo(json.dumps(report.document(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if report.errors:
        raise typer.Exit(ERROR_FOUND)


def _print(report: ProbeReport) -> None:
    from rich.console import Console
    from rich.text import Text

    from clipeval.report.text import printable

    console = Console(highlight=False)
    console.print(Text(printable(report.model), style="bold"))
    for finding in report.findings:
        word = finding.severity.replace("_", " ")
        line = Text.assemble((f"{word:<15}", COLOURS[finding.severity]), f"{finding.name}: ")
        console.print(line.append(printable(finding.what)))
        if finding.fix:
            console.print(Text(f"{'':15}to do: {printable(finding.fix)}"))
    if not report.image_passes and not report.text_passes:
        console.print(Text("nothing was encoded: rows that are played back cannot be probed", style="dim"))
        return
    asked = f"{report.image_passes} pictures and {report.text_passes} texts were encoded"
    when = "by an earlier run of the same fingerprint" if report.cached else "now"
    console.print(Text(f"{asked} {when}", style="dim"))
