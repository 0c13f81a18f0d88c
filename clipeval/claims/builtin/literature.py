"""Published figures, each for the models and the test set that it was measured on."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

from clipeval.claims.builtin.roles_needed import JOINT
from clipeval.claims.checks import within_tolerance
from clipeval.claims.claim import Claim, Source, Tolerance
from clipeval.data.dataset import Dataset
from clipeval.evaluation import DIRECTIONS

TOLERANCE = 0.01
"""Same weights and test set, another library: resizing and precision move R@k by up to about this much."""

CUTOFFS = (1, 5, 10)
TEST_SETS = {"flickr30k": ("Flickr30k", 1_000, ("flickr30k",)), "coco": ("COCO", 5_000, ("coco", "test"))}
"""Name, pictures, and words that the dataset's name must hold: COCO's val2017 has 5,000 pictures too."""


def published_figures() -> list[dict[str, Any]]:
    """Read the typed figures.

    Returns
    -------
    list of dict
        ``row`` (of the CSV), ``specs``, and by test set and direction the figures at 1, 5 and 10.

    Examples
    --------
    >>> published_figures()[1]["coco"]["i2t"][0]
    0.5012
    """
    text = (files("clipeval.claims.builtin") / "published.toml").read_text(encoding="utf-8")
    figures: list[dict[str, Any]] = tomllib.loads(text)["figures"]
    return figures


def published_test_set(name: str) -> Callable[[Dataset], str]:
    """Ask for a published test set, known by its name and size, the only things a dataset says of itself.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> reason = published_test_set("coco")(Dataset("one", (Item("a", ("a cat",)),)))
    >>> reason.partition(";")[0]
    'the figure is for the 5000 pictures and 25000 captions of the COCO test split'
    """
    word, n_images, needed = TEST_SETS[name]

    def reason(dataset: Dataset) -> str:
        fits = dataset.n_images == n_images and dataset.n_captions >= 5 * n_images
        if fits and all(part in dataset.name.lower() for part in needed):
            return ""
        return (
            f"the figure is for the {n_images} pictures and {5 * n_images} captions of the {word} test "
            f"split; if these are they, name the dataset '{'-'.join(needed)}'"
        )

    return reason


def _claims() -> Iterator[Claim]:
    for figure in published_figures():
        slug = figure["row"].replace(",", "-").lower()
        for name, (word, _, _) in TEST_SETS.items():
            for direction in DIRECTIONS:
                for k, value in zip(CUTOFFS, figure[name][direction], strict=True):
                    yield Claim(
                        id=f"literature/{name}/{slug}/{direction}-{k}",
                        statement=f"On {word}, {figure['row']} has hit_rate@{k} ({direction}) {value:.4f}.",
                        source=Source(
                            "table",
                            f"openclip_retrieval_results.csv of mlfoundations/open_clip, row {figure['row']}",
                        ),
                        roles=(JOINT,),
                        tolerance=Tolerance.OTHER_STACK,
                        check=within_tolerance(
                            f"hit_rate@{k}",
                            published=value,
                            tolerance=TOLERANCE,
                            direction=direction,
                            same_items=True,
                        ),
                        models=(frozenset(figure["specs"]),),
                        requires=published_test_set(name),
                    )


CLAIMS = tuple(_claims())
