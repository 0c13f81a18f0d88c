"""What a transformers picture processor does to a picture, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.pixel_recipe import Geometry

RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


def backend_of(processor: Any) -> str:
    """Say with what a transformers image processor resizes: ``pil`` or ``torchvision``.

    transformers 5 asks its classes; the plain name meant Pillow up to version 4 and means torchvision since.
    """
    said = getattr(processor, "backend", None)
    if isinstance(said, str):
        return said
    name = type(processor).__name__
    return "torchvision" if name.endswith("Fast") else "pil"


def without_antialias(processor: Any) -> None:
    """Let a processor of torchvision's resize as torch does on tensors unless told: pixels are skipped."""
    kind = type(processor)

    def resize(self: Any, *given: Any, **named: Any) -> Any:
        return kind.resize(self, *given, **{**named, "antialias": False})

    # an attribute of the object would end up in its configuration
    processor.__class__ = type(kind.__name__, (kind,), {"resize": resize, "antialias": False})


def picture_words(processor: Any) -> dict[str, str]:
    """Describe size, interpolation, antialiasing, crop, scale, mean and standard deviation.

    Parameters
    ----------
    processor : object
        A transformers image processor.

    Returns
    -------
    dict of str to str
        For a fingerprint.
    """
    said = processor.to_dict()
    on = {step: bool(said.get(f"do_{step}")) for step in ("resize", "center_crop", "rescale", "normalize")}
    resample = said.get("resample")
    size = said.get("size") or {k: said[k] for k in ("patch_size", "max_num_patches") if k in said}
    # Pillow always does, torchvision's backend by its default
    antialias = "antialiased" if getattr(processor, "antialias", True) else "without antialias"
    return {
        "picture processor": type(processor).__name__,
        "image processor backend": backend_of(processor),
        "resize": f"{_pairs(size)}, {RESAMPLING.get(resample, str(resample))}, {antialias}"
        if on["resize"]
        else "no",
        "crop": f"centre {_pairs(said.get('crop_size'))}" if on["center_crop"] else "no",
        "scale": f"{said.get('rescale_factor'):.9g}" if on["rescale"] else "no",
        "mean": _numbers(said.get("image_mean")) if on["normalize"] else "no",
        "standard deviation": _numbers(said.get("image_std")) if on["normalize"] else "no",
    }


def geometry_of(processor: Any) -> Geometry | None:
    """Read off how a processor resizes and crops.

    Parameters
    ----------
    processor : object
        A transformers image processor.

    Returns
    -------
    Geometry or None
        None for one that does not resize with Pillow to one fixed size, or pads.
    """
    said = processor.to_dict()
    size, crop = said.get("size") or {}, said.get("crop_size") or {}
    resample = said.get("resample")
    if backend_of(processor) != "pil" or not said.get("do_resize") or said.get("do_pad"):
        return None
    sizes = {key: value for key, value in dict(size).items() if value is not None}
    if resample not in RESAMPLING or set(sizes) not in ({"shortest_edge"}, {"height", "width"}):
        return None
    return Geometry(
        sizes["shortest_edge"] if "shortest_edge" in sizes else (sizes["width"], sizes["height"]),
        int(resample),
        (crop["width"], crop["height"]) if said.get("do_center_crop") else None,
    )


def pixels_of(inputs: Mapping[str, Any]) -> NDArray[np.float32]:
    """Take the pixels of one picture out of what an image processor returned.

    Parameters
    ----------
    inputs : mapping of str to tensor
        ``pixel_values`` of shape ``(1, 3, h, w)``; or, of SigLIP 2 with flexible resolution, patches of shape
        ``(1, most, side * side * 3)`` and ``spatial_shapes``, how many of them stand one above another and
        side by side.

    Returns
    -------
    ndarray of float32, shape (3, h, w)
    """
    values = np.asarray(inputs["pixel_values"][0], dtype=np.float32)
    if "spatial_shapes" not in inputs:
        return values
    rows, columns = (int(count) for count in inputs["spatial_shapes"][0])
    side = round((values.shape[-1] / 3) ** 0.5)
    patches = values[: rows * columns].reshape(rows, columns, side, side, 3)
    return np.ascontiguousarray(patches.transpose(4, 0, 2, 1, 3)).reshape(3, rows * side, columns * side)


def _pairs(values: Any) -> str:
    items = dict(values).items() if values else ()
    return " ".join(f"{key} {value}" for key, value in sorted(items) if value is not None)


def _numbers(values: Any) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)
