"""Ranks of right answers: counted, never sorted, under a stated tie rule, in both directions."""

from __future__ import annotations

from functools import partial

from numpy.typing import ArrayLike

from clipeval.core.block_budget import BLOCK_BYTES, plan, threads
from clipeval.core.compiled.compiler import use_compiled
from clipeval.core.direction_ranks import direction_ranks, used_pairs
from clipeval.core.error_bound import error_bound
from clipeval.core.filtering import Excluded, FilterPass
from clipeval.core.known_pairs import KnownPairs, known_pairs
from clipeval.core.neighbour_count import check_k
from clipeval.core.numpy_engine import Engine
from clipeval.core.positives import Integers, PositivesLike, both_directions
from clipeval.core.ranked_rows import RankedRows
from clipeval.core.ranking_scores import rank_scores
from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.rivals import Scored
from clipeval.core.similarity import check_same_width, finite_rows
from clipeval.core.tensors import array_and_device
from clipeval.core.thresholds import TIE_TOLERANCE, Thresholds
from clipeval.core.ties import TieRule, check_tie_rule
from clipeval.errors import InvalidInputError, MissingExtraError

__all__ = ["TIE_TOLERANCE", "rank_retrieval", "rank_scores"]


def rank_retrieval(
    images: ArrayLike,
    texts: ArrayLike,
    image_of_caption: PositivesLike | None = None,
    *,
    captions_of_image: PositivesLike | None = None,
    ties: TieRule = "expected",
    top: int = 0,
    rivals: bool = True,
    block_bytes: int = BLOCK_BYTES,
    device: str | None = None,
    filter_format: str = "float32",
    compiled: bool | None = None,
) -> Ranks:
    """Rank the right answers of every image among the captions, and of every caption among the images.

    Rows are normalised in float64 and rounded once to float32; the score of a pair is the float64 sum of
    the products of exactly those rows in a fixed order, and scores closer than 1e-12 are equal. One blocked
    float32 product serves both directions as a filter with a proven error bound; what it cannot decide is
    scored exactly. The result is the same to the last integer on every machine and for every block size.

    Parameters
    ----------
    images : array-like, shape (m, d)
        Image embeddings, unit or not.
    texts : array-like, shape (n, d)
        Caption embeddings.
    image_of_caption : array-like of int, shape (n,), or list of lists, or None
        The image of each caption (or its images; an empty list declares a caption that describes none).
        None pairs row i with row i, unless `captions_of_image` is given: then its reverse is taken.
    captions_of_image : list of lists of int, optional
        The captions of each image, where they are not the reverse of ``image_of_caption``.
    ties : {"expected", "optimistic", "pessimistic"}
        ``expected`` is the mean over random tie breaks, so a constant encoder scores exactly chance.
    top : int
        Length of the lists of best candidates to keep for each query (``Ranks.i2t.top``); 0 for none.
    rivals : bool
        Find the best wrong candidate of each query; without it the pass is a little faster and
        ``best_rival`` is -1 everywhere.
    block_bytes : int
        Memory for blocks, beside the inputs and the result.
    device : str, optional
        Multiply with torch on this device (``cpu``, ``cuda``, ``cuda:1`` …) instead of numpy; the ranks are
        the same. Tensors on a CUDA device are multiplied there without being asked.
    filter_format : {"float32", "tf32", "float16", "bfloat16"}
        With a device: what the fast product is computed in. Narrow formats leave more pairs to be scored
        exactly, and where these are too many, a float64 product is made; the ranks are the same.
    compiled : bool, optional
        Count with functions that numba compiles (``pip install 'clipeval[fast]'``); the ranks are the same.
        If not given, where numba is installed and there are pairs enough to make up for its start.

    Returns
    -------
    Ranks

    Raises
    ------
    MissingExtraError
        torch or numba is needed for what was asked, and is not installed.
    WrongProductError
        The fast product of a right pair is further from its exact score than rounding can move it.
    InvalidInputError
        NaN or infinity (with the row), different widths, positives out of range, unknown tie rule, `top`
        above the number of candidates of a direction; all before any score is computed.

    Examples
    --------
    >>> ranks = rank_retrieval([[1, 0], [0, 1]], [[2, 0], [1, 0], [0, 3]], [0, 0, 1])
    >>> ranks.t2i.hit_rate(1), ranks.i2t.optimistic.tolist()
    (1.0, [1, 1])
    >>> constant = rank_retrieval([[1, 0]] * 4, [[1, 0]] * 4)
    >>> constant.i2t.hit_rate(1), constant.i2t.pessimistic.tolist()
    (0.25, [4, 4, 4, 4])
    """
    check_tie_rule(ties)
    images, here = array_and_device(images)
    texts, there = array_and_device(texts)
    engine = _engine(device or here or there, filter_format)
    if compiled and engine:
        raise InvalidInputError("compiled counting is for numpy's products", fix="leave out `device`")
    left = finite_rows(images, name="images")
    right = finite_rows(texts, name="texts")
    check_same_width(left, right)
    positives = both_directions(
        image_of_caption, captions_of_image, n_images=len(left), n_captions=len(right)
    )
    if top != 0:
        check_k(top, min(len(left), len(right)), "candidates of the smaller side")
    budget = plan(len(left), len(right), left.shape[1], block_bytes=block_bytes)
    if engine:
        budget = engine.fitted(budget)
    compiled = not engine and use_compiled(compiled, pairs=len(left) * len(right))
    with threads(budget.workers) as run:
        sides = tuple(
            RankedRows(rows, keep=budget.hold, run=run, compiled=compiled) for rows in (left, right)
        )
        known = known_pairs(sides[0], sides[1], *positives, run=run)
        bound = engine.bound(left.shape[1]) if engine else error_bound(left.shape[1])
        used = tuple(run(partial(used_pairs, known), (0, 1)))
        counted = tuple(run(partial(_thresholds, known, sides, bound, used), (0, 1)))
        passed = FilterPass(
            sides[0],
            sides[1],
            (counted[0], counted[1]),
            Excluded(known.row, known.column, known.score),
            k=max(top, 1) if rivals or top else 0,
            engine=engine,
            compiled=compiled,
        ).run(run=run, budget=budget)
        groups = tuple(side.groups for side in sides)
        del sides  # the unit rows: what follows needs their room

        def finished(direction: int) -> DirectionRanks:
            return direction_ranks(
                positives[direction],
                (groups[direction], groups[1 - direction]),
                known,
                direction,
                used[direction],
                passed.tallies[direction],
                None if passed.leaders is None else Scored(*passed.leaders[direction]),
                ties=ties,
                top=top,
                rivals=rivals,
            )

        return Ranks(*run(finished, (0, 1)))


def _engine(device: str | None, filter_format: str) -> Engine | None:
    if device is None:
        if filter_format != "float32":
            raise InvalidInputError(
                f"filter_format is {filter_format!r}, but numpy multiplies in float32",
                fix="name a device too",
            )
        return None
    try:
        from clipeval.core.torch_engine import TorchEngine
    except ModuleNotFoundError as error:
        raise MissingExtraError("torch", extra="models") from error
    return TorchEngine(device, filter_format)


def _thresholds(
    known: KnownPairs,
    sides: tuple[RankedRows, ...],
    bound: float,
    used: tuple[Integers, ...],
    direction: int,
) -> Thresholds:
    owner, pairs = known.ends(direction)[0], used[direction]
    other = sides[1 - direction].groups
    copies = None if other.all_different else other.copies
    return Thresholds(owner[pairs], known.score[pairs], len(sides[direction]), bound, copies)
