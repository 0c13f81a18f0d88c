"""All files of one comparison."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from clipeval.compare.document import Json, to_text
from clipeval.compare.job import Comparison
from clipeval.errors import ClipevalError
from clipeval.evaluation import Evaluation
from clipeval.report.chart import Chart, NotDrawn, write_chart
from clipeval.report.charts import draw_hit_rates
from clipeval.report.figures.of_comparison import CHARTS, comparison_charts
from clipeval.report.files import encoded, replace_file, write_embeddings, write_queries, write_similarities
from clipeval.report.heatmap import draw_heatmap
from clipeval.report.html.saved_items import ITEMS
from clipeval.report.html.write_page import PAGE, write_comparison_items, write_comparison_page
from clipeval.report.matrix_limit import too_large_for_the_matrix
from clipeval.report.names import folder_names
from clipeval.report.stale import listed_files, remove_files

DOCUMENT = "comparison.json"
OF_MODELS: dict[str, Callable[[Path, Evaluation], None]] = {
    "embeddings.safetensors": write_embeddings,
    "queries.csv": write_queries,
    "similarities.csv": write_similarities,
    "heatmap.png": draw_heatmap,
}
OF_JOBS: dict[str, Callable[[Path, Comparison], None]] = {
    "comparison.png": draw_hit_rates,
    ITEMS: write_comparison_items,
}
OF_PAGES = frozenset({ITEMS, PAGE})
NEED_THE_MATRIX = frozenset({"similarities.csv", "heatmap.png"})
FOLDER = "charts"
Charts: TypeAlias = Sequence[Chart | NotDrawn]
OF_CHARTS = tuple(f"{name}.{kind}" for name in CHARTS for kind in ("png", "svg", "csv"))
OF_EARLIER_VERSIONS = ("scores.png",)
"""Names that are not written any more, and are removed where an earlier run's list has them."""


def check_folder(folder: Path) -> None:
    """Say before a long job, rather than after it, that its results could not be written.

    Parameters
    ----------
    folder : Path
        Nothing is made in it.

    Raises
    ------
    ClipevalError
        It is a file or lies under one, may not be written to, or has a name that the system refuses.

    Examples
    --------
    >>> check_folder(Path("results"))
    """
    whole = folder.absolute()
    try:
        nearest = next(place for place in (whole, *whole.parents) if place.exists())
        for part in whole.relative_to(nearest).parts:
            _look_up(nearest / part)
    except OSError as error:
        raise _refused(error, folder) from error
    if not nearest.is_dir():
        what = f"'{folder}' is a file" if nearest == whole else f"a file is in the way of '{folder}'"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        what = "the folder may not be written to"
    else:
        return
    raise ClipevalError(
        f"cannot write results: {what}", where=nearest.name, fix="choose another folder with --out"
    )


def _look_up(place: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # told apart by the caller
        place.lstat()  # unlike exists(), says in every version of Python that a name is too long


def file_names(job: Comparison, charts: Charts | None = None, *, page: bool = True) -> tuple[str, ...]:
    """List what `write_comparison` writes besides ``comparison.json``.

    Parameters
    ----------
    job : Comparison
        What ran.
    charts : sequence of Chart or NotDrawn, optional
        Of this job, if they are there already.
    page : bool
        Whether ``report.html`` is asked for, and ``items.json``, from which it is made.

    Returns
    -------
    tuple of str
        Relative to the folder, with forward slashes, in the order of writing.
    """
    ran = [result.spec for result in job.models if result.evaluation is not None]
    folders = folder_names([result.spec for result in job.models])
    names = [f"{folders[spec]}/{name}" for spec in ran for name in OF_MODELS] + (list(OF_JOBS) if ran else [])
    left_out = NEED_THE_MATRIX if too_large_for_the_matrix(job) else frozenset()
    left_out |= frozenset() if page else OF_PAGES
    charts = comparison_charts(job) if charts is None else charts
    drawn = [f"{FOLDER}/{file}" for chart in charts if isinstance(chart, Chart) for file in chart.files]
    paged = [PAGE] if ran and page else []
    return (*(name for name in names if name.rpartition("/")[2] not in left_out), *drawn, *paged)


def write_comparison(
    folder: Path,
    job: Comparison,
    document: Json,
    *,
    charts: Charts | None = None,
    page: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write every file of a comparison.

    All files are made in a temporary folder inside ``folder`` and renamed at the end, one by one, the JSON
    last: a run that fails before leaves the results of an earlier one as they were, and the presence of
    ``comparison.json`` means that all is there. Files that the earlier ``comparison.json`` lists and this run
    does not write are removed; nothing else ever is.

    Parameters
    ----------
    folder : Path
        Made if absent. Files of the same names are replaced.
    job : Comparison
        What ran.
    document : dict
        From `comparison_document`; its list of files is filled in.
    charts : sequence of Chart or NotDrawn, optional
        Of this job, if they are there already.
    page : bool
        See `file_names`.
    progress : callable, optional
        Called with the name of each file before it is made.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    charts = comparison_charts(job) if charts is None else charts
    names = file_names(job, charts, page=page)
    staging: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
        _make(staging, job, names, progress)
        _make_charts(staging / FOLDER, charts, progress)
        if PAGE in names:
            if progress:
                progress(PAGE)
            write_comparison_page(staging / PAGE, job, charts)
        replace_file(staging / DOCUMENT, encoded(to_text({**document, "files": list(names)})))
        return _publish(staging, folder, names)
    except OSError as error:
        raise _refused(error, folder) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _refused(error: OSError, folder: Path) -> ClipevalError:
    name = str(error.filename or folder)
    return ClipevalError(
        f"cannot write results: {error.strerror or error}",
        where=name if len(name) <= 200 else f"{name[:200]}…",
        fix="choose another folder with --out",
    )


def _make(
    staging: Path, job: Comparison, names: tuple[str, ...], progress: Callable[[str], None] | None
) -> None:
    folders = folder_names([result.spec for result in job.models])
    evaluations = {folders[result.spec]: result.evaluation for result in job.models}
    for name in names:
        place = staging / name
        if place.parent.name == FOLDER or name == PAGE:
            continue  # made from all others
        if progress:
            progress(name)
        evaluation = evaluations.get(place.parent.name)
        if place.parent == staging:
            OF_JOBS[name](place, job)
        elif evaluation is not None:
            place.parent.mkdir(exist_ok=True)
            OF_MODELS[place.name](place, evaluation)


def _make_charts(place: Path, charts: Charts, progress: Callable[[str], None] | None) -> None:
    for chart in charts:
        if isinstance(chart, Chart):
            if progress:
                progress(f"{FOLDER}/{chart.name}")
            place.mkdir(exist_ok=True)
            write_chart(place, chart)


def _publish(staging: Path, folder: Path, names: tuple[str, ...]) -> list[Path]:
    earlier = listed_files(
        folder / DOCUMENT,
        known=frozenset({*OF_MODELS, *OF_JOBS, *OF_PAGES, *OF_CHARTS, *OF_EARLIER_VERSIONS}),
    )
    (folder / DOCUMENT).unlink(missing_ok=True)
    for name in (*names, DOCUMENT):
        if name == DOCUMENT:
            remove_files(folder, set(earlier) - set(names))
        (folder / name).parent.mkdir(exist_ok=True)
        (staging / name).replace(folder / name)
    return [folder / name for name in (*names, DOCUMENT)]
