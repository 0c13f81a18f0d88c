"""Who does the work of an evaluation: this machine, or an engine that has others do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clipeval.core.positives import PositivesLike
from clipeval.core.ranking import rank_retrieval
from clipeval.core.ranks import Ranks
from clipeval.core.ties import TieRule
from clipeval.encoders.base import Encoder, Rows
from clipeval.evaluation.embed import Progress


class Engine(Protocol):
    """Encodes and ranks elsewhere; the numbers are those of this machine."""

    def spread(self, encoder: Encoder, *, spec: str, options: Mapping[str, Any]) -> Encoder:
        """Give an encoder whose towers run elsewhere, where they are loaded by spec and options."""
        ...

    def rank(
        self,
        images: Rows,
        texts: Rows,
        image_of_caption: PositivesLike,
        *,
        ties: TieRule,
        progress: Progress | None = None,
    ) -> Ranks:
        """Rank as `clipeval.rank_retrieval` does; ``progress`` is told of ``ranking``, in blocks of pairs."""
        ...


@dataclass(frozen=True)
class EngineOfModel:
    """An engine, and how it loads the model that is evaluated.

    Attributes
    ----------
    engine : Engine or None
        None for this machine.
    spec : str
    options : mapping
        For `clipeval.encoders.load.load_encoder`.
    """

    engine: Engine | None = None
    spec: str = ""
    options: Mapping[str, Any] | None = None

    def spread(self, encoder: Encoder) -> Encoder:
        """See `Engine`."""
        if self.engine is None:
            return encoder
        return self.engine.spread(encoder, spec=self.spec, options=self.options or {})

    def rank(
        self,
        images: Rows,
        texts: Rows,
        image_of_caption: PositivesLike,
        *,
        ties: TieRule,
        progress: Progress | None = None,
    ) -> Ranks:
        """See `Engine`."""
        if self.engine is None:
            return rank_retrieval(images, texts, image_of_caption, ties=ties)
        return self.engine.rank(images, texts, image_of_caption, ties=ties, progress=progress)


HERE = EngineOfModel()
