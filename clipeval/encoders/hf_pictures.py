"""What a transformers picture processor does to a picture, in words."""

from __future__ import annotations

from typing import Any

RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def picture_words(processor: Any, *, backend: str) -> dict[str, str]:
    """Describe size, interpolation, antialiasing, crop, scale, mean and standard deviation.

    Parameters
    ----------
    processor : object
        A transformers image processor.
    backend : str
        ``pil`` or ``torchvision``.

    Returns
    -------
    dict of str to str
        For a fingerprint.
    """
    said = processor.to_dict()
    on = {step: bool(said.get(f"do_{step}")) for step in ("resize", "center_crop", "rescale", "normalize")}
    resample = said.get("resample")
    size = said.get("size") or {k: said[k] for k in ("patch_size", "max_num_patches") if k in said}
    antialias = "antialiased"  # Pillow always, torchvision's backend by its default
    return {
        "picture processor": f"{type(processor).__name__}, {backend}",
        "resize": f"{_pairs(size)}, {RESAMPLING.get(resample, str(resample))}, {antialias}"
        if on["resize"]
        else "no",
        "crop": f"centre {_pairs(said.get('crop_size'))}" if on["center_crop"] else "no",
        "scale": f"{said.get('rescale_factor'):.9g}" if on["rescale"] else "no",
        "mean": _numbers(said.get("image_mean")) if on["normalize"] else "no",
        "standard deviation": _numbers(said.get("image_std")) if on["normalize"] else "no",
    }


def _pairs(values: Any) -> str:
    items = dict(values).items() if values else ()
    return " ".join(f"{key} {value}" for key, value in sorted(items) if value is not None)


def _numbers(values: Any) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)
