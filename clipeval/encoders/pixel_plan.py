"""How the pictures of a trained network are prepared: a few numbers that fit into a description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clipeval.encoders.imports import import_models

FILTERS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class PixelPlan:
    """Resize, centre crop, scaling.

    Parameters
    ----------
    resize : int or tuple of two int
        The shorter edge, or height and width whatever the proportions.
    crop : int
        Edge of the centre that is kept.
    mean, sd : tuple of three float
        Of grey levels from 0 to 1.
    filter : {"bilinear", "bicubic"}
    """

    resize: int | tuple[int, int]
    crop: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    sd: tuple[float, float, float] = (0.5, 0.5, 0.5)
    filter: str = "bicubic"

    def document(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> PixelPlan:
        """Read it out of a description.

        Examples
        --------
        >>> plan = PixelPlan((64, 64), 64)
        >>> PixelPlan.of(plan.document()) == plan
        True
        """
        resize = words["resize"]
        return cls(
            resize if isinstance(resize, int) else (int(resize[0]), int(resize[1])),
            int(words["crop"]),
            tuple(map(float, words["mean"])),  # type: ignore[arg-type]
            tuple(map(float, words["sd"])),  # type: ignore[arg-type]
            str(words["filter"]),
        )

    def geometry(self) -> Any:
        """Make torchvision's resize and crop: from an RGB picture to one of the size of the network."""
        transforms = import_models("torchvision.transforms", package="torchvision")
        mode = transforms.InterpolationMode(self.filter)
        size = self.resize if isinstance(self.resize, int) else list(self.resize)
        return [transforms.Resize(size, interpolation=mode), transforms.CenterCrop(self.crop)]

    def preprocess(self) -> Any:
        """Make the whole: from an RGB picture to a float tensor ``(3, crop, crop)``."""
        transforms = import_models("torchvision.transforms", package="torchvision")
        scaling = [transforms.ToTensor(), transforms.Normalize(list(self.mean), list(self.sd))]
        return transforms.Compose([*self.geometry(), *scaling])

    @property
    def words(self) -> str:
        """What it is, for a fingerprint."""
        size = self.resize if isinstance(self.resize, int) else f"{self.resize[0]}x{self.resize[1]}"
        return f"Pillow, resize {size} {self.filter}, centre crop {self.crop}, mean {self.mean}, sd {self.sd}"
