"""An image tower in two steps, so that pictures are prepared in other threads while its network works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, new

from clipeval.encoders.base import ImageTower, Rows
from clipeval.encoders.batching import batches, stack
from clipeval.encoders.imports import import_models
from clipeval.encoders.pixel_recipe import PixelRecipe
from clipeval.errors import EncoderError


class ImageStage(Protocol):
    """The two steps of an image tower.

    A batch of n pictures has a *room*. Each picture is put into its place by itself, in any thread and in any
    order; the rows are computed from the whole room. The rows are those of ``encode_images`` on the same
    pictures, to the bit.
    """

    @property
    def cores(self) -> int | None:
        """Processor cores that ``rows`` keeps busy; None where nobody can tell: count on all of them."""
        ...

    def room(self, n: int) -> Any:
        """Make a room for up to n pictures; it may be used again once its rows are there."""
        ...

    def put(self, room: Any, at: int, picture: Image) -> None:
        """Prepare a decoded RGB picture and put it into its place."""
        ...

    def rows(self, room: Any, n: int) -> Rows:
        """Compute the rows of the first n pictures, shape ``(n, d)``; the room is free when it returns."""
        ...


@runtime_checkable
class Staged(Protocol):
    """An image tower that can be run in two steps."""

    def image_stage(self) -> ImageStage:
        """Give the two steps; loads the network where it must."""
        ...


def stage_of(tower: ImageTower) -> ImageStage:
    """Give the two steps of any image tower.

    Parameters
    ----------
    tower : ImageTower
        One that has no steps of its own, or whose ``encode_images`` was replaced since they were written (by
        a subclass, or on the object), gets whole pictures; they are decoded beside it, no more.

    Returns
    -------
    ImageStage

    Examples
    --------
    >>> class Mine:
    ...     fingerprint = {}
    ...     def encode_images(self, pictures):
    ...         return np.ones((len(pictures), 2), dtype=np.float32)
    >>> stage = stage_of(Mine())
    >>> room = stage.room(2)
    >>> stage.put(room, 1, "a picture"), stage.put(room, 0, "another")
    (None, None)
    >>> stage.rows(room, 2).shape
    (2, 2)
    """
    if isinstance(tower, Staged) and "encode_images" not in getattr(tower, "__dict__", {}):
        kind = type(tower)
        written = {
            name: next(one for one in kind.__mro__ if name in vars(one))
            for name in ("encode_images", "image_stage")
        }
        if written["encode_images"] is written["image_stage"]:
            return tower.image_stage()
    return WholePictures(tower)


@dataclass(frozen=True, eq=False)
class WholePictures:
    """The steps of a tower that takes decoded pictures and does the rest itself.

    Parameters
    ----------
    tower : ImageTower
    """

    tower: ImageTower
    cores: int | None = None

    def room(self, n: int) -> list[Image | None]:
        """Make room for n pictures."""
        return [None] * n

    def put(self, room: list[Image | None], at: int, picture: Image) -> None:
        """Keep a picture."""
        room[at] = picture

    def rows(self, room: list[Image | None], n: int) -> Rows:
        """Let the tower encode them."""
        pictures = [picture for picture in room[:n] if picture is not None]
        room[:] = [None] * len(room)
        return self.tower.encode_images(pictures)


@dataclass(frozen=True, eq=False)
class PixelStage:
    """The steps of a network that takes one float tensor of shape ``(n, 3, h, w)``.

    Parameters
    ----------
    shape : tuple of three int
        ``(3, h, w)``.
    recipe : PixelRecipe or None
        How pixels are made; the library is asked where it does not cover a picture, or where there is none.
    library : callable
        From an RGB picture to float32 of that shape.
    network : callable
        From a tensor on the network's device, in its dtype, to rows; called with at most ``batch_size``.
    batch_size : int
    device : torch.device
    dtype : torch.dtype
    width : int
        d, for no pictures at all; 0 where it is not known.
    """

    shape: tuple[int, int, int]
    recipe: PixelRecipe | None
    library: Callable[[Image], NDArray[np.float32]]
    network: Callable[[Any], Rows]
    batch_size: int
    device: Any
    dtype: Any
    width: int = 0

    @property
    def cores(self) -> int | None:
        """All threads of torch on a CPU; one that launches kernels on anything else."""
        return int(import_models("torch").get_num_threads()) if self.device.type == "cpu" else 1

    def room(self, n: int) -> Any:
        """Make an empty float32 tensor; in memory that a CUDA device reads by itself."""
        torch = import_models("torch")
        shape = (n, *self.shape)
        if self.device.type == "cuda":
            try:
                return torch.empty(shape, dtype=torch.float32, pin_memory=True)
            except RuntimeError:  # the system allows no more locked memory: slower, not wrong
                pass
        return torch.empty(shape, dtype=torch.float32)

    def put(self, room: Any, at: int, picture: Image) -> None:
        """Write a picture's pixels into its place."""
        place = room[at].numpy()
        if self.recipe is not None and self.recipe.fill(picture, place):
            return
        made = self.library(picture)
        if made.shape != place.shape:
            raise EncoderError(
                f"the picture processor made pixels of shape {made.shape}, before of {place.shape}",
                fix="a processor that keeps no fixed size cannot make batches",
            )
        place[...] = made

    def rows(self, room: Any, n: int) -> Rows:
        """Move batch after batch to the device and run the network."""
        # a copy out of locked memory runs beside the processor; the rows that come back have waited for it
        waits = not room.is_pinned() if self.device.type == "cuda" else True
        starts = range(0, n, self.batch_size)
        return stack(
            (
                self.network(
                    room[start : min(start + self.batch_size, n)].to(
                        self.device, self.dtype, non_blocking=not waits
                    )
                )
                for start in starts
            ),
            width=self.width,
        )


def pixel_stage(
    recipe: PixelRecipe | None,
    *,
    library: Callable[[Image], NDArray[np.float32]],
    network: Callable[[Any], Rows],
    batch_size: int,
    device: Any,
    dtype: Any,
    width: int = 0,
) -> PixelStage:
    """Make a `PixelStage`, also for a library that no recipe covers: it is asked what shape it makes."""
    shape = recipe.shape if recipe is not None else library(new("RGB", (96, 64))).shape
    return PixelStage((3, shape[1], shape[2]), recipe, library, network, batch_size, device, dtype, width)


def encode_in_steps(stage: PixelStage, pictures: Sequence[Image]) -> Rows:
    """Encode decoded pictures in one thread, batch after batch.

    Parameters
    ----------
    stage : PixelStage
        The two steps of a tower.
    pictures : sequence of PIL.Image.Image
        RGB.

    Returns
    -------
    ndarray of float32, shape (n, d)
    """
    parts = []
    room = stage.room(min(len(pictures), stage.batch_size))
    for batch in batches(pictures, stage.batch_size):
        for at, picture in enumerate(batch):
            stage.put(room, at, picture)
        parts.append(stage.rows(room, len(batch)))
    return stack(parts, width=stage.width)
