"""Reports kept by fingerprint, and the two places that ask for them."""

from __future__ import annotations

import json

import pytest

from clipeval.cli import main
from clipeval.errors import EncoderError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.by_spec import evaluate_spec
from clipeval.probes import ProbeStore, probe

MODULE = """
import numpy as np

class Encoder:
    fingerprint = {"weights": "by hand"}
    calls = 0

    def __init__(self, drift="0"):
        self.drift = float(drift)

    def encode_images(self, pictures):
        Encoder.calls += 1
        print("noise of the user's own")
        return np.array([np.asarray(p).mean(axis=(0, 1)) for p in pictures]) + self.drift * Encoder.calls

    def encode_texts(self, texts):
        return np.array([[len(t), sum(map(ord, t)) % 97, t.count("a") + 1] for t in texts], dtype=float)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "probed_encoders.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    return "python:probed_encoders:Encoder"


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


def test_a_second_run_of_the_same_fingerprint_encodes_nothing(plain, tmp_path) -> None:
    store = ProbeStore(tmp_path)
    first, again = plain(), plain()
    fresh, kept = probe(first, store=store), probe(again, store=store)
    assert (fresh.cached, kept.cached) == (False, True)
    assert (kept.findings, kept.image_passes) == (fresh.findings, fresh.image_passes)
    assert again.calls == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]  # no half-written file is left


def test_an_encoder_with_an_error_is_asked_again_for_its_cause_may_be_gone(plain, tmp_path) -> None:
    store = ProbeStore(tmp_path)
    assert [finding.name for finding in probe(plain(batch=0.01), store=store).errors] == ["batch invariance"]
    mended = probe(plain(), store=store)  # the same fingerprint: the user called .eval()
    assert (mended.errors, mended.cached) == ((), False)


@pytest.mark.parametrize("change", [{"words": {"weights": "other"}}, {"name": "python:other:encoder"}])
def test_another_fingerprint_or_model_is_probed_anew(plain, tmp_path, change) -> None:
    store = ProbeStore(tmp_path)
    probe(plain(), store=store)
    assert not probe(plain(**change), store=store).cached


def test_a_kept_report_does_not_vouch_for_the_state_of_a_network(plain, tmp_path) -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    store = ProbeStore(tmp_path)
    sound, training, narrow = plain(), plain(), plain()
    for encoder in (sound, training, narrow):
        encoder.network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.GELU()).eval()
    assert probe(sound, store=store).errors == ()
    training.network.train()
    narrow.network.half()
    again = probe(training, store=store)
    assert ([finding.name for finding in again.errors], again.cached) == (["evaluation mode"], True)
    assert [finding.name for finding in probe(narrow, store=store).warnings] == ["dtype"]
    assert training.calls == narrow.calls == 0  # looked at, not encoded


@pytest.mark.parametrize(
    ("words", "kept"),
    [({"model": "mine"}, False), ({"weights": "v1"}, True), ({"text tower weights": "ab" * 32}, True)],
)
def test_an_encoder_of_ones_own_is_kept_only_if_it_names_its_weights(plain, tmp_path, words, kept) -> None:
    store = ProbeStore(tmp_path)
    probe(plain(words=words), store=store)
    assert probe(plain(words=words), store=store).cached is kept
    probe(plain(words=words, name="hf:folder"), store=store)
    assert probe(plain(words=words, name="hf:folder"), store=store).cached


@pytest.mark.parametrize("words", [{}, {"weights": "unfingerprinted"}])
def test_what_has_no_fingerprint_is_probed_each_time(plain, tmp_path, words) -> None:
    store = ProbeStore(tmp_path / "none")
    assert not any(probe(plain(words=words), store=store).cached for _ in range(2))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"findings": []}', '{"findings": [{"name": 1}]}'])
def test_a_report_that_is_not_whole_counts_as_absent(plain, tmp_path, content) -> None:
    store = ProbeStore(tmp_path)
    probe(plain(), store=store)
    next(tmp_path.iterdir()).write_text(content, encoding="utf-8")
    assert not probe(plain(), store=store).cached
    assert probe(plain(), store=store).cached


def test_a_folder_that_cannot_be_written_is_no_error(plain, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    assert probe(plain(), store=ProbeStore(tmp_path / "file" / "probes")).errors == ()


def test_an_evaluation_by_spec_is_probed_first_and_refused_on_an_error(mine, tmp_path) -> None:
    from clipeval.data import load_dataset

    data = load_dataset("embedded", limit=2)
    cache = EmbeddingCache(tmp_path / "rows")
    with pytest.raises(EncoderError, match="the same input twice"):
        evaluate_spec(f"{mine}?drift=1", data, cache=cache)
    assert evaluate_spec(f"{mine}?drift=1", data, probing=False).warnings == ()
    assert evaluate_spec(mine, data, cache=cache).warnings == ()
    assert list((tmp_path / "rows" / "probes").glob("*.json"))


def test_the_command_says_0_for_a_right_encoder_1_for_an_error_and_3_for_no_encoder(mine, capsys) -> None:
    assert status("probe", mine) == 0
    said = capsys.readouterr()
    assert "ok             finite: no NaN and no infinity" in said.out
    assert "10 pictures and 10 texts were encoded now" in said.out
    assert "noise" not in said.out
    assert status("probe", mine) == 0
    assert "by an earlier run of the same fingerprint" in capsys.readouterr().out
    assert status("probe", f"{mine}?drift=1", "--no-cache") == 1
    said = capsys.readouterr().out
    assert "error          repeatable, pictures" in said
    assert "to do: call .eval()" in said
    assert status("probe", "frozn:x.npz") == 3
    assert "did you mean 'frozen'?" in capsys.readouterr().err


def test_the_command_says_of_frozen_rows_that_nothing_was_encoded(captioned, frozen, capsys) -> None:
    assert status("probe", frozen(captioned(5))) == 0
    said = capsys.readouterr().out
    assert "nothing was encoded: rows that are played back cannot be probed" in said
    assert "were encoded" not in said


def test_json_is_only_the_document(mine, capsys) -> None:
    assert status("probe", mine, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == mine
    assert document["image_passes"] == 10
    assert {"name", "severity", "what", "fix"} == set(document["findings"][0])
