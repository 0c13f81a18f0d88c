"""All files of one comparison."""

from __future__ import annotations

import os
from pathlib import Path

from clipeval.compare.document import Json, to_text
from clipeval.compare.job import Comparison
from clipeval.errors import ClipevalError
from clipeval.report.charts import draw_densities, draw_hit_rates
from clipeval.report.files import encoded, replace_file, write_embeddings, write_queries, write_similarities
from clipeval.report.heatmap import draw_heatmap
from clipeval.report.names import folder_names

MOST_CELLS = 10_000_000
"""Above this many image-caption pairs the full matrix is neither written nor drawn."""


def check_folder(folder: Path) -> None:
    """Say before a long job, rather than after it, that its results could not be written.

    Parameters
    ----------
    folder : Path
        Nothing is made in it.

    Raises
    ------
    ClipevalError
        It is a file or lies under one, or may not be written to.

    Examples
    --------
    >>> check_folder(Path("results"))
    """
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        what = (
            f"'{folder}' is a file" if nearest == folder.absolute() else f"a file is in the way of '{folder}'"
        )
    elif not os.access(nearest, os.W_OK | os.X_OK):
        what = "the folder may not be written to"
    else:
        return
    raise ClipevalError(
        f"cannot write results: {what}", where=nearest.name, fix="choose another folder with --out"
    )


def write_comparison(folder: Path, job: Comparison, document: Json) -> list[Path]:
    """Write every file of a comparison; the JSON comes last, so its presence means that all is there.

    Parameters
    ----------
    folder : Path
        Made if absent. Files of the same names are replaced.
    job : Comparison
        What ran.
    document : dict
        From `comparison_document`.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    try:
        return _write(folder, job, document)
    except OSError as error:
        raise ClipevalError(
            f"cannot write results: {error.strerror or error}",
            where=str(error.filename or folder),
            fix="choose another folder with --out",
        ) from error


def _write(folder: Path, job: Comparison, document: Json) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "comparison.json"
    last.unlink(missing_ok=True)
    written: list[Path] = []
    names = folder_names([result.spec for result in job.models])
    for result in job.models:
        if result.evaluation is None:
            continue
        home = folder / names[result.spec]
        home.mkdir(exist_ok=True)
        files = {
            "embeddings.safetensors": write_embeddings,
            "queries.csv": write_queries,
        }
        if job.dataset.n_images * job.dataset.n_captions <= MOST_CELLS:
            files |= {"similarities.csv": write_similarities, "heatmap.png": draw_heatmap}
        for name, write in files.items():
            write(home / name, result.evaluation)
            written.append(home / name)
    if any(result.evaluation is not None for result in job.models):
        draw_hit_rates(folder / "comparison.png", job)
        written.append(folder / "comparison.png")
        if job.dataset.n_images * job.dataset.n_captions <= MOST_CELLS:
            draw_densities(folder / "scores.png", job)
            written.append(folder / "scores.png")
    replace_file(last, encoded(to_text(document)))
    return [*written, last]
