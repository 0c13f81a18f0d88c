"""Gallery rows 18 to 22: what is printed beside the scores."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import numpy as np

from clipeval.bench.clock import time_call
from clipeval.claims.checks import not_collapsed
from clipeval.claims.checks.plausible_rows import low_figures, read_published, rows_plausible
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.bootstrap import bootstrap_interval
from clipeval.core.comparison import compare_paired
from clipeval.core.paired import sign_flip_test
from clipeval.core.percentiles import percentile_bound
from clipeval.core.verdict import Verdict

FGVC_PICTURES, FGVC_CLASSES = 3_333, 100


class Accelerator:
    """A device that works in a thread of its own: asking it to work returns at once."""

    name = "asynchronous"

    def __init__(self) -> None:
        self.asked: queue.Queue[float] = queue.Queue()
        self.worked: list[float] = []
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            seconds = self.asked.get()
            start = time.perf_counter()
            time.sleep(seconds)
            self.worked.append(time.perf_counter() - start)
            self.asked.task_done()

    def launch(self) -> None:
        self.asked.put(0.02)

    def synchronise(self) -> None:
        self.asked.join()


def test_row_18_a_gpu_timed_without_synchronisation() -> None:
    device = Accelerator()
    naive = []
    for _ in range(21):
        start = time.perf_counter()
        device.launch()
        naive.append(time.perf_counter() - start)  # the mistake: the clock is read while the device works
    device.synchronise()
    # the median: whoever else uses the machine can hold up one call or another
    assert np.median(naive) < 0.1 * min(device.worked)

    ours = time_call(device.launch, device, seconds=0.2)
    assert ours.median >= min(device.worked)
    assert ours.seconds.sum() >= 0.9 * sum(device.worked[-len(ours.seconds) :])
    assert ours.returned_early  # red: a plain clock around this call would lie
    assert "returned before its work was done" in ours.warning
    assert np.median(ours.returned) < 0.1 * ours.median

    def waits() -> None:
        device.launch()
        device.synchronise()

    twin = time_call(waits, device, seconds=0.2)
    assert twin.median >= min(device.worked)
    assert not twin.returned_early


def test_row_19_p99_printed_from_20_samples() -> None:
    truth = -np.log(0.01)  # p99 of seconds that are exponential with mean 1
    rng = np.random.default_rng(0)
    invented = np.percentile(rng.exponential(size=(500, 20)), 99, axis=1)
    assert np.mean(invented < truth) > 0.8  # the mistake: nearly always too good
    short = percentile_bound(rng.exponential(size=20), 0.99)
    assert (short.value, short.needed) == (None, 662)
    bounds = [percentile_bound(row, 0.99).value for row in rng.exponential(size=(500, 662))]
    assert np.mean([bound is not None and bound >= truth for bound in bounds]) > 0.97


def naive_p(differences: np.ndarray, *, n_resamples: int, seed: int | None) -> float:
    """Count the sign patterns that reach the observed sum, and forget the observed one itself."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], size=(n_resamples, len(differences)))
    return float(np.mean(np.abs(signs @ differences) >= abs(differences.sum())))


def test_row_20_a_p_value_of_exactly_0_and_draws_without_a_seed() -> None:
    differences = np.ones(60)
    assert naive_p(differences, n_resamples=999, seed=0) == 0
    assert sign_flip_test(differences, n_resamples=999) == 1 / 1000  # the +1 rule
    assert sign_flip_test(differences[:10]) == 2 / 2**10  # full enumeration takes no +1
    noisy = np.random.default_rng(3).normal(0.15, 1, size=40)
    unseeded = {naive_p(noisy, n_resamples=999, seed=None) for _ in range(6)}
    assert len(unseeded) > 1
    seeded = {sign_flip_test(noisy, n_resamples=999) for _ in range(3)}
    assert len(seeded) == 1
    intervals = {bootstrap_interval(noisy, n_resamples=999, seed=7) for _ in range(3)}
    assert len(intervals) == 1
    test = compare_paired(np.ones(60), np.zeros(60), range(60))
    assert 0 < test.p < 1e-6


BROKEN = "coca_ViT-B-32, mscoco_finetuned_laion2b_s13b_b90k"


def test_row_21_a_published_row_that_is_itself_broken(reference_data: Path) -> None:
    rows = read_published(reference_data / "published" / "openclip_classification_results.csv")
    assert (len(rows), rows[BROKEN]["ImageNet 1k"]) == (121, 0.0079)
    low = low_figures(rows)
    assert {one.row for one in low} == {BROKEN}  # no false alarm among the 120 others
    assert any(one.column == "ImageNet 1k" and one.lowest_other == 0.0270 for one in low)
    found = rows_plausible(rows)([])
    assert found.verdict is Verdict.REFUTED
    assert f"{BROKEN}: 15 of 35" in found.sentence
    sound = {row: scores for row, scores in rows.items() if row != BROKEN}
    assert rows_plausible(sound)([]).verdict is Verdict.HOLDS


def test_row_21_is_below_chance_on_one_data_set(reference_data: Path) -> None:
    rows = read_published(reference_data / "published" / "openclip_classification_results.csv")

    def above_chance(row: str) -> Verdict:
        """Judge the row on FGVC Aircraft, as if its mean over classes were over pictures."""
        right = round(rows[row]["FGVC Aircraft"] * FGVC_PICTURES)
        return rate_in_region(np.arange(FGVC_PICTURES) < right, low=1 / FGVC_CLASSES).verdict

    assert above_chance(BROKEN) is Verdict.REFUTED
    assert above_chance("coca_ViT-B-32, laion2b_s13b_b90k") is Verdict.HOLDS


def test_row_22_a_collapsed_model_below_chance() -> None:
    rng = np.random.default_rng(8)
    good = rng.normal(size=(300, 32))
    check = not_collapsed("i2t", k=10)
    swapped = check([evaluation_of_rows(good, -good)])
    assert swapped.verdict is Verdict.REFUTED
    assert "worse than chance, constant or swapped?" in swapped.sentence
    constant = check([evaluation_of_rows(np.ones((300, 32)), good)])
    assert (constant.verdict, "constant?" in constant.sentence) == (Verdict.REFUTED, True)
    assert check([evaluation_of_rows(good, good)]).verdict is Verdict.HOLDS
    assert check([evaluation_of_rows(good, rng.normal(size=(300, 32)))]).verdict is Verdict.UNDECIDED
