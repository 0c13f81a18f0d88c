"""How often does the verdict on a swap err, and what does it see? Simulated, with the real functions.

Run from the repository's root:

    python tests/benchmarks/simulate_swaps.py [REPETITIONS] [JOBS]

The first table adds noise to the frozen embeddings of a real CLIP, found in ``$CLIPEVAL_REFERENCE_DATA`` or
beside the repository. The second has artificial encoders; a verdict that would be an error is marked with a
star; where every query moves, Monte-Carlo tests use a tenth of their usual resamples, and rows with more than
500 pictures have a fifth of the repetitions. ``tests/unit/baseline/test_swap_errors.py`` runs a reduced
version.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.result import SwapResult
from clipeval.baseline.snapshot import (
    DirectionSnapshot,
    ItemRecord,
    QueryResult,
    Snapshot,
    rows_sha256,
    take_snapshot,
)
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core import comparison
from clipeval.core.bootstrap import bootstrap_interval
from clipeval.core.paired import sign_flip_test
from clipeval.core.verdict import Verdict

Sides = tuple[Snapshot, Snapshot]
Draw = Callable[[np.random.Generator, int, int], Sides]

MARGIN = 0.02
WIDTH = 24
CPU = {"dtype": "float32", "device": "cpu"}
BFLOAT16 = {"dtype": "bfloat16", "device": "cpu"}


def kept(
    images: np.ndarray, texts: np.ndarray, captions: int = 1, words: Mapping[str, str] = CPU
) -> Snapshot:
    """Evaluate rows and keep the result."""
    return take_snapshot(evaluation_of_rows(images, texts, per_image=captions), fingerprint=words, data="")


def encoders(
    rng: np.random.Generator, n: int, captions: int, count: int, *, uneven: bool = False
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of some encoders that see the same things, each with errors of its own; uneven: hard items."""
    seen = rng.normal(size=(n, WIDTH))
    # more candidates are harder: errors for about the same hit rate at every n
    size = 1.45 - 0.25 * np.log10(n)
    spread = size * (np.exp(rng.normal(size=(n, 1)) * 0.7) if uneven else np.ones((n, 1)))
    said = np.repeat(seen, captions, axis=0) + 0.4 * rng.normal(size=(n * captions, WIDTH))
    return [
        (
            seen + spread * rng.normal(size=seen.shape),
            said + np.repeat(spread, captions, axis=0) * rng.normal(size=said.shape),
        )
        for _ in range(count)
    ]


def equally_good(rng: np.random.Generator, n: int, captions: int, *, uneven: bool = False) -> Sides:
    """Two encoders, neither of which is better in truth."""
    old, new = encoders(rng, n, captions, 2, uneven=uneven)
    return counted(*old, captions), counted(*new, captions)


def same_with_noise(rng: np.random.Generator, n: int, captions: int, *, relative: float) -> Sides:
    """One encoder, and itself with noise of a known size."""
    ((images, texts),) = encoders(rng, n, captions, 1)
    new = counted(noisy(rng, images, relative), noisy(rng, texts, relative), captions)
    return counted(images, texts, captions), new


def noisy(rng: np.random.Generator, rows: np.ndarray, relative: float) -> np.ndarray:
    """Move every row by ``relative`` times its length (in root mean square) in a random direction."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows + relative * lengths * rng.normal(size=rows.shape) / np.sqrt(rows.shape[1])


def losing(
    rng: np.random.Generator,
    n: int,
    captions: int,
    *,
    loss: float,
    gain: float = 0.03,
    to: int = 2,
    also_i2t: bool = False,
) -> Sides:
    """Hit@1 of captions falls by ``loss`` in truth; all captions of a picture are lost or gained together.

    Lost queries fall from rank 1 to ``to``, gained ones come from there.
    """
    captions_lose = falling(rng, n, loss=loss, gain=gain, to=to)
    # pictures as queries lose on their own: two errors that come together would be one
    pictures_lose = falling(rng, n, loss=loss if also_i2t else 0.0, gain=gain, to=to)
    # all scores move: those of another encoder do, and with none moved nothing but rounding would differ
    old, new = (
        ranked(i2t, np.repeat(t2i, captions), captions, score=score)
        for i2t, t2i, score in zip(pictures_lose, captions_lose, (0.30, 0.31), strict=True)
    )
    return old, replace(new, images_sha256="other", texts_sha256="other")


def falling(
    rng: np.random.Generator, n: int, *, loss: float, gain: float, to: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks before and after, of which a known share falls from 1 to ``to``, and some rise from there."""
    kind = rng.choice(3, size=n, p=[loss + gain, gain, 1.0 - loss - 2.0 * gain])
    steady = np.where(rng.random(n) < 0.6, 1, 3)
    before = np.select([kind == 0, kind == 1], [1, to], steady)
    return before, np.select([kind == 0, kind == 1], [to, 1], steady)


def ranked(i2t: np.ndarray, t2i: np.ndarray, captions: int, *, score: float) -> Snapshot:
    """Make a snapshot without embeddings from the ranks of its queries; right answers have one score."""
    found = []
    for ranks, n_candidates in ((i2t, len(t2i)), (t2i, len(i2t))):
        better = np.minimum(ranks, n_candidates) - 1
        own = np.full(len(ranks), score)
        found.append((better, own, own + np.where(better > 0, 0.05, -0.05)))
    return bare(found[0], found[1], captions)


def counted(images: np.ndarray, texts: np.ndarray, captions: int) -> Snapshot:
    """Do what `kept` does, sooner: continuous scores have no ties, so wrong answers are simply counted."""
    images, texts = images.astype(np.float32), texts.astype(np.float32)
    left, right = (
        rows / np.linalg.norm(rows.astype(float), axis=1, keepdims=True) for rows in (images, texts)
    )
    scores = left @ right.T
    own = np.repeat(np.arange(len(images)), captions) == np.arange(len(images))[:, None]
    found = []
    for matrix, right_answers in ((scores, own), (scores.T, own.T)):
        best = np.where(right_answers, matrix, -2.0).max(axis=1)
        wrong = np.where(right_answers, -2.0, matrix)
        found.append(((wrong > best[:, None]).sum(axis=1), best, wrong.max(axis=1)))
    snapshot = bare(found[0], found[1], captions)
    hashes = rows_sha256(images), rows_sha256(texts)
    return replace(snapshot, images=images, texts=texts, images_sha256=hashes[0], texts_sha256=hashes[1])


Counts = tuple[np.ndarray, np.ndarray, np.ndarray]


def bare(i2t: Counts, t2i: Counts, captions: int) -> Snapshot:
    """Make a snapshot from better wrong answers, score and rival's score of every query."""
    n = len(i2t[0])
    ids = [f"{row:05}" for row in range(n)]
    items = tuple(ItemRecord(one, one, tuple(f"{one} {number}" for number in range(captions))) for one in ids)

    def direction(counts: Counts, n_candidates: int, each: int | None) -> DirectionSnapshot:
        queries = tuple(
            QueryResult(
                item=ids[at // (each or 1)],
                caption=None if each is None else at % each,
                better=better,
                tied=0,
                positives_tied=1,
                score=score,
                rival_score=rival,
            )
            for at, (better, score, rival) in enumerate(zip(*(one.tolist() for one in counts), strict=True))
        )
        return DirectionSnapshot(n_candidates, queries)

    return Snapshot(
        model="simulated",
        data="",
        fingerprint=CPU,
        items=items,
        i2t=direction(i2t, n * captions, None),
        t2i=direction(t2i, n, captions),
        images_sha256="one",
        texts_sha256="one",
    )


@dataclass(frozen=True)
class Case:
    """One kind of swap. ``error`` is the verdict that would be wrong, if one would."""

    name: str
    draw: Draw
    error: Verdict | None = None
    margin: float = MARGIN
    slow: bool = False


CASES = (
    Case("two equally good encoders", equally_good, Verdict.REFUTED, slow=True),
    Case("the same, some items hard", partial(equally_good, uneven=True), Verdict.REFUTED, slow=True),
    Case("the same, margin 0", equally_good, Verdict.REFUTED, 0.0, slow=True),
    Case("noise of 1e-5", partial(same_with_noise, relative=1e-5), Verdict.REFUTED),
    Case("noise of 0.01", partial(same_with_noise, relative=0.01), Verdict.REFUTED, slow=True),
    Case("t2i loses the margin", partial(losing, loss=MARGIN), Verdict.HOLDS),
    Case("the same, no gains", partial(losing, loss=MARGIN, gain=0.0), Verdict.HOLDS),
    Case("both directions lose it", partial(losing, loss=MARGIN, to=10, also_i2t=True), Verdict.HOLDS),
    Case("both lose twice the margin", partial(losing, loss=2 * MARGIN, to=10, also_i2t=True), Verdict.HOLDS),
    Case("both lose five times", partial(losing, loss=5 * MARGIN, to=10, also_i2t=True), Verdict.HOLDS),
)


def rates(case: Case, n: int, captions: int, repetitions: int) -> tuple[dict[str, float], float]:
    """Give the share of every verdict, and of each reason for ``refuted``, and the mean hit@1 t2i before."""
    rng = np.random.default_rng([n, captions, *case.name.encode()])
    flips, draws = (999, 1_000) if case.slow else (9_999, 10_000)
    comparison.sign_flip_test = partial(sign_flip_test, n_resamples=flips)
    comparison.bootstrap_interval = partial(bootstrap_interval, n_resamples=draws)
    counted: Counter[str] = Counter()
    before = 0.0
    for _ in range(repetitions):
        old, new = case.draw(rng, n, captions)
        result = compare_snapshots(old, new, margin=case.margin)
        counted.update([result.verdict.value, *reasons(result)])
        before += float(old.t2i.hits(1).mean())
    return {name: count / repetitions for name, count in counted.items()}, before / repetitions


def reasons(result: SwapResult) -> list[str]:
    """Name all that made it ``refuted``."""
    metric = any(change.judged and change.verdict is Verdict.REFUTED for change in result.metrics)
    return ["metric"] * metric + [guard.name for guard in result.guards if guard.tripped]


def table(repetitions: int, jobs: int) -> None:
    """Print the rates of artificial swaps."""
    print(
        "\n| n | captions | swap | runs | hit@1 | holds | undecided | refuted | by metric | broad | severe |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    rows = [(case, n, captions) for n in (20, 100, 500, 1000) for captions in (1, 5) for case in CASES]
    runs = [max(1, repetitions // 5) if n > 500 else repetitions for _, n, _ in rows]
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(rates, *row, count) for row, count in zip(rows, runs, strict=True)]
        for (case, n, captions), count, future in zip(rows, runs, waiting, strict=True):
            found, before = future.result()
            cells = [
                f"{found.get(name, 0.0):.3f}" + (" *" if name == case.error else "")
                for name in ("holds", "undecided", "refuted", "metric", "broad drift", "severe losses")
            ]
            row = (n, captions, case.name, count, f"{before:.2f}", *cells)
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def clip_rows() -> tuple[np.ndarray, np.ndarray] | None:
    """Read the frozen CLIP, pictures and captions."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    file = Path(os.environ.get("CLIPEVAL_REFERENCE_DATA", beside)) / "clip-coco500" / "features_clip.npy"
    if not file.is_file():
        return None
    images, texts = np.load(file, allow_pickle=False)
    return images, texts


def noise_table(repetitions: int) -> None:
    """Print what noise on a real CLIP is called."""
    rows = clip_rows()
    if rows is None:
        print("no frozen CLIP here: set CLIPEVAL_REFERENCE_DATA")
        return
    old = kept(*rows)
    print(
        "| noise | dtype said | runs | 1 - cosine | drift | Δ hit@1 t2i | Δ hit@1 i2t | holds | undecided "
        "| refuted | by metric | broad | severe |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for words, relatives in ((CPU, SIZES), (BFLOAT16, SIZES_OF_BFLOAT16)):
        for relative in relatives:
            print(noise_row(old, rows, relative, words, repetitions), flush=True)


SIZES = (0, 1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.8, 1.5)
SIZES_OF_BFLOAT16 = (1e-3, 1e-2, 3e-2, 4.5e-2)


def noise_row(
    old: Snapshot,
    rows: tuple[np.ndarray, np.ndarray],
    relative: float,
    words: Mapping[str, str],
    repetitions: int,
) -> str:
    """Compare CLIP with itself and noise of one size."""
    rng = np.random.default_rng(int(relative * 1e7))
    counted: Counter[str] = Counter()
    losses: list[tuple[float, float]] = []
    apart = 0.0
    for _ in range(repetitions):
        new = kept(*(noisy(rng, side, relative) for side in rows), words=words)
        result = compare_snapshots(old, new)
        counted.update([result.verdict.value, *reasons(result), f"kind {result.drift[0].kind}"])
        first = [change.difference for change in result.metrics if change.metric == "hit_rate@1"]
        losses.append((first[1], first[0]))
        apart += (1 - (result.drift[0].median or 1.0)) / repetitions
    kinds = ", ".join(sorted(name[5:] for name in counted if name.startswith("kind ")))
    t2i, i2t = np.mean(losses, axis=0)
    shares = [
        f"{counted[name] / repetitions:.2f}"
        for name in ("holds", "undecided", "refuted", "metric", "broad drift", "severe losses")
    ]
    said = words["dtype"]
    return (
        f"| {relative:g} | {said} | {repetitions} | {apart:.1e} | {kinds} | {t2i:+.4f} | {i2t:+.4f} | "
        f"{' | '.join(shares)} |"
    )


def main(repetitions: int, jobs: int) -> None:
    """Print both tables."""
    noise_table(max(1, repetitions // 25))
    table(repetitions, jobs)


if __name__ == "__main__":
    main(*([int(word) for word in sys.argv[1:]] + [500, 1][len(sys.argv) - 1 :]))
