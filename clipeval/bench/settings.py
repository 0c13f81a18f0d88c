"""What a benchmark times, and how; and what cannot be timed."""

from __future__ import annotations

from dataclasses import dataclass

from clipeval.bench.backends import BACKENDS
from clipeval.bench.parts import PARTS
from clipeval.encoders.placement import DTYPES
from clipeval.errors import InvalidInputError, near

MOST_INPUTS = 65_536


@dataclass(frozen=True)
class Settings:
    """What is timed, and how.

    Attributes
    ----------
    device, dtype : str
    backends : tuple of str
        Of `BACKENDS`; every model is timed with each.
    batch_sizes : tuple of int
        Each at least 1.
    auto_batch : bool
        Find the best batch size of each model by measuring, and time that too.
    parts : tuple of str
        Of `PARTS`.
    seconds : float
        For each part of each model at each batch size.
    offline, allow_random_init : bool
        As for `load_encoder`.
    """

    device: str = "cpu"
    dtype: str = "float32"
    backends: tuple[str, ...] = ("torch",)
    batch_sizes: tuple[int, ...] = (1, 8, 32)
    auto_batch: bool = False
    parts: tuple[str, ...] = PARTS
    seconds: float = 1.0
    offline: bool = False
    allow_random_init: bool = False

    @property
    def largest_batch(self) -> int:
        """The largest batch that may come."""
        return MOST_INPUTS if self.auto_batch else max(self.batch_sizes)

    def check(self) -> None:
        """Refuse what cannot be timed.

        Raises
        ------
        InvalidInputError
            A batch size below 1 or none, an unknown dtype, backend or part, seconds that are not positive.
        """
        sizes = self.batch_sizes
        if (not sizes and not self.auto_batch) or min(sizes, default=1) < 1:
            found = ", ".join(map(str, sizes)) or "none"
            raise InvalidInputError(f"batch sizes are at least 1, got {found}", where="--batch-size")
        if max(sizes, default=1) > MOST_INPUTS:
            raise InvalidInputError(
                f"a batch of {max(sizes)} is beyond any machine",
                where="--batch-size",
                fix=f"at most {MOST_INPUTS}, or 'auto'",
            )
        if not 0 < self.seconds < float("inf"):
            raise InvalidInputError(f"cannot measure for {self.seconds:g} seconds", where="--seconds")
        for word, known, where in (
            (self.dtype, DTYPES, "--dtype"),
            *((part, PARTS, "--part") for part in self.parts),
        ):
            if word not in known:
                raise InvalidInputError(f"unknown '{word}'", where=where, fix=near(word, known))
        for word in self.backends or ("none",):
            if word not in BACKENDS:
                raise InvalidInputError(
                    f"unknown backend '{word}'", where="--backend", fix=f"known: {', '.join(BACKENDS)}"
                )
