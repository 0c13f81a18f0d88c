"""What comparing two snapshots finds, in the order in which it is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from clipeval.baseline.fields import FieldChange
from clipeval.core.intervals import Interval
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Direction


@dataclass(frozen=True)
class ItemChange:
    """An item that both have, with another content.

    Attributes
    ----------
    id : str
    what : {"picture", "captions", "category"}
    old, new : str
        Hash of the picture; captions that only one side has, joined by line breaks; category.
    """

    id: str
    what: Literal["picture", "captions", "category"]
    old: str
    new: str


@dataclass(frozen=True)
class DataDifference:
    """(1) Whether both saw the same data.

    Attributes
    ----------
    n_old, n_new : int
        Items.
    added, removed : tuple of str
        Ids of items that only the new data, or only the old data hold.
    changed : tuple of ItemChange
        Items with another content. A category alone changes no result, and is listed all the same.
    """

    n_old: int
    n_new: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[ItemChange, ...] = ()

    @property
    def same(self) -> bool:
        """Whether pictures and captions are the same; only then anything else is compared."""
        return not (self.added or self.removed or any(change.what != "category" for change in self.changed))


DriftKind: TypeAlias = Literal["identical", "noise", "drift", "different model", "not compared"]


@dataclass(frozen=True)
class MovedRow:
    """One embedding and how far it moved.

    Attributes
    ----------
    item : str
        Id.
    caption : str or None
        Its text; None for a picture.
    cosine : float
        Of old and new embedding, in [-1, 1].
    """

    item: str
    caption: str | None
    cosine: float


@dataclass(frozen=True)
class Drift:
    """(3) How far the embeddings of one modality moved.

    Attributes
    ----------
    modality : {"pictures", "captions"}
    kind : str
        ``identical`` (bit for bit), ``noise`` (every row within the tolerance), ``drift``,
        ``different model``, or ``not compared`` (the rows were not kept).
    tolerance : float
        Largest 1 - cosine that counts as numerical noise, for the dtypes and devices of both sides.
    why : str
        Where the tolerance comes from, or why nothing was compared.
    n : int
        Rows.
    n_beyond : int
        Rows beyond the tolerance.
    median : float or None
        Of the cosines.
    worst : tuple of MovedRow
        The rows that moved furthest, at most five, furthest first; none if all are equal.
    """

    modality: Literal["pictures", "captions"]
    kind: DriftKind
    tolerance: float
    why: str
    n: int
    n_beyond: int = 0
    median: float | None = None
    worst: tuple[MovedRow, ...] = ()


@dataclass(frozen=True)
class Flip:
    """A query whose first place was gained or lost.

    Attributes
    ----------
    item : str
        Id of the query's item.
    caption : str or None
        The query (t2i); None where the picture is the query.
    old_rank, new_rank : float
        Expected ranks.
    old_score, new_score : float
        Of the best right answer.
    rival : str
        Who is first where the right answer is not: a caption's text, or an item's id.
    rival_score : float or None
        Its score, on the side where the query is lost.
    """

    item: str
    caption: str | None
    old_rank: float
    new_rank: float
    old_score: float
    new_score: float
    rival: str
    rival_score: float | None


@dataclass(frozen=True)
class Flips:
    """(4) Queries of one direction that gained or lost the first place, largest change of rank first."""

    direction: Direction
    gained: tuple[Flip, ...] = ()
    lost: tuple[Flip, ...] = ()


@dataclass(frozen=True)
class MetricChange:
    """(5) One metric of one direction, on the same queries.

    Attributes
    ----------
    metric : str
        ``hit_rate@1``, ``hit_rate@5``, ``hit_rate@10`` or ``mrr``.
    direction : {"i2t", "t2i"}
    old, new : float
        In [0, 1].
    interval : Interval
        Of new - old.
    margin : float
        Largest loss that is accepted.
    verdict : Verdict
        For "the new one loses less than the margin".
    p : float
        Two-sided, that the two differ; not corrected.
    judged : bool
        The metric has a say in the verdict of the whole; the others are for information.
    """

    metric: str
    direction: Direction
    old: float
    new: float
    interval: Interval
    margin: float
    verdict: Verdict
    p: float
    judged: bool

    @property
    def difference(self) -> float:
        """New - old."""
        return self.new - self.old


@dataclass(frozen=True)
class Guard:
    """(6) What holds `Verdict.HOLDS` back even where a mean looks well.

    Attributes
    ----------
    name : {"broad drift", "severe losses"}
    tripped : bool
    sentence : str
        What was looked at and what was found, for a person.
    queries : tuple of Flip
        The severe losses, worst first, at most five.
    """

    name: Literal["broad drift", "severe losses"]
    tripped: bool
    sentence: str
    queries: tuple[Flip, ...] = ()


@dataclass(frozen=True)
class RowHashes:
    """Which embeddings a model gave (`clipeval.baseline.snapshot.rows_sha256`).

    Attributes
    ----------
    pictures, captions : str
        SHA-256, in canonical order.
    """

    pictures: str
    captions: str


@dataclass(frozen=True)
class SwapResult:
    """The whole answer.

    Attributes
    ----------
    old, new : str
        The model specs.
    verdict : Verdict
        ``holds``, ``refuted``, ``undecided``; ``not_run`` where the data are not the same.
    reason : str
        One sentence: what decided.
    data : DataDifference
    fields : tuple of FieldChange
        (2) What differs between the fingerprints, likeliest cause first.
    drift : tuple of Drift
        Pictures and captions; empty where the data differ, as are all below.
    flips : tuple of Flips
    metrics : tuple of MetricChange
    guards : tuple of Guard
    margin : float
    n_queries : tuple of (direction, int, int)
        Queries and independent units of each direction.
    rows : tuple of RowHashes, optional
        Of the old model and of the new one.
    """

    old: str
    new: str
    verdict: Verdict
    reason: str
    data: DataDifference
    fields: tuple[FieldChange, ...]
    margin: float
    drift: tuple[Drift, ...] = ()
    flips: tuple[Flips, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    guards: tuple[Guard, ...] = ()
    n_queries: tuple[tuple[Direction, int, int], ...] = ()
    rows: tuple[RowHashes, RowHashes] | None = None
