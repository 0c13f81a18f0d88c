"""A comparison read back from its files: the same evaluations, so that all that follows is the same too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clipeval.core.ranking import rank_retrieval
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Rows
from clipeval.encoders.learned import TrainingRates
from clipeval.errors import ClipevalError, DatasetError
from clipeval.evaluation import Evaluation
from clipeval.evaluation.unseen import Learned
from clipeval.probes.report import ProbeFinding
from clipeval.report.html.explorer import shown_images
from clipeval.report.html.saved_items import ITEMS, read_items
from clipeval.report.html.thumbnails import thumbnails
from clipeval.report.names import folder_names

DOCUMENT = "comparison.json"
ROWS = "embeddings.safetensors"


@dataclass(frozen=True)
class SavedDataset(Dataset):
    """A dataset whose pictures are elsewhere, but whose hashes are known.

    Attributes
    ----------
    hashes : tuple of str
        `clipeval.data.content.picture_hash` of every item, as they were when the run was made.
    """

    hashes: tuple[str, ...] = ()

    @cached_property
    def picture_hashes(self) -> tuple[str, ...]:
        """The hashes that were saved."""
        return self.hashes


@dataclass(frozen=True, eq=False)
class SavedRun:
    """What a folder of results holds.

    Attributes
    ----------
    name : str
        Of its folder.
    dataset : Dataset
        Without pictures that could be read.
    pictures : sequence of str or None
        Small ones, as ``data:`` addresses.
    seed : int
        Of bootstrap and sign flips.
    evaluations : mapping of str to Evaluation
        By the spec that was asked for.
    not_run : mapping of str to str
        Reasons, by spec.
    broken : frozenset of str
        Which of those could have run and broke.
    """

    name: str
    dataset: Dataset
    pictures: Sequence[str | None]
    seed: int
    evaluations: Mapping[str, Evaluation]
    not_run: Mapping[str, str]
    broken: frozenset[str] = frozenset()


def read_run(folder: Path, *, dataset: Dataset | None = None) -> SavedRun:
    """Read a comparison from its folder.

    Parameters
    ----------
    folder : Path
        With ``comparison.json``, the folders of its models, and ``items.json``.
    dataset : Dataset, optional
        The pictures and captions themselves, where there is no ``items.json``.

    Returns
    -------
    SavedRun

    Raises
    ------
    ClipevalError
        A file is absent or broken, was written by another version, or the files are of different runs.
    """
    document = _document(folder / DOCUMENT)
    try:
        return _read(folder, document, dataset)
    except ClipevalError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ClipevalError(
            f"the document of the comparison is not whole: {type(error).__name__} {error}",
            where=f"{folder.resolve().name}/{DOCUMENT}",
            fix="run 'clipeval compare' again with this version of clipeval",
        ) from error


def _read(folder: Path, document: Mapping[str, Any], dataset: Dataset | None) -> SavedRun:
    data: Dataset
    pictures: Sequence[str | None] = ()
    if dataset is None:
        data, pictures = read_saved_items(folder)
    else:
        data = dataset
    if dataset_hash(data) != document["dataset"]["sha256"]:
        raise DatasetError(
            "these are not the items of the comparison: their hashes differ",
            where=f"{folder.name}/{ITEMS}" if dataset is None else data.name,
            fix="give the results of one run, or its own dataset with --data",
        )
    folders = folder_names([model["spec"] for model in document["models"]])
    evaluations, not_run, broken = {}, {}, set()
    for model in document["models"]:
        if model["status"] == "ok":
            place = folder / folders[model["spec"]] / ROWS
            evaluations[model["spec"]] = _evaluation(place, model, data)
        else:
            not_run[model["spec"]] = str(model["reason"])
            if model.get("failed"):  # not in documents of earlier versions
                broken.add(model["spec"])
    if dataset is not None:
        pictures = thumbnails(dataset.items, shown_images(dataset, list(evaluations.values())))
    return SavedRun(
        folder.resolve().name,
        data,
        pictures,
        int(document["seed"]),
        evaluations,
        not_run,
        frozenset(broken),
    )


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known = {"dataset", "seed", "models", "comparisons"} <= set(document)
    except (OSError, ValueError, RecursionError, TypeError) as error:
        raise ClipevalError(
            f"the results cannot be read: {error}",
            where=f"{path.parent.name}/{path.name}",
            fix="give a folder that 'clipeval compare' wrote",
        ) from error
    if not known:
        raise ClipevalError(
            "this is not a comparison",
            where=f"{path.parent.name}/{path.name}",
            fix="run 'clipeval compare' again",
        )
    found: Mapping[str, Any] = document
    return found


def read_saved_items(folder: Path) -> tuple[SavedDataset, Sequence[str | None]]:
    """Read a dataset and its small pictures from the ``items.json`` of a folder."""
    saved = read_items(folder / ITEMS)
    items = tuple(Item(one["id"], tuple(one["captions"]), category=one["category"]) for one in saved["items"])
    hashes = tuple(one["sha256"] for one in saved["items"])
    return SavedDataset(saved["name"], items, hashes=hashes), [one["picture"] for one in saved["items"]]


def read_rows(place: Path, data: Dataset) -> tuple[Rows, Rows]:
    """Read the embeddings of the pictures and captions of a dataset.

    Raises
    ------
    ClipevalError
        The file is absent, broken, or has other numbers of rows.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    where = f"{place.parent.name}/{place.name}"
    try:
        rows = load_file(place)
        images, texts = rows["images"], rows["texts"]
    except (OSError, SafetensorError, KeyError) as error:
        raise ClipevalError(
            f"embeddings cannot be read: {error}", where=where, fix="run the command that wrote them again"
        ) from error
    if (len(images), len(texts)) != (data.n_images, data.n_captions):
        raise ClipevalError(
            f"{len(images)} and {len(texts)} rows do not fit "
            f"{data.n_images} pictures and {data.n_captions} captions",
            where=where,
            fix="give the results of one run",
        )
    return images, texts


def _evaluation(place: Path, model: Mapping[str, Any], data: Dataset) -> Evaluation:
    images, texts = read_rows(place, data)
    return Evaluation(
        model=model["spec"],
        fingerprint={key: str(value) for key, value in model["fingerprint"].items()},
        dataset=data,
        images=images,
        texts=texts,
        ranks=rank_retrieval(images, texts, data.image_of_caption, ties=model["ties"]),
        encoded=0,
        precomputed=bool(model["precomputed"]),
        warnings=tuple(ProbeFinding(**finding) for finding in model["warnings"]),
        learned=_learned(model["learned"]),
    )


def _learned(facts: Mapping[str, Any] | None) -> Learned | None:
    if facts is None:
        return None
    return Learned(**{**facts, "training": TrainingRates.from_plain(facts["training"])})


def same_rows(one: Evaluation, other: Evaluation) -> bool:
    """Say whether two evaluations have the same embeddings, bit for bit."""
    return np.array_equal(one.images, other.images) and np.array_equal(one.texts, other.texts)
