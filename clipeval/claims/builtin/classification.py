"""Zero-shot classification: published accuracies, and what an ensemble of prompts is good for."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from clipeval.claims.builtin.literature import TOLERANCE
from clipeval.claims.builtin.roles_needed import JOINT, categories
from clipeval.claims.checks import accuracy_as_published, ensemble_beats_single
from clipeval.claims.claim import Claim, Source, Tolerance
from clipeval.data.dataset import Dataset


@cache
def published_classification() -> dict[str, Any]:
    """Read the typed prompts, test sets and figures.

    Returns
    -------
    dict
        ``prompts`` (``single``, ``seven``), ``test_sets`` by name (``column`` of the CSV, ``pictures``,
        ``classes``, ``templates``), and ``figures`` (``row`` of the CSV, ``specs``, accuracy by test set).

    Examples
    --------
    >>> published_classification()["figures"][1]["cifar10"]
    0.8983
    """
    published = _typed("classification.toml")
    for facts in published["test_sets"].values():
        if "file" in facts:
            facts.update(_typed(facts["file"]))
    return published


def _typed(name: str) -> dict[str, Any]:
    return tomllib.loads((files("clipeval.claims.builtin") / name).read_text(encoding="utf-8"))


def published_pictures(name: str) -> Callable[[Dataset], str]:
    """Ask for a published test set, known by name, size and class names, all that a dataset says of itself.

    Of ImageNet's 1,000 classes two pairs have one name each. As categories they are one class, and the
    pictures of the second, which the publication can only count as wrong, may be right: at most .002 more.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> reason = published_pictures("stl10")(Dataset("one", (Item("a", ("a cat",)),)))
    >>> reason.partition(";")[0]
    'the figure is for the 8000 pictures of the STL-10 test set with its 10 class names as categories'
    """
    facts = published_classification()["test_sets"][name]

    def reason(dataset: Dataset) -> str:
        named = name in dataset.name.lower()
        whole = dataset.n_images == facts["pictures"] and all(item.category for item in dataset.items)
        if named and whole and set(dataset.categories) == set(facts["classes"]):
            return ""
        return (
            f"the figure is for the {facts['pictures']} pictures of the {facts['column']} test set with its "
            f"{len(set(facts['classes']))} class names as categories; if these are they, name the dataset "
            f"'{name}'"
        )

    return reason


def _figures() -> Iterator[Claim]:
    published = published_classification()
    for figure in published["figures"]:
        slug = figure["row"].replace(",", "-").lower()
        for name, facts in published["test_sets"].items():
            yield Claim(
                id=f"literature/{name}/{slug}/accuracy",
                statement=f"On {facts['column']}, {figure['row']} has zero-shot accuracy {figure[name]:.4f}.",
                source=Source(
                    "table",
                    f"openclip_classification_results.csv of mlfoundations/open_clip, row {figure['row']}",
                ),
                roles=(JOINT,),
                tolerance=Tolerance.OTHER_STACK,
                check=accuracy_as_published(facts["templates"], published=figure[name], tolerance=TOLERANCE),
                models=(frozenset(figure["specs"]),),
                requires=published_pictures(name),
            )


_PROMPTS = published_classification()["prompts"]

ENSEMBLE = Claim(
    id="classification/ensemble-beats-single-prompt",
    statement="Seven prompts for each category classify a joint encoder's pictures better than "
    f"'{_PROMPTS['single']}' alone.",
    source=Source("paper", "Radford et al. 2021, arXiv 2103.00020, section 3.1.4: ensembles of prompts"),
    roles=(JOINT,),
    tolerance=Tolerance.ORDERING,
    check=ensemble_beats_single(_PROMPTS["seven"], single=_PROMPTS["single"]),
    requires=categories,
)

CLAIMS = (*_figures(), ENSEMBLE)
