"""How long exact ranking takes beside the bare product, and beside other libraries; prints ratios.

    python tests/benchmarks/ranking_speed.py product            5,000 images x 25,000 captions, d = 512
    python tests/benchmarks/ranking_speed.py peers              the same work with other libraries' algorithms
    python tests/benchmarks/ranking_speed.py growth             squares; --sizes 10000 30000 100000
    python tests/benchmarks/ranking_speed.py ties               constant, copied and two-cluster rows
    python tests/benchmarks/ranking_speed.py memory             peak memory beyond the inputs

All ways are timed in turn in one run and compared run by run: on a machine that does other work too only the
ratios mean something. `cpu` is processor time of all threads, which other work disturbs less than `wall`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from clipeval import rank_retrieval, unit_rows

D = 512


def captioned_images(n_images: int, per_image: int, *, noise: float) -> tuple[np.ndarray, ...]:
    """Rows with the falling spectrum and the modality gap of a trained encoder; noise sets the hit rate."""
    rng = np.random.default_rng(0)
    scale = (1 / np.sqrt(1 + np.arange(D) / 8)).astype(np.float32)
    owner = np.repeat(np.arange(n_images), per_image)
    images = rng.standard_normal((n_images, D), dtype=np.float32) * scale
    texts = rng.standard_normal((len(owner), D), dtype=np.float32)
    texts *= noise * scale
    texts += images[owner]
    images[:, 0] += 3
    texts[:, 0] -= 1
    return images, texts, owner


def bare_product(left: np.ndarray, right: np.ndarray, rows: int = 1000) -> Callable[[], None]:
    block = np.empty((min(rows, len(left)), len(right)), dtype=np.float32)

    def run() -> None:
        for start in range(0, len(left), rows):
            part = left[start : start + rows]
            np.matmul(part, right.T, out=block[: len(part)])

    return run


def in_turn(ways: dict[str, Callable[[], object]], *, rounds: int, base: str) -> None:
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            time.sleep(0.1)  # threads of a BLAS library spin on after a product, on the next way's cores
            start, used = time.perf_counter(), time.process_time()
            way()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    for name in ways:
        ratios = [median(a / b for a, b in zip(t[name], t[base], strict=True)) for t in (wall, cpu)]
        print(
            f"{name:34} wall {median(wall[name]):8.2f} s  x{ratios[0]:6.2f}   "
            f"cpu {median(cpu[name]):8.2f} s  x{ratios[1]:6.2f}"
        )


def product(rounds: int) -> None:
    for label, noise in (("ranks well", 1.6), ("ranks half of them first", 3.0), ("knows nothing", 1e3)):
        images, texts, owner = captioned_images(5000, 5, noise=noise)
        ranks = rank_retrieval(images, texts, owner)
        print(f"\nan encoder that {label}: hit@1 {ranks.i2t.hit_rate(1):.3f} / {ranks.t2i.hit_rate(1):.3f}")
        in_turn(
            {
                "bare float32 product": bare_product(unit_rows(images), unit_rows(texts)),
                "ranks and hit rates": lambda a=images, b=texts, o=owner: rank_retrieval(
                    a, b, o, rivals=False
                ),
                "with rivals": lambda a=images, b=texts, o=owner: rank_retrieval(a, b, o),
                "with rivals and top 10": lambda a=images, b=texts, o=owner: rank_retrieval(a, b, o, top=10),
            },
            rounds=rounds,
            base="bare float32 product",
        )


def clip_benchmark_recall(
    images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: tuple[int, ...]
) -> dict:
    """clip_benchmark.metrics.zeroshot_retrieval after the encoder, line by line (LAION, MIT licence)."""
    import torch

    a = torch.nn.functional.normalize(torch.from_numpy(images), dim=-1)
    b = torch.nn.functional.normalize(torch.from_numpy(texts), dim=-1)
    scores = b @ a.t()
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), torch.from_numpy(owner)] = True

    def recall_at_k(scores, positive_pairs, k):
        nb_texts, nb_images = scores.shape
        topk = torch.topk(scores, k, dim=1)[1]
        nb_positive = positive_pairs.sum(dim=1)
        onehot = torch.nn.functional.one_hot(topk, num_classes=nb_images)
        found = (onehot * positive_pairs.view(nb_texts, 1, nb_images)).sum(dim=(1, 2))
        return found / nb_positive

    def batchify(x, y, k, size=64):
        parts = [recall_at_k(x[i : i + size], y[i : i + size], k) for i in range(0, len(x), size)]
        return torch.cat(parts)

    found = {}
    for k in ks:
        found[f"t2i@{k}"] = float((batchify(scores, positive, k) > 0).float().mean())
        found[f"i2t@{k}"] = float((batchify(scores.T, positive.T, k) > 0).float().mean())
    return found


def torchmetrics_recall(
    images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: tuple[int, ...]
) -> dict:
    import torch
    from torchmetrics.retrieval import RetrievalHitRate

    a = torch.nn.functional.normalize(torch.from_numpy(images), dim=-1)
    b = torch.nn.functional.normalize(torch.from_numpy(texts), dim=-1)
    scores, target = b @ a.t(), torch.from_numpy(owner)[:, None] == torch.arange(len(images))
    index = torch.arange(len(texts))[:, None].expand_as(scores)
    return {
        f"t2i@{k}": float(RetrievalHitRate(top_k=k)(scores.flatten(), target.flatten(), index.flatten()))
        for k in ks
    }


def ranx_hits(images: np.ndarray, texts: np.ndarray, owner: np.ndarray, ks: tuple[int, ...]) -> dict:
    from ranx import Qrels, Run, evaluate

    scores = unit_rows(texts).astype(np.float64) @ unit_rows(images).astype(np.float64).T
    run = Run({f"q{q}": {f"d{d}": float(s) for d, s in enumerate(row)} for q, row in enumerate(scores)})
    qrels = Qrels({f"q{q}": {f"d{o}": 1} for q, o in enumerate(owner)})
    found = evaluate(qrels, run, [f"hit_rate@{k}" for k in ks])
    return {f"t2i@{k}": float(found[f"hit_rate@{k}"]) for k in ks}


def peers(n_images: int, per_image: int, names: list[str]) -> None:
    ks = (1, 5, 10)
    images, texts, owner = captioned_images(n_images, per_image, noise=3.0)
    ways = {"clip_benchmark": clip_benchmark_recall, "torchmetrics": torchmetrics_recall, "ranx": ranx_hits}
    print(f"{n_images} images x {len(texts)} captions")
    rank_retrieval(images, texts, owner, rivals=False)  # loads what is compiled
    for name in names:  # and what the others import
        ways[name](images[:60], texts[:300], owner[:300], ks)
    start, used = time.perf_counter(), time.process_time()
    ranks = rank_retrieval(images, texts, owner, rivals=False)
    mine = {f"{name}@{k}": getattr(ranks, name).hit_rate(k) for name in ("i2t", "t2i") for k in ks}
    base = time.perf_counter() - start, time.process_time() - used
    print(f"{'clipeval':16} wall {base[0]:8.2f} s           cpu {base[1]:8.2f} s           {mine}")
    for name in names:
        start, used = time.perf_counter(), time.process_time()
        found = ways[name](images, texts, owner, ks)
        wall, cpu = time.perf_counter() - start, time.process_time() - used
        worst = max(abs(found[key] - mine[key]) for key in found)
        print(
            f"{name:16} wall {wall:8.2f} s x{wall / base[0]:7.1f}  cpu {cpu:8.2f} s x{cpu / base[1]:7.1f}  "
            f"largest difference of a hit rate {worst:.1e}"
        )


def growth(sizes: list[int], rounds: int) -> None:
    per_pair = []
    rank_retrieval(*captioned_images(9000, 1, noise=3.0))  # loads what is compiled
    for n in sizes:
        images, texts, owner = captioned_images(n, 1, noise=3.0)
        used = []
        for _ in range(rounds):
            start = time.process_time()
            rank_retrieval(images, texts, owner)
            used.append(time.process_time() - start)
        per_pair.append(median(used) / n**2)
        ratio = per_pair[-1] / per_pair[0]
        print(f"{n:7} square: {median(used):8.2f} s cpu, {per_pair[-1] * 1e9:.2f} ns a pair, x{ratio:.2f}")


def ties(n: int, ordinary: int) -> None:
    rng = np.random.default_rng(0)
    base = rng.standard_normal(D).astype(np.float32)
    images, texts, _ = captioned_images(ordinary, 1, noise=3.0)
    start = time.process_time()
    rank_retrieval(images, texts)
    scaled = (time.process_time() - start) * (n / ordinary) ** 2
    print(f"ordinary rows: {scaled:.1f} s cpu for {n} square, by n squared from {ordinary}")
    two = rng.choice(np.array([-1, 1], dtype=np.float32), size=(2, n, 1))
    pool = rng.standard_normal((500, D)).astype(np.float32)
    cases = {
        "constant": lambda: (np.broadcast_to(base, (n, D)),) * 2,
        "two clusters": lambda: (two[0] * base, two[1] * base),
        "500 rows, copied": lambda: tuple(pool[rng.integers(0, 500, n)] for _ in range(2)),
    }
    for name, make in cases.items():
        rows = make()
        start = time.process_time()
        ranks = rank_retrieval(*rows)
        used = time.process_time() - start
        print(f"{name:18} {used:6.2f} s cpu  x{used / scaled:.3f}   hit@1 {ranks.i2t.hit_rate(1):.2e}")


def memory() -> None:
    """Each way in a process of its own; what the inputs need is taken off."""
    code = (
        "import sys; sys.path.insert(0, 'tests/benchmarks'); import numpy as np\n"
        "from ranking_speed import captioned_images, clip_benchmark_recall\n"
        "from clipeval import rank_retrieval\n"
        "import clipeval.core.ranking, threadpoolctl\n"
        "def kib(name):\n"
        "    return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith(name))\n"
        "images, texts, owner = captioned_images({n}, {per}, noise=3.0)\n"
        "rank_retrieval(images[:600], texts[:600])\n"
        "start = kib('VmRSS')\n"
        "{warm}\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"  # the peak starts anew (Linux)
        "before = kib('VmRSS')\n"
        "{work}\n"
        "print((kib('VmHWM') - before) / 1024, (before - start) / 1024)\n"
    )
    compiled = "rank_retrieval(images[:600], texts[:600], top=10, compiled=True)"
    theirs = "clip_benchmark_recall(images[:9], texts[:9], np.arange(9), (1,))"
    ways = {
        "compiled": (compiled, "rank_retrieval(images, texts, owner, compiled=True)"),
        "compiled, top 10": (compiled, "rank_retrieval(images, texts, owner, top=10, compiled=True)"),
        "numpy": ("", "rank_retrieval(images, texts, owner, compiled=False)"),
        "numpy, top 10": ("", "rank_retrieval(images, texts, owner, top=10, compiled=False)"),
        "clip_benchmark": (theirs, "clip_benchmark_recall(images, texts, owner, (1,))"),
    }
    for n, per in ((5000, 5), (20000, 1)):
        for name, (warm, work) in ways.items():
            script = code.format(n=n, per=per, warm=warm, work=work)
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
            peak, loaded = map(float, done.stdout.split())
            print(
                f"{n} x {n * per}: {name:18} {peak:8.1f} MiB beyond the inputs "
                f"({loaded:.0f} MiB of libraries, loaded before)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["product", "peers", "growth", "ties", "memory"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10000, 30000])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--peers", nargs="+", default=["clip_benchmark", "torchmetrics", "ranx"])
    given = parser.parse_args()
    if given.what == "product":
        product(given.rounds)
    elif given.what == "peers":
        peers(given.images, 5, given.peers)
    elif given.what == "growth":
        growth(given.sizes, given.rounds)
    elif given.what == "ties":
        ties(100_000, 10_000)
    else:
        memory()
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
