"""The batch size that a model is run with: as asked for, or halved until it fits into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from clipeval.data.dataset import Dataset
from clipeval.encoders.base import Encoder, Playback
from clipeval.encoders.memory import give_back, ran_out, too_large
from clipeval.encoders.spec import parse_spec
from clipeval.errors import ClipevalError
from clipeval.evaluation.distinct import distinct_images, distinct_texts
from clipeval.evaluation.embed import Progress

T = TypeVar("T")
BatchSize: TypeAlias = int | Literal["auto"]

FIRST_ON_CUDA = 256
FIRST = 32
"""What ``auto`` tries first, on a CUDA device and elsewhere; a CPU is no faster with more."""


def fitting(
    run: Callable[[int, Progress | None], T],
    batch_size: BatchSize,
    *,
    spec: str,
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> T:
    """Run a job with a batch size; with ``auto``, begin again with half of it where memory runs out.

    The job begins again as a whole: the last bits of a row depend on the size of its batch, and all rows of
    one result share one, which the fingerprint names. So the result is, bit for bit, that of a job that was
    told the size to begin with; what is lost is, as a rule, one batch, since the first is as large as any.

    Parameters
    ----------
    run : callable
        Loads the model with the batch size that it is given and does all its work; called with the size and
        what it is to report its progress to.
    batch_size : int or "auto"
        At least 1.
    spec : str
        The model, for messages.
    device : str
        Where it runs, unless the spec says so itself.
    say : callable, optional
        Told once which size is used, where it is not the first.
    progress : callable, optional
        See `clipeval.evaluation.embed.Progress`.

    Returns
    -------
    object
        What ``run`` returned.

    Raises
    ------
    BatchTooLargeError
        The batch size that was asked for, or a batch of one, does not fit.

    Examples
    --------
    >>> def run(size, progress):
    ...     if size > 10:
    ...         raise MemoryError
    ...     progress("pictures", size, size)
    ...     return size
    >>> fitting(run, "auto", spec="hf:our/clip", say=print)
    hf:our/clip: a batch of 32 does not fit into memory; batch size 8 is used
    8
    >>> fitting(run, 16, spec="hf:our/clip")
    Traceback (most recent call last):
    clipeval.errors.BatchTooLargeError: a batch of 16 does not fit into memory
      where: hf:our/clip
      to do: a smaller --batch-size, or --batch-size auto, which halves it until it fits
    """
    first = size = _first(spec, device) if batch_size == "auto" else batch_size
    while True:
        told = _Told(spec, first, size, say, progress)
        try:
            result = run(size, told)
        except (ClipevalError, RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if batch_size != "auto" or size == 1:
                raise too_large(size, where=spec) from error
        else:
            told.settled()
            return result
        give_back()  # the error is gone by now, and with it all that the failed job held
        size //= 2


class _Told:
    """Passes progress on, and says which size is used as soon as something was encoded with it."""

    def __init__(
        self,
        spec: str,
        first: int,
        size: int,
        say: Callable[[str], None] | None,
        progress: Progress | None,
    ) -> None:
        self._note = (
            f"{spec}: a batch of {first} does not fit into memory; batch size {size} is used"
            if size < first
            else ""
        )
        self._say, self._progress = say, progress

    def __call__(self, what: str, done: int, total: int) -> None:
        if done:
            self.settled()
        if self._progress:
            self._progress(what, done, total)

    def settled(self) -> None:
        if self._note and self._say:
            self._say(self._note)
        self._note = ""


def _first(spec: str, device: str) -> int:
    where = parse_spec(spec).options.get("device", device)
    return FIRST_ON_CUDA if where.startswith("cuda") else FIRST


def try_largest(encoder: Encoder, dataset: Dataset) -> None:
    """Encode the batches of a dataset that take most memory, and drop the rows.

    For jobs that cannot begin again half-way, such as one that fills a store.

    Parameters
    ----------
    encoder : Encoder
    dataset : Dataset
        A whole batch of its pictures is encoded, and its longest captions.

    Raises
    ------
    BatchTooLargeError
        They do not fit.
    """
    if not isinstance(encoder.image_tower, Playback):
        distinct_images(encoder, dataset).batch(0)
    if not isinstance(encoder.text_tower, Playback):
        texts = distinct_texts(encoder, dataset)
        last = (len(texts.order) - 1) // texts.step
        for number in sorted({max(last - 1, 0), last}):  # the last one may be short
            texts.batch(number * texts.step)
