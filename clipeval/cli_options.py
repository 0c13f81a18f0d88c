"""Options that several commands share: one name, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer


def _batch_size(value: Any) -> Any:
    text = str(value).strip()
    if text == "auto":
        return text
    try:
        size = int(text)
    except ValueError:
        raise typer.BadParameter(f"'{value}' is neither a whole number nor 'auto'") from None
    if size < 1:
        raise typer.BadParameter(f"{size} is below 1")
    return size


Margin = Annotated[float, typer.Option(min=0, max=1, help="Largest loss of hit@1 and MRR that is accepted.")]
SevereRank = Annotated[
    int | None, typer.Option(min=2, help="A first place that falls beyond this rank is a severe loss.")
]
SevereLimit = Annotated[int, typer.Option(min=0, help="Severe losses that are accepted.")]
Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the answer as Markdown, for a pull request.")
]
HtmlReport = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PATH",
        help="FILE.html: one page, both models side by side. A folder: the page, its chart, and what "
        "'clipeval report' makes it from again.",
    ),
]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as JUnit XML.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print only the JSON document (schema in the package).")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps ...")]
# a whole number or 'auto', which typer has no type for: it reads words, and the callback makes the value
if TYPE_CHECKING:
    BatchSize: TypeAlias = Any
else:
    BatchSize = Annotated[
        str,
        typer.Option(
            callback=_batch_size,
            metavar="N|auto",
            help="Inputs in one forward pass; auto: halved for as long as they do not fit into memory.",
            show_default=True,
        ),
    ]
Offline = Annotated[bool, typer.Option("--offline", help="Open no socket at all.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache of embeddings.")]
RandomInit = Annotated[
    bool, typer.Option("--allow-random-init", help="Accept models without trained weights.")
]
NoProbe = Annotated[
    bool, typer.Option("--no-probe", help="Evaluate the model also where 'clipeval probe' finds an error.")
]


def _engine(value: str) -> str:
    from clipeval.errors import near

    if value not in ENGINES:
        raise typer.BadParameter(f"'{value}' is no engine; {near(value, ENGINES)}")
    return value


ENGINES = ("local", "ray")
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="local|ray",
        callback=_engine,
        help="This machine, or a Ray cluster: same numbers.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of a Ray cluster; without it one is started here for the job."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes that hold the model. Default: as many as leave cores to decode."),
]
WorkerCpus = Annotated[int, typer.Option(min=1, help="Cores of such a process, threads of its network.")]
WorkerGpus = Annotated[
    float, typer.Option(min=0, help="GPUs of such a process; 0.5: two share one. Go with --device cuda.")
]
