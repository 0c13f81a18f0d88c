from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from clipeval.compare.job import Comparison, compare, default_models
from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict
from clipeval.data import load_dataset
from clipeval.errors import SpecError
from clipeval.evaluation.scores import score_all


def one_hot(path: Path, right: list[bool]) -> str:
    """Frozen rows of which picture i finds its caption exactly if right[i]; scores are the same both ways."""
    n = len(right)
    images = np.eye(n + 1, dtype=np.float32)[:n]
    texts = images.copy()
    texts[~np.array(right)] = np.eye(n + 1, dtype=np.float32)[n]
    np.savez(path, images=images, texts=texts)
    return f"frozen:{path}"


def slow_holm(p: list[float]) -> list[float]:
    """Smallest first, times how many are left, never below an earlier one."""
    corrected, worst = [0.0] * len(p), 0.0
    for place, at in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        worst = max(worst, min(1.0, p[at] * (len(p) - place)))
        corrected[at] = worst
    return corrected


def test_default_models_are_a_random_bridge_conse_and_clip() -> None:
    assert default_models(42) == (
        "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42",
        "conse:efficientnet-lite0+all-MiniLM-L6-v2",
        "hf:openai/clip-vit-base-patch32",
    )
    assert "seed=7" in default_models(7)[0]


def test_every_pair_is_compared_both_ways_on_the_same_queries(captioned, frozen) -> None:
    data = captioned(25)
    specs = [frozen(data, f"{k}.npz", noise=1.0 + 2 * k, seed=k) for k in range(3)]
    job = compare(specs, data, seed=3)
    assert [(p.first, p.second, p.direction) for p in job.pairs] == [
        (a, b, direction) for a, b in itertools.combinations(specs, 2) for direction in ("i2t", "t2i")
    ]
    evaluations = {result.spec: result.evaluation for result in job.models}
    for pair in job.pairs:
        a, b = (evaluations[spec].direction(pair.direction) for spec in (pair.first, pair.second))
        by_hand = compare_paired(
            [a.hits(1)[query] for query in range(25)],
            [b.hits(1)[query] for query in range(25)],
            range(25),
            seed=3,
        )
        assert pair.test == by_hand
        assert pair.test.discordant == (
            sum(x > y for x, y in zip(a.hits(1), b.hits(1), strict=True)),
            sum(x < y for x, y in zip(a.hits(1), b.hits(1), strict=True)),
        )


def test_p_is_corrected_over_all_pairs_and_directions(captioned, frozen) -> None:
    data = captioned(30)
    job = compare([frozen(data, f"{k}.npz", noise=1.0 + 2 * k, seed=k) for k in range(4)], data)
    assert len(job.pairs) == 12
    assert [pair.p_holm for pair in job.pairs] == pytest.approx(
        slow_holm([pair.test.p for pair in job.pairs])
    )
    for pair in job.pairs:
        decided = pair.p_holm <= 0.05 and pair.test.verdict is not Verdict.UNDECIDED
        assert (pair.verdict is not Verdict.UNDECIDED) == decided


@pytest.mark.parametrize(
    ("others", "verdict"), [(0, Verdict.HOLDS), (1, Verdict.UNDECIDED)], ids=["alone", "in a family"]
)
def test_a_verdict_that_stands_alone_can_fall_with_the_family(
    captioned, tmp_path: Path, others: int, verdict: Verdict
) -> None:
    """Seven one-way pairs: p = 2 / 2^7 = 0.0156; two tests leave 0.031, six leave 0.06 or more."""
    data = captioned(12)
    specs = [
        one_hot(tmp_path / "good.npz", [True] * 12),
        one_hot(tmp_path / "bad.npz", [False] * 7 + [True] * 5),
        one_hot(tmp_path / "good too.npz", [True] * 12),
    ]
    job = compare(specs[: 2 + others], data)
    assert job.pairs[0].test.p == pytest.approx(2 / 2**7)
    assert job.pairs[0].verdict is verdict


def test_the_worse_first_model_is_refuted(captioned, tmp_path: Path) -> None:
    data = captioned(12)
    specs = [one_hot(tmp_path / "bad.npz", [False] * 12), one_hot(tmp_path / "good.npz", [True] * 12)]
    assert {pair.verdict for pair in compare(specs, data).pairs} == {Verdict.REFUTED}


def test_identical_embeddings_are_equal_by_identity(captioned, frozen) -> None:
    data = captioned(10)
    job = compare([frozen(data, "a.npz"), frozen(data, "copy.npz")], data)
    for pair in job.pairs:
        assert "identical embeddings" in pair.test.note
        assert (pair.test.difference, pair.test.interval.low, pair.test.interval.high) == (0, 0, 0)
        assert pair.verdict is Verdict.UNDECIDED


def test_captions_of_one_picture_are_one_cluster(captioned, frozen) -> None:
    data = captioned(15, per_image=4)
    job = compare([frozen(data, f"{k}.npz", noise=2.0 + k, seed=k) for k in range(2)], data)
    i2t, t2i = job.pairs
    assert (i2t.test.n, i2t.test.n_clusters) == (15, 15)
    assert (t2i.test.n, t2i.test.n_clusters) == (60, 15)
    assert "sign-flip" in t2i.test.method
    a, b = (result.evaluation.ranks.t2i.hits(1) for result in job.models)
    assert t2i.test == compare_paired(a, b, [row for row in range(15) for _ in range(4)], seed=42)


def test_scores_and_categories_are_those_of_the_evaluation(captioned, frozen) -> None:
    data = captioned(9, categories=("Animals", "Food"))
    (result,) = compare([frozen(data)], data, seed=5).models
    assert (result.scores, result.categories) == score_all(result.evaluation, seed=5)
    assert list(result.categories) == ["Animals", "Food"]


def test_the_same_model_twice_is_one_model(captioned, frozen) -> None:
    data = captioned(4)
    job = compare([frozen(data)] * 2, data)
    assert len(job.models) == 1
    assert job.pairs == ()


def test_one_absent_model_does_not_stop_the_others(captioned, frozen) -> None:
    data = captioned(4)
    job = compare(["hf:/no/such/folder", frozen(data)], data)
    assert [result.status for result in job.models] == ["not_run", "ok"]
    assert not job.models[0].failed
    assert job.models[0].reason
    assert job.pairs == ()


def test_a_frozen_file_and_a_folder_that_are_absent_are_treated_alike(captioned, frozen) -> None:
    data = captioned(4)
    job = compare(["hf:./no/such/folder", "frozen:./no/such.npz", frozen(data)], data)
    assert [(result.status, result.failed) for result in job.models] == [
        ("not_run", False),
        ("not_run", False),
        ("ok", False),
    ]


def test_every_step_is_told_from_its_start_to_its_end(captioned, frozen) -> None:
    data = captioned(4)
    spec, steps = frozen(data), []
    compare([spec], data, progress=lambda *step: steps.append(step))
    assert [step[1:] for step in steps if step[1] in {"ranking", "scoring"}] == [
        ("ranking", 0, 1),
        ("ranking", 1, 1),
        ("scoring", 0, 1),
        ("scoring", 1, 1),
    ]
    assert {step[0] for step in steps} == {spec}


def test_a_broken_model_is_marked_as_failed_and_the_others_go_on(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(4)
    np.savez(
        tmp_path / "nan.npz", images=np.full((4, 2), np.nan, np.float32), texts=np.ones((4, 2), np.float32)
    )
    job = compare([f"frozen:{tmp_path / 'nan.npz'}", frozen(data)], data)
    assert [(result.status, result.failed) for result in job.models] == [("not_run", True), ("ok", False)]
    assert "row 0" in job.models[0].reason


def test_a_wrong_spec_is_found_before_anything_runs(captioned, frozen) -> None:
    data = captioned(4)
    started: list[str] = []

    def progress(spec: str, *_: object) -> None:
        started.append(spec)

    for wrong, hint in (("froozen:x.npz", "did you mean 'frozen'"), ("frozen", "family:name")):
        with pytest.raises(SpecError, match=hint):
            compare([frozen(data), wrong], data, progress=progress)


def test_a_device_that_is_absent_is_not_replaced_by_shipped_embeddings(models_extra: None) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("the device is here")
    (result,) = compare(
        ["conse:efficientnet-lite0+all-MiniLM-L6-v2"], load_dataset("embedded"), device="cuda", offline=True
    ).models
    assert result.status == "not_run"
    assert "cuda" in result.reason


def test_another_seed_changes_no_score_and_the_same_seed_changes_nothing(captioned, frozen) -> None:
    data = captioned(40, per_image=2)
    specs = [frozen(data, f"{k}.npz", noise=2.0 + k, seed=k) for k in range(2)]

    def numbers(job: Comparison) -> list[object]:
        return [(pair.test, pair.p_holm) for pair in job.pairs] + [result.scores for result in job.models]

    assert numbers(compare(specs, data, seed=1)) == numbers(compare(specs, data, seed=1))
    first, other = compare(specs, data, seed=1), compare(specs, data, seed=2)
    for a, b in zip(first.models, other.models, strict=True):
        for direction in ("i2t", "t2i"):
            values = [
                {name: metric.value for name, metric in result.scores.metrics[direction].items()}
                for result in (a, b)
            ]
            assert values[0] == values[1]
