"""Learned bridges as a user meets them: learned, kept, compared, refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def world(tmp_path: Path) -> str:
    """A folder ``photos`` of 80 pictures, rows of two towers for them, and the towers' part of a spec."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(80, 4))
    images, texts = (hidden @ rng.normal(size=(4, d)) + 0.05 * rng.normal(size=(80, d)) for d in (9, 7))
    names = [f"{n}.png" for n in range(80)]
    folder = tmp_path / "photos"
    folder.mkdir()
    for n, name in enumerate(names):
        Image.new("RGB", (4, 4), (n, 5, 5)).save(folder / name)
    entries = [{"image": name, "caption": f"picture number {n}"} for n, name in enumerate(names)]
    (folder / "metadata.json").write_text(json.dumps(entries))
    ids = {"image_ids": names, "caption_ids": [f"{name}#0" for name in names]}
    np.savez(tmp_path / "rows.npz", images=images.astype("f4"), texts=texts.astype("f4"), **ids)
    return "preclip:frozen:rows.npz+frozen:rows.npz?projection"


def test_compare_prints_both_numbers_and_the_document_is_valid(
    clipeval: Run, world: str, tmp_path: Path
) -> None:
    specs = [f"{world}={kind}&fit=photos&part=train" for kind in ("ridge", "asif")]
    models = [word for spec in specs for word in ("-m", spec)]
    done = clipeval("compare", "-d", "photos#test", *models, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hit_rate@1 on the training pairs, and held out" in done.stdout
    assert "from photos#train: 6" in done.stdout
    assert "ridge, image side, strength" in done.stdout
    document = json.loads((tmp_path / "results" / "comparison.json").read_text())
    import jsonschema

    from clipeval.compare.document import comparison_schema

    jsonschema.validate(document, comparison_schema())
    for model in document["models"]:
        learned = model["learned"]
        assert learned["name"] == "photos#train"
        held_out = model["metrics"]["t2i"]["hit_rate@1"]["value"]
        assert held_out > 0.2  # chance is .05
        assert learned["training"]["rates"]["t2i"]["hit_rate@1"]["value"] >= held_out - 0.2


def test_the_evaluated_dataset_as_training_data_fails_with_the_way_out(
    clipeval: Run, world: str, tmp_path: Path
) -> None:
    done = clipeval("compare", "-d", "photos", "-m", f"{world}=ridge&fit=photos", cwd=tmp_path)
    assert done.returncode == 1
    words = " ".join(done.stdout.split())
    assert "has learned from 80 of the 80 items" in words
    assert "part=train" in words
    assert "photos#test" in words


def test_a_bridge_is_learned_once_kept_and_refused_where_it_was_learned(
    clipeval: Run, world: str, tmp_path: Path
) -> None:
    done = clipeval("fit", f"{world}=cca&fit=photos&part=train", "kept/cca.safetensors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cca, 7 directions, penalty" in done.stdout
    assert "training pictures, t2i hit_rate@1" in done.stdout
    kept = f"{world}=cca&fit=kept/cca.safetensors"
    fresh = f"{world}=cca&fit=photos&part=train"
    done = clipeval("compare", "-d", "photos#test", "-m", kept, "-m", fresh, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["models"]
    assert first["metrics"] == second["metrics"]
    assert first["fingerprint"] == second["fingerprint"]
    assert clipeval("compare", "-d", "photos", "-m", kept, cwd=tmp_path).returncode == 1


def test_a_learned_bridge_works_in_the_other_commands(clipeval: Run, world: str, tmp_path: Path) -> None:
    spec = f"{world}=procrustes&fit=photos&part=train"
    done = clipeval("baseline", "save", "-m", spec, "-d", "photos#test", "b.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = clipeval("baseline", "check", "b.json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    done = clipeval("probe", spec, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "{}=ridge&fit=photos", "bridge.npz"], "ends with .safetensors"),
        (
            ["fit", "preclip:frozen:rows.npz+frozen:rows.npz?project=text", "b.safetensors"],
            "nothing to learn",
        ),
        (["fit", "{}=ridge&fit=nowhere", "b.safetensors"], "there is no dataset 'nowhere'"),
        (["compare", "-d", "photos", "-m", "{}=ridge"], "none are named"),
    ],
)
def test_wrong_usage_ends_with_3_and_says_what_to_do(
    clipeval: Run, world: str, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = clipeval(*(word.replace("{}", world) for word in arguments), cwd=tmp_path)
    assert done.returncode == 3
    assert words in done.stderr
