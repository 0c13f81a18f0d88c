"""Where the data are, as the file says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipeval.baseline.data_path import data_as_found, data_as_stored
from clipeval.data import load_dataset


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A user's home with a repository, data in it and beside it, and data of nobody's."""
    home = tmp_path / "home" / "me"
    for folder in (
        "repository/.git",
        "repository/tests/photos",
        "repository/photos",
        "data/coco",
        "elsewhere",
    ):
        (home / folder).mkdir(parents=True)
    (tmp_path / "home" / "you" / "coco").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "repository")
    return home


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("embedded", "embedded"),
        ("photos", "../photos"),
        ("photos/", "../photos"),
        ("./photos", "../photos"),
        ("tests/photos", "./photos"),
        ("tests", "."),
        (".", ".."),
        ("tests/../photos", "../photos"),
        ("../data/coco", "../../data/coco"),
        ("photos/val-*.tar", "../photos/val-*.tar"),
        ("val-*.tar", "../val-*.tar"),
        ("./absent.csv", "../absent.csv"),
        ("org/some-dataset", "org/some-dataset"),
        ("https://example.org/data", "https://example.org/data"),
    ],
)
def test_what_the_user_typed_is_stored_as_seen_from_the_file(home, typed, stored) -> None:
    assert data_as_stored(typed, file=Path("tests/clip.json")) == stored


def test_a_folder_with_the_name_of_a_dataset_is_still_a_folder(home) -> None:
    (home / "repository" / "embedded").mkdir()
    assert data_as_stored("./embedded", file=Path("clip.json")) == "./embedded"
    assert data_as_found("./embedded", file=Path("clip.json")) == os.path.join(".", "embedded")  # noqa: PTH118
    assert data_as_found("embedded", file=Path("clip.json")) == "embedded"


def test_an_absolute_path_in_the_repository_or_below_the_home_is_stored_relative(home) -> None:
    file = Path("tests/clip.json")
    assert data_as_stored(str(home / "repository" / "photos"), file=file) == "../photos"
    assert data_as_stored(str(home / "data" / "coco"), file=file) == "../../data/coco"


def test_an_absolute_path_that_shares_nothing_stays_as_typed(home) -> None:
    you = str(home.parent / "you" / "coco")
    assert data_as_stored(you, file=Path("tests/clip.json")) == you  # the way would name the home of both
    assert data_as_stored("/nowhere/coco", file=Path("tests/clip.json")) == "/nowhere/coco"
    assert data_as_found(you, file=Path("tests/clip.json")) == you


def test_a_relative_path_that_would_publish_the_users_folders_is_stored_as_its_last_name(home) -> None:
    file = home.parent / "you" / "clip.json"
    assert data_as_stored("photos", file=file) == "photos"
    assert data_as_stored("../../you/coco", file=Path("clip.json")) == "coco"


def test_nothing_that_was_not_typed_names_the_user(home) -> None:
    for file in (Path("tests/clip.json"), home / "clip.json", Path("/clip.json"), home.parent / "clip.json"):
        for typed in ("photos", "../data/coco", ".", str(home / "data")):
            stored = data_as_stored(typed, file=file)
            assert "me" not in Path(stored).parts or stored == typed, (file, typed, stored)


@pytest.mark.parametrize("typed", ["photos", "tests/photos", ".", "../data/coco", "tests", "../elsewhere"])
@pytest.mark.parametrize("file", ["clip.json", "tests/clip.json", "tests/photos/clip.json"])
def test_the_data_are_found_again_from_any_working_folder(home, monkeypatch, typed, file) -> None:
    meant = Path(typed).resolve()
    stored = data_as_stored(typed, file=Path(file))
    assert "\\" not in stored
    whole = Path(file).absolute()
    for here in (home, home / "repository" / "tests", Path("/")):
        monkeypatch.chdir(here)
        way = Path(os.path.relpath(whole, here))
        assert Path(data_as_found(stored, file=way)).resolve() == meant
        assert Path(data_as_found(stored, file=whole)).resolve() == meant


def test_another_checkout_finds_its_own_data(home, tmp_path) -> None:
    stored = data_as_stored("photos", file=Path("tests/clip.json"))
    file = tmp_path / "ci" / "checkout" / "tests" / "clip.json"
    file.parent.mkdir(parents=True)
    assert data_as_found(stored, file=file) == str(tmp_path / "ci" / "checkout" / "photos")


def test_a_link_to_the_data_is_not_followed(home) -> None:
    (home / "repository" / "link").symlink_to(home.parent / "you" / "coco")
    assert data_as_stored("link", file=Path("tests/clip.json")) == "../link"


def test_a_link_to_the_baseline_is_followed(home) -> None:
    (home / "link.json").symlink_to(home / "repository" / "tests" / "clip.json")
    assert data_as_stored("photos", file=home / "link.json") == "../photos"
    assert data_as_found("../photos", file=home / "link.json") == "photos"


def test_a_user_without_a_home_has_relative_paths_too(home, monkeypatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert data_as_stored("photos", file=Path("tests/clip.json")) == "../photos"


def test_a_stored_dataset_loads(home, monkeypatch) -> None:
    folder = home / "repository" / "photos"
    (folder / "captions.csv").write_text("filename,caption\na.jpg,a cat\n")
    stored = data_as_stored("photos/captions.csv", file=Path("tests/clip.json"))
    monkeypatch.chdir(home)
    found = data_as_found(stored, file=Path("repository/tests/clip.json"))
    assert found == "repository/photos/captions.csv"
    assert load_dataset(found, require_pictures=False).captions == ("a cat",)
