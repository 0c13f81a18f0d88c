"""Class names and prompts: the dataset's own, or those that open_clip keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clipeval.claims.checks.zero_shot import BLANK, check_templates
from clipeval.data.dataset import Dataset
from clipeval.encoders.conse import class_names as imagenet_class_names
from clipeval.encoders.imports import import_models, require_installed
from clipeval.errors import ClipevalError, near

SINGLE = "a photo of a {}."
NAMED = ("single", "openai80")


def prompt_sets(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read prompts as a user writes them.

    Parameters
    ----------
    words : sequence of str
        ``single``; ``openai80``, the 80 prompts that OpenAI's CLIP was evaluated on ImageNet with, as
        open_clip keeps them; or prompts of the user's own, ``{}`` standing for the class name, which are one
        set together.

    Returns
    -------
    dict of str to tuple of str
        Sets by name, each with at least one prompt; several are an ensemble.

    Raises
    ------
    MissingExtraError
        ``openai80`` without open_clip.
    InvalidInputError
        A prompt in which ``{}`` does not stand exactly once.
    ClipevalError
        Neither a name nor a prompt (near matches named).

    Examples
    --------
    >>> prompt_sets(["single", "a {}", "the {}"])
    {'single': ('a photo of a {}.',), 'own': ('a {}', 'the {}')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        if word == "single":
            found[word] = (SINGLE,)
        elif word == "openai80":
            found[word] = openai_templates()
        elif BLANK in word:
            found["own"] = tuple(dict.fromkeys([*found.get("own", ()), word]))
        else:
            fix = f"{near(word, NAMED)}; or write a prompt such as '{SINGLE}'"
            raise ClipevalError(f"'{word}' is no prompt", where="--templates", fix=fix)
    for templates in found.values():
        check_templates(templates)
    return found


def openai_templates() -> tuple[str, ...]:
    """Take the 80 prompts of OpenAI's CLIP from open_clip.

    Returns
    -------
    tuple of str

    Raises
    ------
    MissingExtraError
        open_clip is not installed.
    """
    require_installed("open_clip")
    kept: Sequence[Callable[[str], str]] = import_models(
        "open_clip", package="open_clip_torch"
    ).OPENAI_IMAGENET_TEMPLATES
    return tuple(template(BLANK) for template in kept)


def class_names(dataset: Dataset, classes: str) -> tuple[str, ...]:
    """Name the classes among which a picture's is looked for.

    Parameters
    ----------
    dataset : Dataset
        At least one item has a category.
    classes : str
        ``data``, the dataset's categories; or ``imagenet``, the 1,000 of ImageNet as open_clip names them,
        among which the dataset's categories must be.

    Returns
    -------
    tuple of str
        At least two. A name that stands for two of ImageNet's classes is one class here.

    Raises
    ------
    MissingExtraError
        ``imagenet`` without open_clip.
    ClipevalError
        Fewer than two classes, a category that is not among ImageNet's names, another word.

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> class_names(load_dataset("embedded"), "data")
    ('Animals', 'Colours', 'Objects', 'Food')
    """
    if classes == "data":
        if len(dataset.categories) < 2:
            raise ClipevalError(
                f"classifying needs at least two categories, the dataset has {len(dataset.categories)}",
                where=dataset.name,
                fix="give the pictures categories, or use --classes imagenet",
            )
        return dataset.categories
    if classes != "imagenet":
        raise ClipevalError(
            f"there are no classes '{classes}'", where="--classes", fix=near(classes, ["data", "imagenet"])
        )
    names = tuple(dict.fromkeys(imagenet_class_names()))
    if not dataset.categories:
        raise ClipevalError("no picture has a category", where=dataset.name, fix="give them categories")
    for category in dataset.categories:
        if category not in names:
            advice = near(category, names)
            raise ClipevalError(
                f"the category '{category}' is no class name of ImageNet",
                where=dataset.name,
                fix=advice if advice.startswith("did you mean") else "write it as open_clip does",
            )
    return names
