"""The shards that are not there are made, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from clipeval.encoders.base import Rows
from clipeval.encoders.store_manifest import Manifest, Modality, shard_name
from clipeval.errors import ClipevalError, EncoderError
from clipeval.evaluation.cache import EmbeddingCache
from clipeval.evaluation.distinct import DistinctInputs
from clipeval.evaluation.embed import Progress
from clipeval.evaluation.store.portions import PortionInputs
from clipeval.evaluation.store.shards import write_manifest, write_shard


@dataclass(frozen=True)
class Filling:
    """A job at work.

    Attributes
    ----------
    folder : Path
        The store.
    portions : sequence of PortionInputs
        What each portion encodes.
    cache : EmbeddingCache or None
    progress : callable or None
    listing : bool
        Whether each shard is listed in the folder's manifest as soon as it is there.
    log : callable or None
        Told of each shard: what it holds, or what stopped it.
    """

    folder: Path
    portions: Sequence[PortionInputs]
    cache: EmbeddingCache | None
    progress: Progress | None
    listing: bool
    log: Callable[[str], None] | None = None

    def fill(self, manifest: Manifest, modality: Modality) -> tuple[Manifest, int]:
        """Make the shards of one side that are not there.

        Parameters
        ----------
        manifest : Manifest
            Which are there.
        modality : {"images", "texts"}

        Returns
        -------
        manifest : Manifest
            All shards of this side are listed.
        encoded : int
            Distinct inputs that were encoded.

        Raises
        ------
        EncoderError
            A row is refused, or its width is not that of the others.
        PictureError
            A picture cannot be decoded.
        """
        side = manifest.side(modality)
        encoded = 0
        done = sum(shard.rows for shard in side.shards.values())
        self._tell(modality, done, side.rows)
        for portion, of_portion in enumerate(self.portions):
            absent = [number for number in side.shards_of(portion) if number not in side.shards]
            inputs, first = of_portion.inputs[modality], side.first_row(portion)
            if not absent:
                continue
            owners = _Owners(inputs, of_portion.keys[modality])
            starts = {
                number: range(
                    side.rows_of(number).start - first, side.rows_of(number).stop - first, inputs.step
                )
                for number in absent
            }
            # one stream over all shards: the batches behind a shard are under way while it is written
            with closing(inputs.batches(chain(*starts.values()), cache=self.cache)) as batches:
                for number in absent:
                    parts: list[Rows] = []
                    with self._naming(modality, number):
                        for rows, new in islice(batches, len(starts[number])):
                            width = parts[0].shape[1] if parts else manifest.width
                            self._check_width(rows, width, manifest, modality)
                            parts.append(rows)
                            encoded += new
                            done += len(rows)
                            self._tell(modality, done, side.rows)
                    ids = [owners.keys(row - first) for row in side.rows_of(number)]
                    joined = np.concatenate(parts)
                    manifest = write_shard(self.folder, manifest, modality, number, joined, ids)
                    if self.listing:
                        write_manifest(self.folder, manifest)
                    self._log(modality, number, f"{len(ids):,} rows, '{ids[0][0]}' to '{ids[-1][0]}'")
        return manifest, encoded

    @staticmethod
    def _check_width(rows: Rows, expected: int | None, manifest: Manifest, modality: Modality) -> None:
        if expected not in (None, rows.shape[1]):
            raise EncoderError(
                f"these {modality} have rows of {rows.shape[1]} columns, earlier rows have {expected}",
                where=manifest.model,
                fix="both towers must give rows of one space; two spaces can be joined with preclip:",
            )

    @contextmanager
    def _naming(self, modality: Modality, number: int) -> Iterator[None]:
        try:
            yield
        except ClipevalError as error:
            self._log(modality, number, f"not made: {error.what} ({error.where})")
            raise

    def _log(self, modality: Modality, number: int, text: str) -> None:
        if self.log:
            self.log(f"{shard_name(modality, number)}: {text}")

    def _tell(self, modality: Modality, done: int, total: int) -> None:
        if self.progress:
            self.progress("pictures" if modality == "images" else "captions", done, total)


class _Owners:
    """The ids that share a distinct input, in the dataset's order."""

    def __init__(self, inputs: DistinctInputs, keys: Sequence[str]) -> None:
        self._keys = keys
        self._order = np.argsort(inputs.row_of, kind="stable")
        self._starts = np.searchsorted(inputs.row_of[self._order], np.arange(len(inputs.order) + 1))

    def keys(self, row: int) -> list[str]:
        return [self._keys[at] for at in self._order[self._starts[row] : self._starts[row + 1]]]
