"""Pictures decoded, resized and cropped once; each epoch reads them from a file that the system caches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.data.dataset import Dataset
from clipeval.data.pictures import read_picture
from clipeval.encoders.pixel_plan import PixelPlan
from clipeval.errors import NotAvailableError
from clipeval.evaluation.overlap import usable_cores

Levels = NDArray[np.uint8]


class PixelStore:
    """Grey levels of all pictures of a dataset, in a temporary file.

    Parameters
    ----------
    dataset : Dataset
        With pictures.
    plan : PixelPlan
        Resize and crop.
    progress : callable, optional
        Called with ``pictures``, how many are done, and of how many.

    Raises
    ------
    NotAvailableError
        The dataset lacks pictures.
    PictureError
        One cannot be decoded.
    """

    def __init__(
        self, dataset: Dataset, plan: PixelPlan, *, progress: Callable[[str, int, int], None] | None = None
    ) -> None:
        absent = next((item.id for item in dataset.items if item.picture is None), None)
        if absent is not None:
            raise NotAvailableError(
                "an image network is trained on pictures, and the dataset lacks some of them",
                where=f"{dataset.name}, item '{absent}'",
                fix="add the pictures, or use --image-tower frozen:PATH",
            )
        self._folder = tempfile.TemporaryDirectory(prefix="clipeval-pixels-")
        shape = (dataset.n_images, plan.crop, plan.crop, 3)
        file = Path(self._folder.name, "levels.npy")
        self._levels: Levels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        self._mean, self._sd = (np.array(values, dtype=np.float32) for values in (plan.mean, plan.sd))
        steps = plan.geometry()

        def prepare(number: int) -> None:
            source = dataset.items[number].picture
            assert source is not None  # noqa: S101  (looked at above)
            picture: Any = read_picture(source, sha256=dataset.picture_hashes[number])
            for step in steps:
                picture = step(picture)
            self._levels[number] = np.asarray(picture)

        with ThreadPoolExecutor(usable_cores()) as pool:
            for done, _ in enumerate(pool.map(prepare, range(dataset.n_images)), 1):
                if progress:
                    progress("pictures", done, dataset.n_images)

    def pixels(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Give what the network takes, float32 of shape ``(n, 3, h, w)``."""
        levels = self._levels[numbers].astype(np.float32) / np.float32(255)
        return np.ascontiguousarray(((levels - self._mean) / self._sd).transpose(0, 3, 1, 2))

    def close(self) -> None:
        """Remove the file."""
        del self._levels
        self._folder.cleanup()
