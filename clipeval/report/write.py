"""All files of one comparison."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from clipeval.compare.document import Json, to_text
from clipeval.compare.job import Comparison
from clipeval.errors import ClipevalError
from clipeval.evaluation import Evaluation
from clipeval.report.chart import Chart, NotDrawn, write_chart
from clipeval.report.figures.comparison import comparison
from clipeval.report.figures.heatmap import heatmap
from clipeval.report.figures.of_comparison import CHARTS, comparison_charts
from clipeval.report.files import (
    encoded,
    replace_file,
    write_embeddings,
    write_queries,
    write_similarities,
    writing,
)
from clipeval.report.html.saved_items import ITEMS
from clipeval.report.html.write_page import PAGE, write_comparison_items, write_comparison_page
from clipeval.report.matrix_limit import too_large_for_the_matrix
from clipeval.report.names import folder_names
from clipeval.report.stale import listed_files, remove_files

DOCUMENT = "comparison.json"
FIX = "choose another folder with --out"
OF_MODELS: dict[tuple[str, ...], Callable[[Path, Evaluation], object]] = {
    ("embeddings.safetensors",): lambda folder, one: write_embeddings(folder / "embeddings.safetensors", one),
    ("queries.csv",): lambda folder, one: write_queries(folder / "queries.csv", one),
    ("similarities.csv",): lambda folder, one: write_similarities(folder / "similarities.csv", one),
    ("heatmap.png", "heatmap.svg"): lambda folder, one: write_chart(folder, heatmap(one)),
}
OF_JOBS: dict[tuple[str, ...], Callable[[Path, Comparison], object]] = {
    ("comparison.png", "comparison.svg", "comparison.csv"): lambda folder, job: write_chart(
        folder, comparison(job)
    ),
    (ITEMS,): lambda folder, job: write_comparison_items(folder / ITEMS, job),
}
"""What is written of each model, and of all together: file names, and what makes them in a folder."""
OF_PAGES = frozenset({ITEMS, PAGE})
DRAWN = frozenset({"heatmap.png", "heatmap.svg", "comparison.png", "comparison.svg", "comparison.csv"})
NEED_THE_MATRIX = frozenset({"similarities.csv"})
FOLDER = "charts"
Charts: TypeAlias = Sequence[Chart | NotDrawn]
OF_CHARTS = tuple(f"{name}.{kind}" for name in CHARTS for kind in ("png", "svg", "csv"))
KNOWN = frozenset(chain(*OF_MODELS, *OF_JOBS, OF_PAGES, OF_CHARTS))
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
    with writing("results", folder, fix=FIX):
        nearest = next(place for place in (whole, *whole.parents) if place.exists())
        for part in whole.relative_to(nearest).parts:
            _look_up(nearest / part)
    if not nearest.is_dir():
        what = f"'{folder}' is a file" if nearest == whole else f"a file is in the way of '{folder}'"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        what = "the folder may not be written to"
    else:
        return
    raise ClipevalError(f"cannot write results: {what}", where=nearest.name, fix=FIX)


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
        Of this job, if they are there already; none at all: nothing is drawn, heat maps included.
    page : bool
        Whether ``report.html`` is asked for, and ``items.json``, from which it is made.

    Returns
    -------
    tuple of str
        Relative to the folder, with forward slashes, in the order of writing.
    """
    ran = [result.spec for result in job.models if result.evaluation is not None]
    folders = folder_names([result.spec for result in job.models])
    names = [f"{folders[spec]}/{name}" for spec in ran for name in chain(*OF_MODELS)]
    names += chain(*OF_JOBS) if ran else ()
    left_out = NEED_THE_MATRIX if too_large_for_the_matrix(job) else frozenset()
    left_out |= frozenset() if page else OF_PAGES
    charts = comparison_charts(job) if charts is None else charts
    left_out |= frozenset() if charts else DRAWN
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
        Of this job, if they are there already; none at all: nothing is drawn, heat maps included.
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
    with writing("results", folder, fix=FIX), _staging(folder) as staging:
        _make(staging, job, names, progress)
        _make_charts(staging / FOLDER, charts, progress)
        if PAGE in names:
            if progress:
                progress(PAGE)
            write_comparison_page(staging / PAGE, job, charts)
        replace_file(staging / DOCUMENT, encoded(to_text({**document, "files": list(names)})))
        return _publish(staging, folder, names)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give a temporary folder inside a folder, which is made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _make(
    staging: Path, job: Comparison, names: tuple[str, ...], progress: Callable[[str], None] | None
) -> None:
    def wanted(folder: str, files: tuple[str, ...]) -> bool:
        first = f"{folder}{files[0]}"
        if first in names and progress:
            progress(first)
        return first in names

    folders = folder_names([result.spec for result in job.models])
    for result in job.models:
        for files, of_model in OF_MODELS.items():
            if result.evaluation is not None and wanted(f"{folders[result.spec]}/", files):
                place = staging / folders[result.spec]
                place.mkdir(exist_ok=True)
                of_model(place, result.evaluation)
    for files, of_job in OF_JOBS.items():
        if wanted("", files):
            of_job(staging, job)


def _make_charts(place: Path, charts: Charts, progress: Callable[[str], None] | None) -> None:
    for chart in charts:
        if isinstance(chart, Chart):
            if progress:
                progress(f"{FOLDER}/{chart.name}")
            place.mkdir(exist_ok=True)
            write_chart(place, chart)


def _publish(staging: Path, folder: Path, names: tuple[str, ...]) -> list[Path]:
    earlier = listed_files(folder / DOCUMENT, known=KNOWN.union(OF_EARLIER_VERSIONS))
    (folder / DOCUMENT).unlink(missing_ok=True)
    for name in (*names, DOCUMENT):
        if name == DOCUMENT:
            remove_files(folder, set(earlier) - set(names))
        (folder / name).parent.mkdir(exist_ok=True)
        (staging / name).replace(folder / name)
    return [folder / name for name in (*names, DOCUMENT)]
