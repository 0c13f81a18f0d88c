"""``clipeval compare``: several encoders on one dataset, printed and written to files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from clipeval.cli_options import Address, BatchSize, EngineName, WorkerCpus, WorkerGpus, Workers
from clipeval.counted import count
from clipeval.messages import complain, say
from clipeval.printing import printed_first
from clipeval.stopping import stoppable

FAILED = 1

EPILOG = """Examples:

[cyan]clipeval compare[/]

[cyan]clipeval compare --data photos/ --model hf:openai/clip-vit-base-patch32 --model st:clip-ViT-B-32[/]

[cyan]clipeval compare --data pairs.json --model frozen:features_clip.npy --out results/clip[/]

[cyan]clipeval compare --offline --json > comparison.json[/]

[cyan]clipeval compare --list-studies[/]   published studies that can be run again

[cyan]clipeval compare --study resnet50-minilm --twin[/]   one of them, with models that need no hub"""


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("it is empty")
    return value


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
    batch_size: BatchSize = "32",
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
    no_report: Annotated[
        bool,
        typer.Option("--no-report", help="Make no report.html, nor the items.json behind it."),
    ] = False,
    no_charts: Annotated[
        bool,
        typer.Option(
            "--no-charts", help="Draw nothing, heat maps included: most of the time of a small job."
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print only the JSON document (comparisons: schema in the package)."),
    ] = False,
    engine: EngineName = "local",
    address: Address = None,
    workers: Workers = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    study: Annotated[
        str | None,
        typer.Option("--study", metavar="NAME", help="A published study, by name or number; 'all' of them."),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option("--step", metavar="STEP", help="One step of the study: KEY, KEY-images, comparison ..."),
    ] = None,
    twin: Annotated[
        bool, typer.Option("--twin", help="In the study, models that need no hub stand in; labelled so.")
    ] = False,
    only_list: Annotated[
        bool, typer.Option("--list-studies", help="List studies, their models and steps; run nothing.")
    ] = False,
) -> None:
    """Compare encoders on one dataset: hit rates with intervals, paired tests, pictures, files."""
    from contextlib import redirect_stdout

    from rich.console import Console
    from rich.text import Text

    from clipeval.cli_cluster import OpenedByAModel, engine_for
    from clipeval.cli_study import EVERY, list_studies, run_studies
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
    from clipeval.report.chart import NotDrawn
    from clipeval.report.figures.of_comparison import comparison_charts
    from clipeval.report.matrix_limit import too_large_for_the_matrix
    from clipeval.report.table import print_comparison
    from clipeval.report.taken import check_free
    from clipeval.report.write import DOCUMENT, check_folder, file_names, write_comparison
    from clipeval.studies.run import Conditions

    if only_list:
        list_studies(as_json=as_json)
        return
    if study is None and (step is not None or twin):
        raise typer.BadParameter("--step and --twin are of a study: name it with --study")
    if study is not None:
        if engine != "local":
            raise typer.BadParameter("a study runs on this machine: leave out --engine")
        if model:
            raise typer.BadParameter("a study names its own models: leave out --model or --study")
        if study == EVERY and (step is not None or twin):
            raise typer.BadParameter("all studies run whole, with their twins: leave out --step and --twin")
        cache = None if no_cache else default_cache()
        run_studies(
            study,
            step=step or "all",
            twin=twin,
            data=data,
            limit=limit,
            out=Path(out),
            as_json=as_json,
            conditions=Conditions(
                device, batch_size, offline, allow_random_init, cache, probing=not no_probe, seed=seed
            ),
        )
        return
    specs = model or list(default_models(seed))
    for spec in specs:
        check_family(spec)
    folder = Path(out)
    check_folder(folder)
    check_free(folder, DOCUMENT)
    for spec in [spec for spec in dict.fromkeys(specs) if specs.count(spec) > 1]:
        say(f"note: --model {spec} is given {specs.count(spec)} times and runs once")
    # without pictures, a model that needs them is not run, with the reason; the others are
    needed = all(parse_spec(spec).needs_pictures for spec in specs)

    def show(job: Comparison) -> None:
        if as_json:
            names = file_names(job, charts, page=not no_report)
            typer.echo(to_text(comparison_document(job, files=names)), nl=False)
        else:
            print_comparison(job, Console(highlight=False, soft_wrap=False))

    kept = "" if no_cache else "finished batches are kept in the cache, "
    with (
        stoppable(f"interrupted: {kept}nothing was written"),
        # what a user's encoder prints must not get into the document
        encoding_progress(quiet=as_json, lines=engine != "local") as progress,
        redirect_stdout(sys.stderr),
        engine_for(
            engine, address=address, workers=workers, cpus=worker_cpus, gpus=worker_gpus, quiet=as_json
        ) as opened,
    ):
        dataset = load_dataset(data, require_pictures=needed, limit=limit, offline=offline)
        engine_of_all = OpenedByAModel(opened) if engine != "local" else None
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
            say=lambda text: say(f"note: {text}"),
            engine=engine_of_all,
        )
    cluster = engine_of_all.engine if engine_of_all else None
    charts = [] if no_charts else comparison_charts(job)
    try:
        with (
            printed_first(lambda: show(job)),
            stoppable("interrupted while files were written"),
            working(quiet=as_json) as doing,
        ):
            written = write_comparison(
                folder, job, comparison_document(job), charts=charts, page=not no_report, progress=doing
            )
    except ClipevalError as error:
        complain(error)
        raise typer.Exit(FAILED) from error
    if not as_json:
        console = Console(highlight=False, soft_wrap=False)
        console.print(Text(_files(folder, written)))
        for line in cluster.timing.told(cpus=worker_cpus) if cluster else ():
            console.print(Text(line))
        if too_large_for_the_matrix(job):
            drawn = "" if no_charts else "; heat maps show blocks"
            console.print(f"too many pairs for the matrix: no similarities.csv{drawn}")
        if any(result.status == "ok" for result in job.models):
            for chart in charts:
                if isinstance(chart, NotDrawn):
                    console.print(Text(f"no chart of {chart.name}: {chart.reason}"))
    if any(result.failed for result in job.models) or all(r.status == "not_run" for r in job.models):
        raise typer.Exit(FAILED)


CHARTS = "charts"


def _files(out: Path, written: list[Path]) -> str:
    top = [path.name for path in written if path.parent == out]
    folders = {path.parent.name for path in written if path.parent != out}
    more = [f"{CHARTS}/"] * (CHARTS in folders) + ["model folders"] * bool(folders - {CHARTS})
    return f"{count(len(written), 'file')} in {out}/: {', '.join([*top, *more])}"
