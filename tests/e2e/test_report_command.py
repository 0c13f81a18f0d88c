"""``clipeval report``, and the pages that other commands write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
MODELS = (
    *("--model", "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42"),
    *("--model", "conse:efficientnet-lite0+all-MiniLM-L6-v2"),
)


@pytest.fixture(scope="module")
def compared(clipeval: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a comparison without torch, in ``results``."""
    folder = tmp_path_factory.mktemp("compared")
    run = clipeval("compare", "--offline", "--no-cache", *MODELS, cwd=folder, light=True)
    assert run.returncode == 0, run.stderr
    assert "report.html" in run.stdout
    return folder


def test_the_page_is_made_again_to_the_byte(compared: Path, clipeval: Run) -> None:
    run = clipeval("report", "results", "--out", "again.html", cwd=compared, light=True)
    assert (run.returncode, run.stderr) == (0, "wrote again.html\n")
    assert (compared / "again.html").read_bytes() == (compared / "results" / "report.html").read_bytes()


def test_a_page_of_twenty_pictures_is_below_five_megabytes_and_names_no_folder(compared: Path) -> None:
    page = (compared / "results" / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 5_000_000
    assert page.count("data:image/webp;base64,") == 20
    assert str(compared) not in page


def test_without_the_page_neither_it_nor_the_items_are_written_and_the_dataset_serves(
    compared: Path, clipeval: Run, tmp_path: Path
) -> None:
    command = ("compare", "--offline", "--no-cache", "--no-report", *MODELS)
    run = clipeval(*command, cwd=tmp_path, light=True)
    assert run.returncode == 0
    assert not {"report.html", "items.json"} & {path.name for path in (tmp_path / "results").iterdir()}
    run = clipeval("report", "results", cwd=tmp_path, light=True)
    assert run.returncode == 3
    assert "--data" in run.stderr
    run = clipeval("report", "results", "--data", "embedded", cwd=tmp_path, light=True)
    assert run.returncode == 0
    assert (tmp_path / "report.html").read_bytes() == (compared / "results" / "report.html").read_bytes()


def test_a_swap_writes_both_models_side_by_side(clipeval: Run, tmp_path: Path) -> None:
    old, new = MODELS[3], MODELS[1]
    run = clipeval(
        "swap", old, new, "--offline", "--no-cache", "--report", "swap.html", cwd=tmp_path, light=True
    )
    assert run.returncode in (1, 2), run.stderr
    page = (tmp_path / "swap.html").read_text(encoding="utf-8")
    assert 'class="chip big ' in page
    assert 'data-items="explorer"' in page
    assert page.count("data:image/webp;base64,") == 20


def test_claims_get_a_page_beside_their_document(clipeval: Run, tmp_path: Path) -> None:
    run = clipeval(
        "check", "--offline", "--claims", "core/*", "--report", "found", *MODELS[:2], cwd=tmp_path, light=True
    )
    assert (tmp_path / "found" / "report.html").is_file(), run.stderr
    again = clipeval("report", "found", cwd=tmp_path, light=True)
    assert again.returncode == 0
    assert (tmp_path / "report.html").read_bytes() == (tmp_path / "found" / "report.html").read_bytes()


@pytest.mark.parametrize("name", ["absent", "absent.json"])
def test_what_is_not_there_is_named_without_a_stack_trace(clipeval: Run, tmp_path: Path, name: str) -> None:
    run = clipeval("report", name, cwd=tmp_path, light=True)
    assert run.returncode == 3
    assert name in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "report.html").exists()


def test_the_list_of_files_names_the_page(compared: Path) -> None:
    files = json.loads((compared / "results" / "comparison.json").read_text(encoding="utf-8"))["files"]
    assert {"report.html", "items.json"} <= set(files)
