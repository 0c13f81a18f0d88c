"""The clock, on a fake device and a fake clock: nothing here depends on how fast this machine is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from clipeval.bench.clock import time_call, time_calls
from clipeval.bench.devices import Cpu, device_named, devices_here
from clipeval.bench.ratio import QUIET, interleaved_ratio, noise_of, separate_ratio
from clipeval.core.median import exact_median_interval, median_interval
from clipeval.errors import ClipevalError, InvalidInputError


def test_work_that_goes_on_after_the_call_returned_is_counted(device) -> None:
    timing = time_call(lambda: device.launch(0.1), device, seconds=1.0, now=device.now)
    assert timing.median == pytest.approx(0.101)
    assert np.median(timing.returned) == pytest.approx(0.001)  # all that a plain clock sees
    assert timing.unfinished == pytest.approx(0.1 / 0.101)
    assert timing.returned_early
    assert "returned before its work was done: 99%" in timing.warning


def test_a_call_that_waits_is_timed_alike_and_raises_no_flag(device) -> None:
    def call() -> None:
        device.launch(0.1)
        device.synchronise()

    timing = time_call(call, device, seconds=1.0, now=device.now)
    assert timing.median == pytest.approx(0.101)
    assert (timing.returned_early, timing.warning) == (False, "")


def test_what_was_queued_before_is_not_counted(device) -> None:
    device.launch(50.0)
    timing = time_call(lambda: device.launch(0.1), device, seconds=1.0, now=device.now)
    assert timing.seconds.max() == pytest.approx(0.101)


def test_the_cost_of_waiting_itself_is_no_unfinished_work(device) -> None:
    plain = device.synchronise

    def slow() -> None:
        plain()
        device.time += 0.02

    device.synchronise = slow
    timing = time_call(lambda: device.launch(0.0, cost=0.1), device, seconds=1.0, now=device.now)
    assert timing.idle == pytest.approx(0.02)
    assert not timing.returned_early


def test_calls_count_only_once_they_stop_getting_shorter(device) -> None:
    costs = itertools.chain([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1], itertools.repeat(0.1))
    timing = time_call(lambda: device.launch(next(costs)), device, seconds=20.0, now=device.now)
    assert timing.plateau
    assert timing.warm_up > 10
    assert timing.seconds.max() == pytest.approx(0.101)


def test_calls_that_never_stop_getting_shorter_are_said_to(device) -> None:
    costs = (10 * 0.9**at for at in itertools.count())
    timing = time_call(lambda: device.launch(next(costs), cost=0), device, seconds=30.0, now=device.now)
    assert not timing.plateau
    assert "before the calls stopped getting faster" in timing.warning


def test_a_call_longer_than_the_measurement_still_counts_three_rounds(device) -> None:
    timing = time_call(lambda: device.launch(60.0), device, seconds=1.0, now=device.now)
    assert (len(timing.seconds), timing.warm_up) == (6, 1)


def test_one_long_interruption_does_not_move_the_median(device) -> None:
    costs = itertools.cycle([0.1] * 20 + [5.0])
    timing = time_call(lambda: device.launch(next(costs)), device, seconds=20.0, now=device.now)
    interval = timing.interval()
    assert interval.low == pytest.approx(0.101)
    assert interval.high == pytest.approx(0.101)
    assert timing.seconds.mean() > 2 * timing.median


def test_percentiles_need_enough_calls(device) -> None:
    few = time_call(lambda: device.launch(0.1), device, seconds=1.0, now=device.now)
    many = time_call(lambda: device.launch(0.001), device, seconds=2.0, now=device.now)
    assert (len(few.seconds) < 64, few.percentile(0.9).value) == (True, None)
    assert len(many.seconds) >= 662
    assert many.percentile(0.99).value == pytest.approx(0.002)


def test_calls_are_made_there_and_back_from_alternating_ends(device) -> None:
    made = []

    def named(name):
        def call() -> None:
            made.append(name)
            device.launch(0.1)

        return call

    first, second = time_calls([named("a"), named("b")], device, seconds=0.5, now=device.now)
    assert len(first.seconds) == len(second.seconds) >= 5
    counted = made[first.warm_up + second.warm_up :]
    assert "".join(counted).startswith("abbabaababba")


def test_what_slows_the_machine_down_for_a_while_slows_all_calls_of_those_rounds(device) -> None:
    def call() -> None:
        device.launch(0.1 if device.time < 10 else 0.3)

    first, second = time_calls([call, call], device, seconds=10.0, now=device.now)
    ratio, interval = interleaved_ratio(first.seconds, second.seconds)
    assert first.seconds.max() > 2 * first.seconds.min()
    assert (ratio, interval.low, interval.high) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("words", [{"seconds": 0.0}, {"seconds": -1.0}, {"at_least": 0}, {"at_most": 2}])
def test_measurements_of_nothing_are_refused(device, words) -> None:
    with pytest.raises(InvalidInputError):
        time_call(lambda: None, device, **words)


def test_a_device_that_is_not_here_is_refused_with_those_that_are(models_extra) -> None:
    assert isinstance(device_named("cpu"), Cpu)
    for name in ("gpu", "cuda:99", "meta"):
        with pytest.raises(ClipevalError) as caught:
            device_named(name)
        assert caught.value.fix == f"here: {', '.join(devices_here())}"
        assert name in caught.value.what


def slow_median_interval(samples, n_resamples: int = 2000) -> tuple[float, float]:
    """Resample one by one, sort, count."""
    rng = np.random.default_rng(5)
    found = sorted(float(np.median(rng.choice(samples, size=len(samples)))) for _ in range(n_resamples))
    return found[int(0.025 * n_resamples)], found[int(0.975 * n_resamples) - 1]


def test_the_interval_of_a_median_is_that_of_the_plain_bootstrap() -> None:
    samples = np.round(np.random.default_rng(4).exponential(size=31), 2).tolist()
    interval = median_interval(samples)
    ordered = sorted(samples)
    slow = slow_median_interval(samples)
    # both bounds are samples; Monte Carlo may move them to a neighbour
    for found, expected in zip((interval.low, interval.high), slow, strict=True):
        assert abs(ordered.index(found) - ordered.index(expected)) <= 1


def test_the_interval_of_a_median_holds_it_in_about_19_of_20_cases() -> None:
    rng = np.random.default_rng(6)
    inside = [np.log(2) in median_interval(rng.exponential(size=40), seed=at) for at in range(400)]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_the_ratio_of_calls_in_turns_ignores_what_both_have_in_common() -> None:
    rng = np.random.default_rng(8)
    weather = rng.lognormal(0, 1.0, size=60)
    first, second = 2.0 * weather * rng.lognormal(0, 0.01, size=60), weather
    ratio, interval = interleaved_ratio(first, second)
    assert ratio == pytest.approx(2.0, rel=0.01)
    assert interval.high - interval.low < 0.05
    apart, wide = separate_ratio(first, second)
    assert apart == pytest.approx(2.0, rel=0.5)
    assert wide.high - wide.low > 0.5


def test_a_ratio_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="2 and 1 rounds"):
        interleaved_ratio([1, 1, 1, 1], [1, 1])
    with pytest.raises(InvalidInputError, match="positive"):
        separate_ratio([1, 0], [1, 1])


def test_a_drift_within_rounds_cancels_between_two_calls(device) -> None:
    """The machine slows down by 1 % with every call: a call that always came second would seem slower."""

    def call() -> None:
        device.launch(0.1 * 1.01 ** len(made))
        made.append(1)

    made: list[int] = []
    first, second = time_calls([call, call], device, seconds=1.0, now=device.now)
    assert interleaved_ratio(first.seconds, second.seconds)[0] == pytest.approx(1.0, abs=1e-4)
    assert np.abs(first.seconds / second.seconds - 1).min() > 5e-3  # no single pair is equal


def test_interruptions_of_single_calls_do_not_move_a_ratio() -> None:
    rng = np.random.default_rng(12)
    first, second = (np.full(400, seconds) for seconds in (2.0, 1.0))
    for one in (first, second):
        one[rng.random(400) < 0.25] *= 10
    ratio, interval = interleaved_ratio(first, second)
    assert (ratio, interval.low, interval.high) == pytest.approx((2.0, 2.0, 2.0))


def test_a_noisy_machine_is_given_more_rounds_until_it_is_quiet_or_patience_ends(device) -> None:
    rng = np.random.default_rng(2)

    def noisy() -> None:
        device.launch(0.01 * rng.lognormal(0, 0.3))

    def quiet(seconds) -> bool:
        asked.append(len(seconds[0]))
        return noise_of(seconds[0]).half_width <= QUIET

    asked: list[int] = []
    (few,) = time_calls([noisy], device, seconds=1.0, now=device.now)
    (patient,) = time_calls([noisy], device, seconds=1.0, patience=100.0, quiet=quiet, now=device.now)
    assert noise_of(few.seconds).too_noisy
    assert not noise_of(patient.seconds).too_noisy
    assert len(patient.seconds) > 5 * len(few.seconds)
    # not after every round: a sequence that is looked at too often is stopped by luck
    assert all(b >= 1.4 * a for a, b in itertools.pairwise(asked))
    (ended,) = time_calls([noisy], device, seconds=1.0, patience=3.0, quiet=lambda _: False, now=device.now)
    assert 2.5 * len(few.seconds) < len(ended.seconds) < 5 * len(few.seconds)


def test_too_noisy_is_said_only_where_a_call_against_itself_was_measured_so() -> None:
    rng = np.random.default_rng(3)
    for spread, said in ((0.001, False), (0.5, True)):
        found = noise_of(rng.lognormal(0, spread, size=80))
        assert found.too_noisy is said
        assert found.too_noisy is (found.half_width > 0.03)


def test_the_interval_of_a_call_against_itself_holds_one_in_about_19_of_20_cases() -> None:
    rng = np.random.default_rng(9)
    inside = [1.0 in noise_of(rng.lognormal(0, 0.2, size=60)).interval for _ in range(300)]
    assert 0.9 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("rounds", [3, 5, 10])
@pytest.mark.parametrize("weather", ["steady", "drifting", "interrupted"])
def test_the_interval_of_a_ratio_holds_it_even_after_few_rounds(rounds, weather) -> None:
    rng = np.random.default_rng(rounds)
    inside = []
    for _ in range(400):
        logs = rng.normal(0, 0.03, size=(rounds, 4))
        if weather == "drifting":
            logs += np.linspace(0, 0.08 * rounds, 4 * rounds).reshape(rounds, 4)
        if weather == "interrupted":
            logs += np.where(rng.random(logs.shape) < 0.15, rng.uniform(0.4, 1.4, logs.shape), 0)
        times = np.exp(logs)
        outer, inner = times[:, [0, 3]], times[:, [1, 2]]  # a b b a, then b a a b
        even = (np.arange(rounds) % 2 == 0)[:, None]
        first, second = np.where(even, outer, inner), np.where(even, inner, outer) * 0.8
        inside.append(1.25 in interleaved_ratio(first.ravel(), second.ravel())[1])
    assert np.mean(inside) > 0.93


def slow_coverage(n: int, k: int) -> float:
    """Count the sign patterns of n samples that leave the median between the k-th of both ends."""
    patterns = itertools.product((0, 1), repeat=n)
    return sum(k <= sum(below) <= n - k for below in patterns) / 2**n


@pytest.mark.parametrize("n", [1, 2, 5, 6, 9, 12])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_exact_interval_of_a_median_is_the_narrowest_that_holds_as_often_as_asked(n, level) -> None:
    interval = exact_median_interval(np.arange(1.0, n + 1), level=level)
    k = int(interval.low)
    assert interval.high == n - k + 1
    assert interval.level == min(level, slow_coverage(n, 1))
    if interval.level == level:
        assert slow_coverage(n, k) >= level
    assert k == n - k + 1 or 2 * (k + 1) > n + 1 or slow_coverage(n, k + 1) < level


def test_an_odd_number_of_seconds_is_no_rounds() -> None:
    with pytest.raises(InvalidInputError, match="two of each round"):
        noise_of([1.0, 1.0, 1.0])
