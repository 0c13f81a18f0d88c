"""Two towers joined by a bridge that is learned from pairs, before and after it has learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clipeval.core.bridges.fit import Wish
from clipeval.core.bridges.folds import Bridge
from clipeval.encoders.base import Fingerprint, Rows
from clipeval.encoders.seen import SeenPairs
from clipeval.encoders.towers import Towers, tower_words
from clipeval.errors import EncoderError


@dataclass(frozen=True)
class Rate:
    """A hit rate on the training pairs.

    Attributes
    ----------
    value, low, high, chance : float
        With its 95 % interval and what a scorer that knows nothing gets.
    """

    value: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class TrainingRates:
    """How well a bridge retrieves what it has learned from: always to be shown beside what is held out.

    Attributes
    ----------
    n_images, n_captions : int
        Of the training items that were ranked among each other.
    rates : mapping of str to mapping of str to Rate
        By direction (``i2t``, ``t2i``), then ``hit_rate@1`` and ``hit_rate@5``.
    """

    n_images: int
    n_captions: int
    rates: Mapping[str, Mapping[str, Rate]]

    @classmethod
    def from_plain(cls, given: Mapping[str, Any]) -> TrainingRates:
        """Make it again from what `dataclasses.asdict` and JSON made of it.

        Raises
        ------
        KeyError, TypeError, ValueError
            It was something else.

        Examples
        --------
        >>> from dataclasses import asdict
        >>> rates = TrainingRates(5, 5, {"i2t": {"hit_rate@1": Rate(0.4, 0.1, 0.7, 0.2)}})
        >>> TrainingRates.from_plain(asdict(rates)) == rates
        True
        """
        rates = {
            str(direction): {str(name): _rate(rate) for name, rate in of_direction.items()}
            for direction, of_direction in given["rates"].items()
        }
        return cls(int(given["n_images"]), int(given["n_captions"]), rates)


def _rate(given: Mapping[str, Any]) -> Rate:
    return Rate(*(float(given[part]) for part in ("value", "low", "high", "chance")))


@dataclass(frozen=True, eq=False)
class UnlearnedPreClip(Towers):
    """Two towers, and word of the pairs that their bridge is to be learned from.

    `clipeval.evaluate` learns it; by hand: `clipeval.evaluation.learning.learned`.

    Parameters
    ----------
    name, image, text
        As in `Towers`.
    wish : Wish
        Which bridge.
    fit : str
        Path or name of the training dataset, as `clipeval.load_dataset` takes it.
    offline : bool
        It may not be fetched through a network.
    """

    wish: Wish
    fit: str
    offline: bool = False

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers, and what is still to be done."""
        return {**tower_words(self.image, self.text), "projection": f"{self.wish.kind}, not learned yet"}

    def bridge_images(self, rows: Rows) -> Rows:
        """Refuse.

        Raises
        ------
        EncoderError
            Always.
        """
        raise self._not_learned()

    def bridge_texts(self, rows: Rows) -> Rows:
        """Refuse.

        Raises
        ------
        EncoderError
            Always.
        """
        raise self._not_learned()

    def _not_learned(self) -> EncoderError:
        return EncoderError(
            "the bridge has not learned from its pairs yet",
            where=self.name,
            fix="evaluate() does it; by hand: clipeval.evaluation.learning.learned(encoder)",
        )


@dataclass(frozen=True, eq=False)
class LearnedTowers(Towers):
    """Two towers, and what joins them was learned from pairs: it is not to be scored on these.

    Parameters
    ----------
    name, image, text
        As in `Towers`.
    seen : SeenPairs
        What it was learned from.
    training : TrainingRates
        How well it retrieves that.
    """

    seen: SeenPairs
    training: TrainingRates

    @property
    @abstractmethod
    def learned_words(self) -> str:
        """What was learned: its kind and parameters."""

    @property
    def joint(self) -> str:
        """What an error calls it."""
        return "bridge"

    @property
    @abstractmethod
    def way_out(self) -> str:
        """How to learn from a part of a dataset."""


@dataclass(frozen=True, eq=False)
class LearnedPreClip(LearnedTowers):
    """Two towers and a bridge that was learned from pairs.

    Parameters
    ----------
    name, image, text, seen, training
        As in `LearnedTowers`.
    bridge : Bridge
        Carries both towers' rows into one space.
    """

    bridge: Bridge

    @property
    def learned_words(self) -> str:
        """The bridge, in words."""
        return self.bridge.words

    @property
    def way_out(self) -> str:
        """How to learn a bridge from a part of a dataset."""
        return "learn with fit=PATH&part=train"

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers, the bridge and the pairs it was learned from, in words."""
        seen = self.seen
        return {
            **tower_words(self.image, self.text),
            "projection": self.bridge.words,
            "fit": f"{seen.name}, {len(seen.ids)} pictures, {seen.n_captions} captions",
            "fit sha256": seen.sha256,
        }

    def bridge_images(self, rows: Rows) -> Rows:
        """Carry image-tower rows into the common space."""
        return self.bridge.images(rows)

    def bridge_texts(self, rows: Rows) -> Rows:
        """Carry text-tower rows into the common space."""
        return self.bridge.texts(rows)
