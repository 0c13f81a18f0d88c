"""Pages of documents: each sample is valid under the schema of the command that writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clipeval.baseline.answer import answer_schema
from clipeval.bench.document import bench_schema
from clipeval.claims.document import claims_schema
from clipeval.errors import ClipevalError
from clipeval.report.chart import svg
from clipeval.report.figures.claims import claims_chart, lettered
from clipeval.report.html.pages import results_page
from clipeval.report.html.render import page_html

HOSTILE = "<img src=x onerror=alert(1)>"
SHA = "0" * 64
CLAIMS: dict[str, Any] = {
    "clipeval": "0.1.0",
    "strict": False,
    "status": 1,
    "counts": {"holds": 1, "refuted": 1, "undecided": 0, "not_run": 0, "broken": 0},
    "datasets": [{"name": "toy", "n_images": 9, "n_captions": 9, "sha256": SHA}],
    "models": [
        {
            "spec": "frozen:/home/somebody/secret/rows.npz",
            "role": "joint",
            "status": "ok",
            "reason": None,
            "precomputed": False,
            "fingerprint": {},
            "warnings": [],
        },
        {
            "spec": "hf:acme/clip",
            "role": None,
            "status": "not_run",
            "reason": "not in /home/somebody/.cache",
            "precomputed": False,
            "fingerprint": {},
            "warnings": [],
        },
    ],
    "cases": [
        {
            "id": f"toy/{verdict}[a]",
            "claim": f"toy/{verdict}",
            "statement": f"{HOSTILE} {verdict}",
            "source": "literature: /not/a/path",
            "tolerance": "ordering",
            "models": ["frozen:/home/somebody/secret/rows.npz"],
            "dataset": SHA,
            "verdict": verdict,
            "broken": None,
            "sentence": "0.4 against 0.1",
            "reason": None,
            "p": 0.01,
            "p_corrected": 0.02,
            "effect": 0.3,
            "low": 0.1,
            "high": 0.5,
            "accepted": None,
            "n": 9,
            "discordant": [6, 0],
            "minimum_detectable_effect": 0.2,
            "worst": ["pic1.jpg"],
            "family": 2,
        }
        for verdict in ("holds", "refuted")
    ],
    "outside": [
        {"id": "x[a]", "claim": "toy/x", "models": [], "dataset": None, "reason": "needs classes"},
    ],
}
FLIP = {
    "item": "pic7",
    "caption": HOSTILE,
    "old_rank": 1,
    "new_rank": 7.5,
    "old_score": 0.31,
    "new_score": 0.28,
    "rival": "pic9",
    "rival_score": 0.29,
}
SWAP: dict[str, Any] = {
    "clipeval": "0.1.0",
    "verdict": "refuted",
    "status": 1,
    "reason": "hit@1 fell",
    "old": "hf:acme/old",
    "new": "hf:acme/new",
    "margin": 0.02,
    "queries": [{"direction": "t2i", "queries": 500, "units": 500}],
    "data": {"same": True, "n_old": 500, "n_new": 500, "added": [], "removed": [], "changed": []},
    "fields": [{"name": "dtype", "label": "dtype", "old": "float32", "new": "float16", "matters": True}],
    "drift": [
        {
            "modality": "pictures",
            "kind": "drift",
            "tolerance": 1e-6,
            "why": "float32",
            "n": 500,
            "n_beyond": 3,
            "median": 0.98,
            "worst": [{"item": "pic3", "caption": None, "cosine": 0.41}],
        }
    ],
    "flips": [{"direction": "t2i", "gained": [], "lost": [FLIP]}],
    "metrics": [
        {
            "metric": "hit_rate@1",
            "direction": "t2i",
            "old": 0.5,
            "new": 0.4,
            "difference": -0.1,
            "interval": {"low": -0.15, "high": -0.05, "level": 0.95, "method": "bootstrap"},
            "margin": 0.02,
            "verdict": "refuted",
            "p": 0.001,
            "judged": True,
        }
    ],
    "guards": [{"name": "severe losses", "tripped": False, "sentence": "none is severe", "queries": []}],
}
NOISE = {"ratio": 1.0, "half_width": 0.02, "too_noisy": False}
BENCH: dict[str, Any] = {
    "kind": "clipeval bench 2",
    "clipeval": "0.1.0",
    "partial": True,
    "settings": {
        "device": "cpu",
        "dtype": "float32",
        "backends": ["torch"],
        "batch_sizes": [8],
        "auto_batch": False,
        "parts": ["forward image"],
        "seconds": 1.0,
        "offline": True,
        "allow_random_init": False,
    },
    "machine": {"processor": HOSTILE},
    "runnable_processes": [0.1, 0.2],
    "roof": {},
    "bytes_per_second_of_a_copy": None,
    "models": [
        {
            "label": "clip",
            "spec": "hf:acme/clip",
            "backend": "torch",
            "status": "ok",
            "reason": None,
            "dtype": "float32",
            "random_init": False,
            "quality": {
                "8": {
                    "agrees": False,
                    "least_cosine": 0.2,
                    "median_cosine": 0.3,
                    "first_places_moved": 0.5,
                    "reason": "rows differ",
                }
            },
            "auto_batch": None,
            "not_timed": [],
            "fingerprint": {},
        }
    ],
    "measurements": [
        {
            "model": "clip",
            "part": "forward image",
            "batch_size": 8,
            "items": 8,
            "sound": False,
            "items_per_second": 1234.5,
            "median": 0.006,
            "low": 0.005,
            "high": 0.007,
            "p90": {"at_most": 0.007, "samples": 100, "needed": 20},
            "p99": {"at_most": None, "samples": 100, "needed": 299},
            "warm_up": 2,
            "warning": None,
            "against_itself": NOISE,
            "operations": None,
            "matrix_product": None,
            "peak_resident_bytes": None,
            "peak_device_bytes": None,
            "seconds": [0.006],
        }
    ],
    "ratios": [],
}
EPOCH = {
    "epoch": 1,
    "loss": 1.5,
    "scale": 14.0,
    "held_out_mrr": 0.4,
    "held_out_n_images": 100,
    "held_out_hit1_i2t": 0.25,
    "held_out_hit1_t2i": 0.3,
    "train_hit1_i2t": 0.9,
    "train_hit1_t2i": 0.9,
    "held_out_chance1_i2t": 0.01,
    "held_out_chance1_t2i": 0.01,
}
TRAINING: dict[str, Any] = {
    "schema": "clipeval training 1",
    "model": "dual:/home/somebody/out",
    "data": {
        "name": HOSTILE,
        "train_pairs": 900,
        "train_images": 900,
        "held_out_pairs": 100,
        "held_out_images": 100,
    },
    "settings": {"epochs": 1},
    "towers": {"image": {"name": "resnet50"}, "text": {"name": "minilm"}},
    "parameters": {"trained": 1000, "frozen": 5},
    "history": [EPOCH],
    "best": 0,
    "findings": [{"kind": "overfit", "text": "training pairs are learned by heart"}],
}
ALL = {"claims": CLAIMS, "swap": SWAP, "bench": BENCH, "training": TRAINING}


def saved(folder: Path, name: str) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(ALL[name]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "schema"), [("claims", claims_schema), ("swap", answer_schema), ("bench", bench_schema)]
)
def test_the_samples_are_what_the_commands_write(name: str, schema: Any) -> None:
    Draft202012Validator(schema()).validate(ALL[name])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("claims", ["1 of 2 claims holds, 1 refuted", "0.4 against 0.1", "[+0.10, +0.50]", "needs classes"]),
        ("swap", ["hit@1 fell", "-0.100", "1 query lost the first place", "1 → 7.5", "float16", "0.410000"]),
        ("bench", ["<s>1,234.5</s>", "this is part of it", "wrong answers", "rows differ"]),
        ("training", ["Epoch 1 is kept", "30&nbsp;%", "1&nbsp;%", "learned by heart", "1,000 parameters"]),
    ],
)
def test_a_document_gets_a_page_that_says_what_it_found(tmp_path: Path, name: str, said: list[str]) -> None:
    text = page_html(results_page([saved(tmp_path, name)]))
    for words in said:
        assert words in text
    assert "&lt;img src=x" in text
    assert HOSTILE not in text
    assert "somebody" not in text
    assert "literature: /not/a/path" in text or name != "claims"


def test_paths_stay_where_they_are_asked_for(tmp_path: Path) -> None:
    text = page_html(results_page([saved(tmp_path, "claims")], show_paths=True))
    assert "/home/somebody/.cache" in text


def test_all_of_them_fit_into_one_page(tmp_path: Path) -> None:
    page = results_page([saved(tmp_path, name) for name in ALL])
    assert page.title == "4 results"
    ids = [section.id for section in page.sections]
    assert len(ids) == len(set(ids))
    assert page_html(page).count("<h2") == len(ids)


@pytest.mark.parametrize("name", ["mine", "", "hf:", "hf:a@", "hf:a?dtype", HOSTILE, "\ud83d"])
def test_a_model_of_any_name_has_its_page(tmp_path: Path, name: str) -> None:
    """Encoders of the user's own have no spec."""
    bench = {**BENCH, "models": [{**BENCH["models"][0], "spec": name}]}
    for document in ({**SWAP, "old": name, "new": "mine"}, bench):
        path = tmp_path / "document.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        assert HOSTILE not in page_html(results_page([path]))


@pytest.mark.parametrize("name", ALL)
def test_a_document_that_is_not_whole_is_named(tmp_path: Path, name: str) -> None:
    document = json.loads(json.dumps(ALL[name]))
    document[{"claims": "cases", "swap": "metrics", "bench": "measurements", "training": "history"}[name]] = [
        {}
    ]
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ClipevalError, match="not whole") as caught:
        results_page([path])
    assert "broken.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "\x00", '"claims"'])
def test_anything_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(ClipevalError, match=r"other\.json"):
        results_page([path])


def test_an_empty_folder_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ClipevalError, match=r"holds none of comparison\.json"):
        results_page([tmp_path])


def test_two_models_of_one_file_name_keep_their_letters(tmp_path: Path) -> None:
    document = json.loads(json.dumps(CLAIMS))
    first = document["models"][0]
    document["models"][1] = {**first, "spec": "frozen:/home/somebody/other/rows.npz"}
    document["cases"][0]["models"] = [model["spec"] for model in document["models"]]
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    text = page_html(results_page([path]))
    for words in ("A  frozen secret/rows.npz", "B  frozen other/rows.npz", "A B", "toy/holds  A B"):
        assert words in text
    assert "somebody" not in text


def test_a_model_without_a_spec_is_known_by_its_name(tmp_path: Path) -> None:
    document = json.loads(json.dumps(CLAIMS))
    document["models"][1]["spec"] = "an encoder of my own"
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert "B  an encoder of my own" in page_html(results_page([path]))


def test_the_chart_of_claims_shows_effects_beside_what_is_claimed_and_all_verdicts() -> None:
    document = json.loads(json.dumps(CLAIMS))
    document["cases"][0] |= {"accepted": [-0.02, 1.0], "tolerance": "non-inferiority"}
    document["cases"].append(
        {**document["cases"][0], "claim": "toy/exact", "effect": None, "tolerance": "exact"}
    )
    document["cases"][2]["accepted"] = None
    chart = claims_chart(lettered(document))
    rows = [dict(zip(chart.columns, row, strict=True)) for row in chart.rows]
    assert [row["verdict"] for row in rows] == ["refuted", "holds", "holds"]
    assert [(row["accepted_from"], row["accepted_to"]) for row in rows] == [(0.0, ""), (-0.02, 1.0), ("", "")]
    assert (rows[1]["effect"], rows[1]["low"], rows[1]["high"]) == (0.3, 0.1, 0.5)
    assert chart.alt.startswith("1 refuted, 1 holds: toy/refuted  A refuted +0.300 [+0.100, +0.500]; ")
    drawn = svg(chart)
    assert drawn.count("<title>toy/") == 2
    assert HOSTILE not in drawn
