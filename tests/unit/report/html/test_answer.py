from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.compare.job import compare
from clipeval.core.verdict import Verdict
from clipeval.report.html.answer import answer_values
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.render import page_html


def answered(job) -> dict:
    names = {result.spec: f"model {at}" for at, result in enumerate(job.models)}
    return answer_values(job, names=names, shown=str)


def rows(path, data, *, good: bool) -> str:
    rng = np.random.default_rng(3)
    images = rng.normal(size=(data.n_images, 24)).astype(np.float32)
    texts = images[data.image_of_caption] if good else rng.normal(size=(data.n_captions, 24))
    np.savez(path, images=images, texts=texts.astype(np.float32))
    return f"frozen:{path}"


def test_the_better_model_is_named_with_its_interval_and_what_it_is_better_than(captioned, tmp_path) -> None:
    data = captioned(30)
    job = compare(
        [rows(tmp_path / "bad.npz", data, good=False), rows(tmp_path / "good.npz", data, good=True)], data
    )
    first, second = answered(job)["sentences"]
    assert first.startswith("model 1 puts a right caption first for 100 % (")
    assert first.endswith("guessing would for 3 %.")
    assert second == "It is better than model 0 in both directions."


def test_where_the_data_cannot_tell_the_page_says_so(captioned, tmp_path) -> None:
    data = captioned(4)
    job = compare(
        [rows(tmp_path / "bad.npz", data, good=False), rows(tmp_path / "good.npz", data, good=True)], data
    )
    assert answered(job)["sentences"][1] == "Whether it is better than model 0, these pictures cannot tell."


def test_what_did_not_run_is_listed_with_its_reason_and_what_to_do(captioned) -> None:
    values = answered(compare(["frozen:absent.npz"], captioned(4)))
    assert values["sentences"] == ["No model ran."]
    reason = " ".join(values["not_run"][0]["reason"])
    assert "to do:" in reason
    assert values["rows"] == []


@pytest.mark.parametrize(
    ("i2t", "t2i", "said"),
    [
        (Verdict.HOLDS, Verdict.REFUTED, "better than model 1 in one direction and worse in the other."),
        (Verdict.UNDECIDED, Verdict.REFUTED, "worse than model 1 in one direction; in the other the data"),
    ],
)
def test_a_direction_in_which_the_best_is_proven_worse_is_not_called_undecided(
    captioned, tmp_path, i2t: Verdict, t2i: Verdict, said: str
) -> None:
    data = captioned(8)
    job = compare(
        [rows(tmp_path / "good.npz", data, good=True), rows(tmp_path / "bad.npz", data, good=False)], data
    )
    verdicts = {"i2t": i2t, "t2i": t2i}
    pairs = tuple(replace(pair, verdict=verdicts[pair.direction]) for pair in job.pairs)
    assert f"It is {said}" in answered(replace(job, pairs=pairs))["sentences"][1]


def test_a_model_with_the_same_embeddings_is_called_that_and_not_undecided(captioned, tmp_path) -> None:
    data = captioned(8)
    specs = [rows(tmp_path / f"{name}.npz", data, good=True) for name in "ab"]
    said = answered(compare(specs, data))["sentences"][1]
    assert said == "Its embeddings are bit for bit those of model 1."


def test_a_pair_of_equal_embeddings_says_so_in_the_table(captioned, tmp_path) -> None:
    data = captioned(8)
    specs = [rows(tmp_path / f"{name}.npz", data, good=True) for name in ("one", "two")]
    job = compare(specs, data)
    page = page_html(comparison_page(job, pictures=[None] * 8))
    assert page.count("identical embeddings: the difference is 0 by identity") == 2
