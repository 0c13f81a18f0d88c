"""``clipeval compare --study``: a published study, or one step of it, or all of them."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipeval.counted import count
from clipeval.messages import complain, say
from clipeval.stopping import stoppable

if TYPE_CHECKING:
    from clipeval.studies.preset import Preset
    from clipeval.studies.run import Conditions, StudyRun

FAILED = 1
EVERY = "all"


def list_studies(*, as_json: bool) -> None:
    """Print which studies there are."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from clipeval.report.study_table import print_presets
    from clipeval.studies.catalogue import presets

    if as_json:
        rows = [
            {**asdict(one), "categories": sorted(one.categories), "steps": one.steps} for one in presets()
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    print_presets(presets(), Console(highlight=False))


def run_studies(
    name: str,
    *,
    step: str,
    twin: bool,
    data: str,
    limit: int | None,
    out: Path,
    as_json: bool,
    conditions: Conditions,
) -> None:
    """Run one study, or all with their twins; print, write files, end with the status of ``compare``."""
    from rich.console import Console

    from clipeval.compare.document import to_text
    from clipeval.report.study_table import print_overview, print_study
    from clipeval.report.write import check_folder
    from clipeval.studies.catalogue import find_preset, presets
    from clipeval.studies.document import study_document
    from clipeval.studies.preset import WHOLE

    check_folder(out)
    console = Console(highlight=False)
    every = name == EVERY
    chosen = presets() if every else (find_preset(name),)
    for preset in chosen:
        preset.check_step(step if not every else WHOLE)
    runs = []
    for preset in chosen:
        for stands_in in (False, True) if every else (twin,):
            run, written = _run(preset, step, stands_in, data, limit, out, as_json, conditions)
            runs.append(run)
            if not as_json and not every:
                print_study(run, console)
                typer.echo(f"{count(len(written), 'file')} in {written[-1].parent}/")
    if as_json:
        documents = [study_document(run) for run in runs]
        text = "".join(map(to_text, documents)) if not every else to_text({"studies": documents})
        typer.echo(text, nl=False)
    elif every:
        print_overview(list(zip(runs[::2], runs[1::2], strict=True)), console)
        typer.echo(f"files in {out}/, one folder for each study and each twin")
    if any(result.failed for run in runs for result in run.comparison.models) or not any(map(_ran, runs)):
        raise typer.Exit(FAILED)


def _ran(run: StudyRun) -> bool:
    return bool(run.features or run.reused)


def _run(
    preset: Preset,
    step: str,
    twin: bool,
    data: str,
    limit: int | None,
    out: Path,
    as_json: bool,
    conditions: Conditions,
) -> tuple[StudyRun, list[Path]]:
    from clipeval.data.address import shown
    from clipeval.data.load import load_dataset
    from clipeval.errors import ClipevalError
    from clipeval.progress import encoding_progress, working
    from clipeval.report.study_files import write_study
    from clipeval.studies.run import run_study, study_folder

    folder = study_folder(out, preset, twin=twin)
    with (
        stoppable("interrupted: nothing was written"),
        encoding_progress(quiet=as_json) as progress,
        redirect_stdout(sys.stderr),
    ):
        run = run_study(
            preset,
            load_dataset(data, limit=limit, offline=conditions.offline),
            data=shown(data),  # it is printed and stored
            folder=folder,
            step=step,
            twin=twin,
            conditions=conditions,
            progress=progress,
            say=lambda text: say(f"note: {text}"),
        )
    try:
        with stoppable("interrupted while files were written"), working(quiet=as_json) as doing:
            return run, write_study(folder, run, progress=doing)
    except ClipevalError as error:
        complain(error)
        raise typer.Exit(FAILED) from error
