"""What a fingerprint says about weights and preprocessing, held against what was published."""

from __future__ import annotations

import re

from clipeval.encoders.base import Fingerprint
from clipeval.probes.published import (
    FAMILIES,
    open_clip_preprocessing,
    published_preprocessing,
    published_size,
    trained_activation,
)
from clipeval.probes.report import ProbeFinding

_NUMBER = r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?"
CLOSE = 1e-3
"""Two means are the same: configurations round them to three digits at the least."""


def trained_weights(fingerprint: Fingerprint) -> ProbeFinding:
    """Report a model whose weights are random by the user's word (without it, loading refuses)."""
    name = "trained weights"
    random = [f"{key}: {value}" for key, value in fingerprint.items() if value.startswith("random init")]
    if random:
        what = f"the weights are random ({random[0]}): shape and speed mean something, scores do not"
        return ProbeFinding(name, "warning", what, "give trained weights")
    said = [value for key, value in fingerprint.items() if key.rpartition(" ")[2] == "weights"]
    if not any(value not in ("", "none") for value in said) or "unfingerprinted" in fingerprint.values():
        return ProbeFinding(name, "not_applicable", "the encoder says nothing about its weights")
    return ProbeFinding(name, "ok", "the fingerprint names weights that are not random")


def activation(fingerprint: Fingerprint, running: frozenset[str]) -> ProbeFinding:
    """Hold the activation that runs against the one that the weights were trained with.

    Parameters
    ----------
    fingerprint : mapping
        Of the encoder: ``model``, ``weights`` and, if it says so, ``activation``.
    running : frozenset of str
        Activations seen in the network.

    Returns
    -------
    ProbeFinding
        ``error`` for GELU on QuickGELU weights or the reverse: ImageNet 62.9 became 60.2 (open_clip #970).
    """
    name = "activation"
    known = trained_activation(fingerprint.get("model", ""), fingerprint.get("weights", ""))
    runs = running or frozenset(fingerprint.get("activation", "").split())
    runs = frozenset(word for word in runs if word in {"gelu", "quickgelu", "gelu-tanh"})
    if not runs:
        return ProbeFinding(name, "not_applicable", "the activation of this encoder cannot be seen")
    said = " and ".join(sorted(runs))
    if known is None:
        return ProbeFinding(name, "not_applicable", f"it runs {said}; nothing is published about its weights")
    trained, whose, by_hash = known
    if trained in runs:
        return ProbeFinding(name, "ok", f"it runs {said}, as the weights ({whose}) were trained")
    how = "by their hash" if by_hash else "by their name"
    what = f"it runs {said}, but the weights ({whose}, {how}) were trained with {trained}"
    quick = "use the -quickgelu architecture, or hidden_act='quick_gelu'"
    fix = quick if trained == "quickgelu" else "use the architecture with gelu"
    return ProbeFinding(name, "error", what, fix)


def preprocessing(fingerprint: Fingerprint, model: str) -> ProbeFinding:
    """Hold mean, sd and size against what the model's family published.

    Parameters
    ----------
    fingerprint : mapping
        Of the encoder; see `normalisation`.
    model : str
        The model spec, for encoders whose fingerprint names no model.

    Returns
    -------
    ProbeFinding
        ``error`` where the numbers are another family's (SigLIP 2 with OpenAI's: open_clip #1068) or absent,
        ``warning`` where they are nobody's or the size differs.
    """
    name = "preprocessing"
    called = f"{fingerprint.get('model', model)}"
    words = f"{called} {fingerprint.get('architecture', '')}".strip()
    # the architecture's name must not spoil patterns that end where the model's name ends
    known = published_preprocessing(called) or published_preprocessing(words)
    if fingerprint.get("family", model.partition(":")[0]) == "open_clip":
        known = open_clip_preprocessing(called) or known
    found = normalisation(fingerprint)
    if known is None or found is None:
        reason = "nothing is published about its family" if known is None else "it does not say mean and sd"
        return ProbeFinding(name, "not_applicable", reason)
    mean, sd = found
    said = f"mean {_words(mean)}, sd {_words(sd)}"
    if not (_close(mean, known.mean) and _close(sd, known.sd)):
        what = f"{said}; {known.family} was trained with mean {_words(known.mean)}, sd {_words(known.sd)}"
        # nobody mistypes another family's numbers: they were taken from there
        severe = any(_close(mean, other) for other in FAMILIES) or not any(mean)
        fix = "take the preprocessing that was published with the weights"
        return ProbeFinding(name, "error" if severe else "warning", what, fix)
    size, expected = input_size(fingerprint), published_size(called)
    if size and expected and size != expected:
        what = f"the input has {size} pixels, the model's name says {expected}"
        return ProbeFinding(name, "warning", what, "take the size that the weights were trained with")
    if any("antialias=False" in value or "without antialias" in value for value in fingerprint.values()):
        what = "pictures are resized without antialiasing"
        return ProbeFinding(name, "warning", what, "say antialias=True, or resize with Pillow")
    pixels = f", {size} pixels" if size else ""
    return ProbeFinding(name, "ok", f"{said}{pixels}, as {known.family} was trained")


def normalisation(fingerprint: Fingerprint) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Read mean and standard deviation by channel out of a fingerprint.

    Parameters
    ----------
    fingerprint : mapping
        With ``mean`` and ``standard deviation`` (or ``std``, ``sd``), or a torchvision transform in words.

    Returns
    -------
    tuple of two tuples of float, or None
        None where it does not say.

    Examples
    --------
    >>> normalisation({"mean": "0.5 0.5 0.5", "sd": "0.5 0.5 0.5"})
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    >>> normalisation({"picture transform": "Normalize(mean=[0.1, 0.2, 0.3], std=(1, 1, 1))"})
    ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    """
    mean = fingerprint.get("mean")
    sd = next((fingerprint[key] for key in ("standard deviation", "std", "sd") if key in fingerprint), None)
    if mean is None or sd is None:
        text = " ".join(fingerprint.values())
        inside = re.search(r"mean=[\[(]([^\])]*)[\])],\s*std=[\[(]([^\])]*)[\])]", text)
        if inside is None:
            return None
        mean, sd = inside[1], inside[2]
    if mean == "no" or sd == "no":
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    values = tuple(tuple(float(n) for n in re.findall(_NUMBER, part)) for part in (mean, sd))
    return (values[0], values[1]) if len(values[0]) == len(values[1]) == 3 else None


def input_size(fingerprint: Fingerprint) -> int | None:
    """Read the side of the square input out of a fingerprint, where it says so.

    Examples
    --------
    >>> input_size({"crop": "centre height 224 width 224", "resize": "shortest_edge 224, bicubic"})
    224
    >>> input_size({"crop": "no", "resize": "height 384 width 384, bicubic, antialiased"})
    384
    >>> input_size({"preprocessing": "interpolation bicubic mean (0.5, 0.5, 0.5) size (256, 256)"})
    256
    """
    for key, pattern in (
        ("crop", r"height (\d+)"),
        ("resize", r"(?:height|shortest_edge) (\d+)"),
        ("preprocessing", r"size \(?(\d+)"),
        ("size", r"(\d+)"),
    ):
        found = re.search(pattern, fingerprint.get(key, ""))
        if found:
            return int(found[1])
    return None


def _close(some: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return len(some) == len(others) and all(abs(a - b) <= CLOSE for a, b in zip(some, others, strict=True))


def _words(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
