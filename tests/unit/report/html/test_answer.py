from __future__ import annotations

import numpy as np

from clipeval.compare.job import compare
from clipeval.report.html.answer import answer_values


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
