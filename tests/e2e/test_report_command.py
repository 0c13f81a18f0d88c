"""``clipeval report``, and the pages that other commands write."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval import cli_report

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


def test_of_a_large_page_the_size_is_told(compared: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(compared)
    monkeypatch.setattr(cli_report, "LARGE", 1000)
    cli_report.report([Path("results"), Path("results")], out=Path("large.html"), data="", show_paths=False)
    size = (compared / "large.html").stat().st_size
    assert f"note: it has {size / 1e6:.0f} MB" in capsys.readouterr().err
    monkeypatch.setattr(cli_report, "LARGE", size)
    cli_report.report([Path("results"), Path("results")], out=Path("large.html"), data="", show_paths=False)
    assert "note" not in capsys.readouterr().err


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


OLD, NEW = MODELS[3], MODELS[1]
SWAP = ("swap", OLD, NEW, "--offline", "--no-cache")


@pytest.fixture(scope="module")
def swapped(clipeval: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A swap without torch: its folder ``swap``, and ``page.html``."""
    folder = tmp_path_factory.mktemp("swapped")
    for place in ("swap", "page.html"):
        run = clipeval(*SWAP, "--report", place, cwd=folder, light=True)
        assert run.returncode in (1, 2), run.stderr
    return folder


def test_a_swap_writes_both_models_side_by_side(swapped: Path) -> None:
    page = (swapped / "page.html").read_text(encoding="utf-8")
    assert 'class="chip big ' in page
    assert 'data-items="explorer"' in page
    assert page.count("data:image/webp;base64,") == 20


def test_a_swap_in_a_folder_has_its_chart_and_its_page_is_made_again_to_the_byte(
    swapped: Path, clipeval: Run
) -> None:
    folder = swapped / "swap"
    assert {path.name for path in (folder / "charts").iterdir()} == {
        "margins.png",
        "margins.svg",
        "margins.csv",
    }
    run = clipeval("report", "swap", "--out", "again.html", cwd=swapped, light=True)
    assert run.returncode == 0, run.stderr
    again = (swapped / "again.html").read_bytes()
    assert again == (folder / "report.html").read_bytes() == (swapped / "page.html").read_bytes()


def test_an_answer_by_any_name_takes_the_items_beside_it_if_they_are_its_own(
    swapped: Path, clipeval: Run, tmp_path: Path
) -> None:
    shutil.copytree(swapped / "swap", tmp_path / "mine")
    (tmp_path / "mine" / "swap.json").rename(tmp_path / "mine" / "alone.json")
    assert clipeval("report", "mine/alone.json", cwd=tmp_path, light=True).returncode == 0
    page = tmp_path / "report.html"
    assert page.read_bytes() == (swapped / "swap" / "report.html").read_bytes()
    # the same models the other way round: the items of another swap
    run = clipeval(*SWAP[:1], NEW, OLD, *SWAP[3:], "--report", "other", cwd=tmp_path, light=True)
    assert run.returncode in (0, 1, 2), run.stderr
    for name in ("alone.json", "swap.json"):
        (tmp_path / "other" / name).write_bytes((swapped / "swap" / "swap.json").read_bytes())
        assert clipeval("report", f"other/{name}", cwd=tmp_path, light=True).returncode == 0
        text = page.read_text(encoding="utf-8")
        assert "are of another swap" in text
        assert 'id="charts-margins-title"' in text
        assert "data:image/webp;base64," not in text


def test_an_answer_of_an_earlier_version_keeps_its_items_in_its_folder_and_takes_none_alone(
    swapped: Path, clipeval: Run, tmp_path: Path
) -> None:
    shutil.copytree(swapped / "swap", tmp_path / "swap")
    document = json.loads((tmp_path / "swap" / "swap.json").read_text(encoding="utf-8"))
    assert set(document.pop("rows")) == {"old", "new"}
    for name, shown in (("swap.json", True), ("alone.json", False)):
        (tmp_path / "swap" / name).write_text(json.dumps(document), encoding="utf-8")
        assert clipeval("report", f"swap/{name}", cwd=tmp_path, light=True).returncode == 0
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert ("data:image/webp;base64," in page) is shown
        assert ("--report FOLDER" in page) is not shown


def test_a_swap_against_a_baseline_without_embeddings_leaves_no_items_of_an_earlier_one(
    swapped: Path, clipeval: Run, tmp_path: Path
) -> None:
    shutil.copytree(swapped / "swap", tmp_path / "swap")
    run = clipeval(
        "baseline", "save", "--model", OLD, "--offline", "--no-cache", "old.json", cwd=tmp_path, light=True
    )
    assert run.returncode == 0, run.stderr
    check = ("baseline", "check", "old.json", "--model", NEW, "--offline", "--no-cache")
    run = clipeval(*check, "--report", "swap", cwd=tmp_path, light=True)
    assert run.returncode in (1, 2), run.stderr
    assert not (tmp_path / "swap" / "items.json").exists()
    assert clipeval("report", "swap", cwd=tmp_path, light=True).returncode == 0
    page = (tmp_path / "report.html").read_bytes()
    assert page == (tmp_path / "swap" / "report.html").read_bytes()
    assert b"save --embeddings" in page


def test_claims_get_a_page_beside_their_document(clipeval: Run, tmp_path: Path) -> None:
    run = clipeval(
        "check", "--offline", "--claims", "core/*", "--report", "found", *MODELS[:2], cwd=tmp_path, light=True
    )
    assert (tmp_path / "found" / "report.html").is_file(), run.stderr
    charts = {path.name for path in (tmp_path / "found" / "charts").iterdir()}
    assert charts == {"claims.png", "claims.svg", "claims.csv"}
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


def test_no_command_writes_into_the_folder_of_another(
    compared: Path, swapped: Path, clipeval: Run, tmp_path: Path
) -> None:
    for place, kind in ((compared / "results", "comparison.json"), (swapped / "swap", "swap.json")):
        folder = tmp_path / place.name
        shutil.copytree(place, folder)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        baseline = ("baseline", "diff", "absent.json", "absent.json", "--report", folder.name)
        commands = {
            "comparison.json": ("compare", *MODELS, "--out", folder.name),
            "claims.json": ("check", *MODELS, "--report", folder.name),
            "swap.json": ("swap", OLD, NEW, "--report", folder.name),
            "absent.json": baseline,
            "report.json": ("bench", NEW, "--out", f"{folder.name}/report.json"),
            "bench": ("bench", NEW, "--out", f"{folder.name}/{kind}"),
        }
        for document, command in commands.items():
            if document == kind or (document == "absent.json" and kind == "swap.json"):
                continue
            run = clipeval(*command, cwd=tmp_path, light=True)
            assert run.returncode == 3, (command, run.stderr)
            assert "results of another command" in run.stderr
            assert run.stdout == ""
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
