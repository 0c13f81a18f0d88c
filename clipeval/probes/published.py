"""How published weights were trained: activation by the weights' hash or name, mean, sd and size by name.

Source: the table of pretrained tags in open_clip 3.3 (``open_clip/pretrained.py``), whose addresses carry
the SHA-256 of a file or its first eight digits; SigLIP and SigLIP 2: big_vision's README and the
``preprocessor_config.json`` of ``google/siglip-*``. Re-typed here so that a probe needs neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_SD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
FAMILIES = (OPENAI_MEAN, HALF, IMAGENET_MEAN)
"""The mean of each family of models, ImageNet's classifiers among them."""

WEIGHTS: dict[str, tuple[str, str]] = {
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762": ("OpenAI's RN50", "quickgelu"),
    "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599": ("OpenAI's RN101", "quickgelu"),
    "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd": ("OpenAI's RN50x4", "quickgelu"),
    "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa": ("OpenAI's RN50x16", "quickgelu"),
    "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c": ("OpenAI's RN50x64", "quickgelu"),
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": ("OpenAI's ViT-B-32", "quickgelu"),
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": ("OpenAI's ViT-B-16", "quickgelu"),
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": ("OpenAI's ViT-L-14", "quickgelu"),
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": (
        "OpenAI's ViT-L-14-336",
        "quickgelu",
    ),
    "455df137": ("RN50 yfcc15m", "quickgelu"),
    "f000538c": ("RN50 cc12m", "quickgelu"),
    "3e04b30e": ("RN101 yfcc15m", "quickgelu"),
    "d867053b": ("ViT-B-32 laion400m_e31", "quickgelu"),
    "46683a32": ("ViT-B-32 laion400m_e32", "quickgelu"),
    "af8dbd0c": ("ViT-B-32 laion2b_e16", "gelu"),
    "00efa78f": ("ViT-B-16 laion400m_e31", "gelu"),
    "55e67d44": ("ViT-B-16 laion400m_e32", "gelu"),
    "8fb26589": ("ViT-B-16-plus-240 laion400m_e31", "gelu"),
    "699c4b84": ("ViT-B-16-plus-240 laion400m_e32", "gelu"),
    "69988bb6": ("ViT-L-14 laion400m_e31", "gelu"),
    "3d133497": ("ViT-L-14 laion400m_e32", "gelu"),
}

NAMED: tuple[tuple[str, str], ...] = (
    (r"openai/clip-|/openai$|clip-vit-(base-patch(16|32)|large-patch14)(-336)?$", "quickgelu"),
    (r"facebook/metaclip-[bhl]|/metaclip_(400m|fullcc)$", "quickgelu"),
    (r"apple/dfn|/dfn2b$|/dfn5b$", "quickgelu"),
    (r"laion/clip-vit-|/laion2b_|/datacomp|/commonpool", "gelu"),
)
"""Patterns of model names (lower case) and the activation that their weights were trained with."""


@dataclass(frozen=True)
class Preprocessing:
    """What a family of published models did to a picture.

    Attributes
    ----------
    family : str
        For the finding.
    mean, sd : tuple of float
        By channel.
    """

    family: str
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]


PREPROCESSING: tuple[tuple[str, Preprocessing], ...] = (
    (r"siglip", Preprocessing("SigLIP", HALF, HALF)),
    (
        r"openai/clip-|/openai$|clip-vit-(base-patch(16|32)|large-patch14)(-336)?$|metaclip|apple/dfn",
        Preprocessing("OpenAI's CLIP", OPENAI_MEAN, OPENAI_SD),
    ),
)
"""Patterns of model names and architectures (lower case), the first that is found holds."""


def trained_activation(model: str, weights: str) -> tuple[str, str, bool] | None:
    """Say with which activation weights were trained.

    Parameters
    ----------
    model : str
        Name, as the fingerprint gives it.
    weights : str
        SHA-256 of the weight file.

    Returns
    -------
    tuple of str, str and bool, or None
        The activation, whose weights these are, and whether the hash says so (a name can be wrong).

    Examples
    --------
    >>> trained_activation("mine", "d867053b" + 56 * "0")
    ('quickgelu', 'ViT-B-32 laion400m_e31', True)
    >>> trained_activation("openai/clip-vit-base-patch32", "")
    ('quickgelu', 'openai/clip-vit-base-patch32', False)
    """
    if re.fullmatch("[0-9a-f]{64}", weights):
        for start, (label, activation) in WEIGHTS.items():
            if weights.startswith(start):
                return activation, label, True
    for pattern, activation in NAMED:
        if re.search(pattern, model.lower()):
            return activation, model, False
    return None


def published_preprocessing(words: str) -> Preprocessing | None:
    """Find what a model's family did to pictures, by its name and architecture.

    Examples
    --------
    >>> published_preprocessing("google/siglip2-base-patch16-224").mean
    (0.5, 0.5, 0.5)
    """
    return next((known for pattern, known in PREPROCESSING if re.search(pattern, words.lower())), None)


def open_clip_preprocessing(model: str) -> Preprocessing | None:
    """Ask open_clip's own table of published tags; None for other names, or where open_clip is absent.

    Parameters
    ----------
    model : str
        ``ARCHITECTURE/TAG``, with or without the family ``open_clip:``.

    Examples
    --------
    >>> open_clip_preprocessing("my/model") is None
    True
    """
    architecture, _, tag = model.removeprefix("open_clip:").partition("/")
    if not tag or find_spec("open_clip") is None:
        return None
    from open_clip import get_pretrained_cfg

    published = get_pretrained_cfg(architecture, tag)
    if not published or "mean" not in published or "std" not in published:
        return None
    mean, sd = (tuple(float(value) for value in published[key]) for key in ("mean", "std"))
    return Preprocessing(f"{architecture}/{tag}", (mean[0], mean[1], mean[2]), (sd[0], sd[1], sd[2]))


def published_size(words: str) -> int | None:
    """Read the input size out of a published model's name, where it stands there.

    Examples
    --------
    >>> published_size("google/siglip-base-patch16-384"), published_size("openai/clip-vit-base-patch32")
    (384, 224)
    >>> published_size("google/siglip2-base-patch16-naflex") is None
    True
    """
    said = words.lower()
    sized = re.search(r"(?:patch\d\d|siglip2?|-14|-16|-32)-(\d{3})(?!\d)", said)
    if sized:
        return int(sized[1])
    return 224 if re.search(r"openai/clip-vit-(base|large)-patch\d\d$", said) else None
