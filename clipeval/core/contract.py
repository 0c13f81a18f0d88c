"""One contract for every statistic: what is estimated, over which units, and how an answer is reached.

Each result of `statistics` names its row of this table, so no check invents rules of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Row:
    """How one kind of statement is judged.

    Attributes
    ----------
    estimand : str
        What is estimated.
    cluster : str
        The independent unit; captions of one image are not independent.
    interval : str
        How the interval is made.
    test : str
        How the p-value is made.
    family : str
        Over what the p-values are corrected.
    verdict : str
        When the statement holds, is refuted, is undecided.
    """

    estimand: str
    cluster: str
    interval: str
    test: str
    family: str
    verdict: str


_FAMILY = "none for a single comparison; Holm over the declared family of claims"
_BETTER = (
    "holds: p <= 1 - level and the whole interval above 0; refuted: p <= 1 - level and the whole interval "
    "below 0; undecided otherwise, so always below six discordant clusters at level 0.95"
)

CONTRACT = MappingProxyType(
    {
        "rate": Row(
            estimand="mean over queries of a score in [0, 1]",
            cluster="image",
            interval="Wilson where every cluster holds one query; else percentile bootstrap over clusters, "
            "or, with fewer than 50 clusters or 10 with hits or with misses, Wilson over clusters",
            test="none",
            family="none",
            verdict="none: an interval is printed, not judged",
        ),
        "paired-binary": Row(
            estimand="difference of two hit rates on the same queries",
            cluster="the query itself (one query in each image)",
            interval="Tango's score interval",
            test="exact McNemar",
            family=_FAMILY,
            verdict=_BETTER,
        ),
        "paired-clustered": Row(
            estimand="mean over queries of the difference of two scores in [0, 1]",
            cluster="image with all its queries",
            interval="percentile bootstrap over clusters, or, with fewer than 50 clusters or 10 on either "
            "side, the conservative score interval over clusters",
            test="sign-flip of whole clusters, exact up to 16 clusters that differ",
            family=_FAMILY,
            verdict=_BETTER,
        ),
        "non-inferiority": Row(
            estimand="mean over queries of new - old",
            cluster="image",
            interval="Tango's score interval; clustered or fractional scores: conservative score interval",
            test="none: the interval is the test",
            family="none",
            verdict="holds: lower bound > -margin; refuted: upper bound < -margin; undecided otherwise",
        ),
    }
)
"""The rows by name."""
