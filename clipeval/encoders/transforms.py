"""How torchvision's transforms resize and crop, read off the objects."""

from __future__ import annotations

from typing import Any

from PIL import Image

from clipeval.encoders.pixel_recipe import Geometry

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""What the values of torchvision's ``InterpolationMode`` mean to Pillow."""


def geometry_of(transform: Any) -> Geometry | None:
    """Read off how a transform resizes and crops a picture of Pillow's.

    What follows (conversion to a tensor, normalisation) is not looked at: `recipe_of` sees what it does.

    Parameters
    ----------
    transform : object
        A ``Compose`` that begins with ``Resize`` and perhaps ``CenterCrop``, as open_clip makes it, or the
        preset ``ImageClassification`` of torchvision's weights.

    Returns
    -------
    Geometry or None
        None for any other.
    """
    if type(transform).__name__ == "ImageClassification":
        return _geometry(transform.resize_size, transform.interpolation, transform.crop_size)
    steps = {type(step).__name__: step for step in getattr(transform, "transforms", ())}
    resize, crop = steps.get("Resize"), steps.get("CenterCrop")
    if resize is None or getattr(resize, "max_size", None) is not None:
        return None
    return _geometry(resize.size, resize.interpolation, crop.size if crop is not None else None)


def _geometry(size: Any, interpolation: Any, crop: Any) -> Geometry | None:
    resample = FILTERS.get(str(getattr(interpolation, "value", None)))
    if resample is None:
        return None
    sides = [size] if isinstance(size, int) else list(size)  # height and width, or the shorter edge
    kept = [crop] * 2 if isinstance(crop, int) else list(crop or ())
    return Geometry(
        sides[0] if len(sides) == 1 else (sides[1], sides[0]),
        int(resample),
        (kept[-1], kept[0]) if kept else None,
        "even",
    )
