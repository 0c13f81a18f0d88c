"""Running a study with frozen models: steps, rows from disk, what is judged, the files."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from clipeval.core.verdict import Verdict
from clipeval.data import load_dataset
from clipeval.errors import ClipevalError, NotAvailableError
from clipeval.report.study_files import write_study
from clipeval.studies.document import study_schema
from clipeval.studies.preset import Artefact, Figure, Preset, StudyModel
from clipeval.studies.run import StudyRun, run_study

NAMES = ("Animals", "Food")


@pytest.fixture
def data(captioned, metadata):
    return load_dataset(metadata(captioned(12, categories=NAMES, name="mine")), require_pictures=False)


@pytest.fixture
def preset(data, frozen) -> Preset:
    good, bad = frozen(data, "good.npz", noise=0.05), frozen(data, "bad.npz", noise=50.0)
    return Preset(
        name="mine",
        number="S9",
        title="a study",
        data="12 pictures",
        models=(StudyModel("preclip", "Pre-CLIP", bad, bad), StudyModel("clip", "CLIP", good, good)),
        figures=(
            Figure("clip", "hit_rate@1 i2t", 1.0, 1.0, 0.05, key=True),
            Figure("clip", "right pairs mean", 0.2, 0.3, 0.01),
            Figure("clip", "hit_rate@100 i2t", 1.0, 1.0, 0.1),
        ),
        artefacts=(
            Artefact("clip.json", "results", "clip"),
            Artefact("clip_similarities.csv", "similarities", "clip"),
            Artefact("preclip_matrix.txt", "matrix", "preclip"),
            Artefact("comparison.json", "comparison"),
            Artefact("chart.png", "bars"),
            Artefact("retrieval.csv", "retrieval"),
        ),
        claims=("study/s5/joint-beats-random/*",),
        pictures=12,
        categories=frozenset(NAMES),
    )


def files(written: list[Path], folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in written}


def test_the_whole_writes_every_file_of_the_study(preset, data, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run = run_study(preset, data, data="mine", folder=folder)
    written = write_study(folder, run)
    assert {artefact.file for artefact in preset.artefacts} <= files(written, folder)
    document = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert set(document["files"]) | {"study.json"} == files(written, folder)
    assert all((folder / name).is_file() for name in document["files"])
    picture = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["by_picture"]
    assert set(picture["pic000.jpg"]) == {"category", "caption", "preclip", "clip"}


def test_a_step_of_one_model_writes_its_files_only(preset, data, tmp_path: Path) -> None:
    run = run_study(preset, data, data="mine", folder=tmp_path / "out", step="clip")
    assert files(write_study(tmp_path / "out", run), tmp_path / "out") == {
        "clip/image_embeddings.safetensors",
        "clip/text_embeddings.safetensors",
        "clip.json",
        "clip_similarities.csv",
        "study.json",
    }
    assert run.judged is None


def test_rows_of_the_halves_are_used_again_and_give_the_same_ranks(preset, data, tmp_path: Path) -> None:
    whole = run_study(preset, data, data="mine", folder=tmp_path)
    for step in ("clip-images", "clip-texts"):
        run = run_study(preset, data, data="mine", folder=tmp_path, step=step)
        assert files(write_study(tmp_path, run), tmp_path) == {
            f"clip/{step[5:-1]}_embeddings.safetensors",
            "study.json",
        }
    again = run_study(preset, data, data="mine", folder=tmp_path, step="comparison")
    assert again.reused == ("clip",)
    first, second = (run.evaluation("clip") for run in (whole, again))
    assert first is not None
    assert second is not None
    assert second.ranks.i2t.rank.tolist() == first.ranks.i2t.rank.tolist()
    assert second.fingerprint == first.fingerprint


def test_rows_of_other_data_are_not_used(preset, data, captioned, tmp_path: Path) -> None:
    write_study(tmp_path, run_study(preset, data, data="mine", folder=tmp_path))
    other = captioned(12, name="mine", captions=[f"other {row}" for row in range(12)])
    assert run_study(preset, other, data="mine", folder=tmp_path, step="comparison").reused == ()


def test_broken_rows_are_not_used(preset, data, tmp_path: Path) -> None:
    write_study(tmp_path, run_study(preset, data, data="mine", folder=tmp_path))
    place = tmp_path / "clip" / "text_embeddings.safetensors"
    place.write_bytes(place.read_bytes()[:-8])
    assert run_study(preset, data, data="mine", folder=tmp_path, step="comparison").reused == ("preclip",)


def test_published_figures_are_judged_on_the_studys_own_data(preset, data, tmp_path: Path) -> None:
    judged = run_study(preset, data, data="mine", folder=tmp_path).judged
    assert judged is not None
    found = {case.claim: case.verdict for case in judged.cases if case.claim.startswith("figure/")}
    assert found == {
        "figure/s9/clip/hit_rate@1-i2t": Verdict.HOLDS,
        "figure/s9/clip/right-pairs-mean": Verdict.REFUTED,
        "figure/s9/clip/hit_rate@100-i2t": Verdict.NOT_RUN,
    }


def test_on_other_pictures_no_figure_is_judged(preset, captioned, frozen, tmp_path: Path) -> None:
    other = captioned(12, categories=NAMES, name="holiday")
    judged = run_study(preset, other, data="holiday", folder=tmp_path).judged
    assert judged is not None
    assert not [case for case in judged.cases if case.claim.startswith("figure/")]
    assert len([one for one in judged.outside if one.claim.startswith("figure/")]) == 3


def test_no_figure_of_a_twin_is_judged(preset, data, tmp_path: Path) -> None:
    run = run_study(preset, data, data="mine", folder=tmp_path, twin=True)
    assert run.judged is not None
    claims = [one.claim for one in (*run.judged.cases, *run.judged.outside)]
    assert not any(claim.startswith("figure/") for claim in claims)
    assert run.labels["clip"] == "twin of CLIP"


def test_heat_maps_and_densities_say_that_they_are_a_twins(preset, data, tmp_path: Path) -> None:
    preset = replace(
        preset,
        artefacts=(Artefact("heat.png", "heatmap", "clip"), Artefact("scores.png", "densities")),
    )
    for twin in (False, True):  # the same rows in both
        run = run_study(preset, data, data="mine", folder=tmp_path / str(twin), twin=twin)
        write_study(tmp_path / str(twin), run)
    for name in ("heat.png", "scores.png"):
        studys, twins = ((tmp_path / str(twin) / name).read_bytes() for twin in (False, True))
        assert studys != twins, name


def test_a_model_that_is_absent_is_not_run_and_the_other_goes_on(preset, data, tmp_path: Path) -> None:
    absent = replace(preset.models[0], spec="hf:/no/such/folder")
    run = run_study(replace(preset, models=(absent, preset.models[1])), data, data="mine", folder=tmp_path)
    first, second = run.comparison.models
    assert (first.status, first.failed, second.status) == ("not_run", False, "ok")
    write_study(tmp_path, run)
    assert not (tmp_path / "preclip_matrix.txt").exists()
    assert (tmp_path / "chart.png").is_file()


def test_a_model_to_be_trained_names_the_command(preset, data, tmp_path: Path) -> None:
    model = StudyModel("mine", "Mine", preset.models[0].twin, train={"image-tower": "tiny-vit"})
    trained = replace(preset, models=(model,), figures=(), artefacts=())
    run = run_study(trained, data, data="pairs.csv", folder=tmp_path)
    reason = run.comparison.models[0].reason
    place = tmp_path / "mine" / "trained"
    assert f"clipeval train --image-tower tiny-vit --data pairs.csv --out {place}" in reason
    with pytest.raises(NotAvailableError, match="trained first"):
        run_study(trained, data, data="pairs.csv", folder=tmp_path, step="mine-texts")


def test_an_unknown_step_names_a_near_one(preset, data, tmp_path: Path) -> None:
    with pytest.raises(ClipevalError, match="did you mean 'clip-images'"):
        run_study(preset, data, data="mine", folder=tmp_path, step="clip-image")


@pytest.mark.parametrize("step", ["all", "clip", "clip-images"])
def test_study_json_is_valid_under_its_schema_and_a_changed_one_is_not(
    preset, data, tmp_path: Path, step: str
) -> None:
    schema = study_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(schema)
    write_study(tmp_path, run_study(preset, data, data="mine", folder=tmp_path, step=step))
    document = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    valid.validate(document)
    assert not valid.is_valid({**document, "more": 1})
    assert not valid.is_valid({**document, "comparison": {**document["comparison"], "seed": "none"}})


@pytest.fixture
def trained(preset, data, tmp_path: Path, models_extra: None) -> Preset:
    """A study of one model that was trained on stored rows of its own data, a third held out."""
    from clipeval.training.job import train
    from clipeval.training.settings import TrainingSettings

    rows = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
    stored = tmp_path / "rows.npz"
    np.savez(stored, images=rows, texts=rows, image_ids=data.ids, caption_ids=data.caption_ids)
    settings = TrainingSettings(epochs=3, batch_size=6, dim=4, held_out=0.3)
    tower, out = f"frozen:{stored}", tmp_path / "mine" / "trained"
    train(data, image_tower=tower, text_tower=tower, out=out, settings=settings)
    model = StudyModel("mine", "Mine", preset.models[0].twin, train={"image-tower": tower})
    artefacts = (Artefact("retrieval.csv", "retrieval"), Artefact("training.csv", "training"))
    return replace(preset, models=(model,), figures=(), claims=(), artefacts=artefacts)


def seen_and_tabulated(run: StudyRun, folder: Path) -> tuple[int, list[dict[str, str]]]:
    """How many of its items a model was trained on, and the table of training that is written."""
    evaluation = run.evaluation("mine")
    assert evaluation is not None
    assert evaluation.learned is not None
    write_study(folder, run)
    with (folder / "training.csv").open(encoding="utf-8", newline="") as stream:
        return evaluation.learned.seen_items, list(csv.DictReader(stream))


def test_a_study_scores_what_it_trained_as_its_authors_did_and_says_what_was_held_out(
    trained: Preset, data, tmp_path: Path
) -> None:
    run = run_study(trained, data, data="mine", folder=tmp_path)
    seen, rows = seen_and_tabulated(run, tmp_path)
    assert 0 < seen < 12
    assert [(row["model"], row["part"]) for row in rows] == [("mine", "training"), ("mine", "held out")]
    assert int(rows[1]["pictures"]) == 12 - seen
    assert float(rows[1]["its chance"]) == pytest.approx(1 / int(rows[1]["pictures"]))
    document = json.loads((tmp_path / "study.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(study_schema()).validate(document)


def test_a_step_scores_what_was_trained_since_the_last_one(trained: Preset, data, tmp_path: Path) -> None:
    from clipeval.training.job import train
    from clipeval.training.settings import TrainingSettings

    write_study(tmp_path, run_study(trained, data, data="mine", folder=tmp_path))
    out = tmp_path / "mine" / "trained"
    shutil.rmtree(out)
    tower = trained.models[0].train["image-tower"]
    settings = TrainingSettings(epochs=1, batch_size=6, dim=4, held_out=0.3, seed=7)
    train(data, image_tower=tower, text_tower=tower, out=out, settings=settings)
    again = run_study(trained, data, data="mine", folder=tmp_path, step="comparison").evaluation("mine")
    anew = run_study(trained, data, data="mine", folder=tmp_path).evaluation("mine")
    assert again is not None
    assert anew is not None
    np.testing.assert_array_equal(again.images, anew.images)
    assert again.learned is not None
    assert again.learned.seen_items > 0
    shutil.rmtree(out)
    (gone,) = run_study(trained, data, data="mine", folder=tmp_path, step="comparison").comparison.models
    assert gone.status == "not_run"


def test_a_twin_that_is_not_trained_has_no_training_table(trained: Preset, data, tmp_path: Path) -> None:
    written = write_study(
        tmp_path / "twin", run_study(trained, data, data="mine", folder=tmp_path / "twin", twin=True)
    )
    assert "training.csv" not in files(written, tmp_path / "twin")
    assert "retrieval.csv" in files(written, tmp_path / "twin")


@pytest.fixture
def taught(trained: Preset) -> Preset:
    """The study, its twin a model that is trained too."""
    tower = trained.models[0].train["image-tower"]
    numbers = {"epochs": "2", "batch-size": "6", "dim": "4"}
    learns = {"image-tower": tower, "text-tower": tower, **numbers}
    return replace(trained, models=(replace(trained.models[0], twin="", twin_train=learns),))


def test_a_twin_is_trained_before_it_is_scored_and_has_a_training_table(
    taught: Preset, data, tmp_path: Path
) -> None:
    folder = tmp_path / "twin"
    run = run_study(taught, data, data="mine", folder=folder, twin=True)
    seen, rows = seen_and_tabulated(run, folder)
    assert 0 < seen < 12
    assert [row["part"] for row in rows] == ["training", "held out"]


def test_a_step_keeps_the_trained_twin_of_the_same_data_and_trains_one_for_others(
    taught: Preset, data, tmp_path: Path
) -> None:
    folder = tmp_path / "twin"
    made = folder / "mine" / "trained" / "dual.json"
    (folder / "mine" / "trained.new").mkdir(parents=True)  # of a run that was killed
    run_study(taught, data, data="mine", folder=folder, twin=True, step="mine-images")
    first = made.stat().st_ino
    run_study(taught, data, data="mine", folder=folder, twin=True, step="comparison")
    assert made.stat().st_ino == first
    fewer = replace(data, items=data.items[:9])
    run_study(taught, fewer, data="mine", folder=folder, twin=True, step="comparison")
    assert json.loads(made.read_text(encoding="utf-8"))["data"]["train_images"] < 9
    second = made.stat().st_ino
    run_study(taught, fewer, data="mine", folder=folder, twin=True)
    assert made.stat().st_ino != second
    assert sorted(path.name for path in (folder / "mine").iterdir()) == ["trained"]
