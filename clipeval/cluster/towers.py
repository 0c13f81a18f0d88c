"""An encoder whose towers run in the workers of a cluster; bridges stay here, batch by batch, as ever."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from PIL.Image import Image

from clipeval.cluster.session import machines
from clipeval.cluster.settings import ClusterSettings, cores
from clipeval.cluster.stream import encoded
from clipeval.cluster.tasks import Row, TowerRecipe
from clipeval.cluster.timing import Timing
from clipeval.encoders.base import Encoder, Fingerprint, ImageTower, Playback, Rows, TextTower
from clipeval.encoders.joined_towers import JoinedTower
from clipeval.evaluation.elsewhere import NamedPicture

Log = Callable[[str], None]


class _Spread:
    """A tower here, its work elsewhere."""

    def __init__(
        self, inner: Any, recipe: TowerRecipe, settings: ClusterSettings, timing: Timing, log: Log | None
    ) -> None:
        self._inner, self._recipe, self._settings = inner, recipe, settings
        self._timing, self._log = timing, log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the tower here; the workers' must be the same."""
        words: Fingerprint = self._inner.fingerprint
        return words

    def _rows(
        self, batches: Iterable[tuple[Sequence[str], Any] | None]
    ) -> Generator[Rows | None, None, None]:
        settings = self._settings
        loaded = started = 0

        def start(n_batches: int) -> int:
            nonlocal loaded, started
            loaded, started = 0, self._workers(n_batches)
            return started

        with (
            self._timing.running(self._recipe.side) as count,
            closing(
                encoded(  # type: ignore[type-var]
                    batches, self._recipe, workers=start, cpus=settings.cpus, gpus=settings.gpus
                )
            ) as rows,
        ):
            for row in rows:
                if row is None:
                    yield None
                    continue
                loaded += row["loading_s"] > 0
                if self._log and row["loading_s"] and loaded > started:
                    self._log(f"a worker had died, and another took its place on machine {row['machine']}")
                found = self._opened(row)
                count(row, len(found))
                yield found

    def _workers(self, n_batches: int) -> int:
        there, side = machines(), self._recipe.side
        chosen = min(self._settings.workers_on(there, decoding=side == "images"), n_batches)
        self._timing.started(side, workers=chosen, cores=cores(there))
        return chosen

    def _opened(self, row: Row) -> Rows:
        if row["failure"]:
            where = f"at item '{row['item']}'" if row["item"] else f"from item '{row['ids'][0]}' on"
            if self._log:
                self._log(f"batch {row['number']} failed, {where}, on machine {row['machine'] or '?'}")
            raise pickle.loads(row["failure"])  # noqa: S301  (made by our own workers)
        rows: Rows = pickle.loads(row["content"])  # noqa: S301
        return rows


class SpreadImageTower(_Spread):
    """An image tower of a cluster; see `clipeval.evaluation.elsewhere.ImagesElsewhere`."""

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode here: to name what is wrong with a single picture."""
        rows: Rows = self._inner.encode_images(pictures)
        return rows

    def encode_sources(
        self, batches: Iterable[Sequence[NamedPicture] | None]
    ) -> Generator[Rows | None, None, None]:
        """Give the rows of each batch, in order, and None for each None."""
        return self._rows(
            None if batch is None else ([picture.item for picture in batch], list(batch)) for batch in batches
        )


@dataclass(frozen=True, eq=False)
class SpreadJoinedTower(JoinedTower):
    """Joined image towers of a cluster: a comparison asks each part alone, a store asks for all at once.

    Attributes
    ----------
    whole : SpreadImageTower
        A worker of it holds every part.
    """

    whole: SpreadImageTower

    def encode_sources(
        self, batches: Iterable[Sequence[NamedPicture] | None]
    ) -> Generator[Rows | None, None, None]:
        """See `SpreadImageTower`."""
        return self.whole.encode_sources(batches)


class SpreadTextTower(_Spread):
    """A text tower of a cluster; see `clipeval.evaluation.elsewhere.TextsElsewhere`."""

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode here: to name what is wrong with a single text."""
        rows: Rows = self._inner.encode_texts(texts)
        return rows

    def encode_batches(self, batches: Iterable[Sequence[str] | None]) -> Generator[Rows | None, None, None]:
        """Give the rows of each batch, in order, and None for each None."""
        return self._rows(None if batch is None else ([batch[0][:80]], list(batch)) for batch in batches)


class SpreadEncoder(Encoder):
    """An encoder whose towers run elsewhere.

    Parameters
    ----------
    inner : Encoder
        The one here: its words, its bridges.
    image, text
        Its towers.
    """

    def __init__(self, inner: Encoder, image: ImageTower, text: TextTower) -> None:
        self.name = inner.name
        self._inner, self._image, self._text = inner, image, text

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the encoder here."""
        return self._inner.fingerprint

    @property
    def image_tower(self) -> ImageTower:
        """In the cluster."""
        return self._image

    @property
    def text_tower(self) -> TextTower:
        """In the cluster."""
        return self._text

    def bridge_images(self, rows: Rows) -> Rows:
        """As the encoder here."""
        return self._inner.bridge_images(rows)

    def bridge_texts(self, rows: Rows) -> Rows:
        """As the encoder here."""
        return self._inner.bridge_texts(rows)


def spread(
    encoder: Encoder,
    *,
    spec: str,
    options: Mapping[str, Any],
    settings: ClusterSettings,
    timing: Timing,
    log: Log | None = None,
) -> Encoder:
    """Let the towers of an encoder run in a cluster; rows that are played back stay here.

    Parameters
    ----------
    encoder : Encoder
        What ``load_encoder(spec, **options)`` gave, its bridge learned.
    spec, options
        How workers load it.
    settings : ClusterSettings
    timing : Timing
        Told how long each stage took.
    log : callable, optional
        Told where a batch failed.

    Returns
    -------
    Encoder

    Raises
    ------
    InvalidInputError
        The cluster has no room for the workers.
    """

    def images(tower: Any, part: int | None = None) -> Any:
        if isinstance(tower, Playback):
            return tower
        recipe = TowerRecipe(spec, options, "images", dict(tower.fingerprint), part)
        elsewhere = SpreadImageTower(tower, recipe, settings, timing, log)
        if isinstance(tower, JoinedTower):
            parts = tuple(images(one, number) for number, one in enumerate(tower.parts))
            return SpreadJoinedTower(parts, elsewhere)
        return elsewhere

    if not isinstance(encoder.image_tower, Playback):
        settings.workers_on(machines(), decoding=True)  # before captions are encoded, and pictures cannot be
    text: Any = encoder.text_tower
    if not isinstance(text, Playback):
        recipe = TowerRecipe(spec, options, "texts", dict(text.fingerprint))
        text = SpreadTextTower(text, recipe, settings, timing, log)
    return SpreadEncoder(encoder, images(encoder.image_tower), text)
