"""Datasets built from packages: captions, licences, what is left out, clear words where it cannot be done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from clipeval import load_dataset
from clipeval.data.recipes import build
from clipeval.data.recipes.__main__ import main
from clipeval.errors import DatasetError, MissingExtraError, NotAvailableError

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def drawing(path: Path, *, title: str = "", shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    words = PngInfo()
    if title:
        words.add_text("Title", title)
    Image.new("RGB", (400, 300), (shade, 90, 30)).save(path, pnginfo=words)


def package(root: Path, name: str) -> Path:
    control = root / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example.org>\n"
        "Description: x\n",
        encoding="utf-8",
    )
    target = root.parent / f"{name}.deb"
    subprocess.run(["dpkg-deb", "-b", str(root), str(target)], check=True, capture_output=True)
    return target


@pytest.fixture
def clip_art(tmp_path: Path) -> Path:
    top = tmp_path / "root/usr/share/openclipart/png"
    drawing(top / "animals/frog_author_01.png", title="Green frog")
    drawing(top / "animals/two_cats_02.png", shade=1)
    drawing(top / "food/pear.png", title="Part of a collection", shade=2)
    for number in range(5):
        drawing(top / f"shapes/star_{number}pt.png", title="gramastar", shade=10 + number)
    (top / "animals/link.png").symlink_to("frog_author_01.png")
    (top / "food/broken.png").write_bytes(b"not a picture")
    return package(tmp_path / "root", "openclipart-png")


@needs_dpkg
def test_drawings_have_titles_or_the_words_of_their_names_and_a_series_is_left_out(
    clip_art: Path, tmp_path: Path
) -> None:
    made = build("openclipart", tmp_path / "made", package=clip_art)
    dataset = load_dataset(tmp_path / "made")
    found = {item.captions[0]: item.category for item in dataset.items}
    assert found == {"Green frog": "animals", "two cats": "animals", "pear": "food"}
    assert (made.items, made.categories) == (3, 2)
    assert "1 pictures that could not be decoded" in made.said
    assert max(Image.open(next((tmp_path / "made").rglob("*.png"))).size) == 256
    assert "public domain" in (tmp_path / "made" / "LICENCES.md").read_text(encoding="utf-8")


@needs_dpkg
def test_stamps_have_the_english_first_line_of_the_text_beside_them(tmp_path: Path) -> None:
    top = tmp_path / "root/usr/share/tuxpaint/stamps"
    drawing(top / "animals/kangaroo.png")
    (top / "animals/kangaroo.txt").write_text("A red kangaroo.\nde.utf8=Ein Känguru.\n", encoding="utf-8")
    drawing(top / "animals/unnamed.png", shade=5)
    build("tuxpaint", tmp_path / "made", package=package(tmp_path / "root", "tuxpaint-stamps-default"))
    rows = json.loads((tmp_path / "made" / "metadata.json").read_text(encoding="utf-8"))
    assert [(row["caption"], row["category"]) for row in rows] == [("A red kangaroo.", "animals")]
    assert "version 2" in (tmp_path / "made" / "LICENCES.md").read_text(encoding="utf-8")


def test_a_package_that_is_absent_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotAvailableError, match="no such file"):
        build("tuxpaint", tmp_path / "made", package=tmp_path / "absent.deb")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["openclipart", str(tmp_path / "made")]) == 3
    assert "apt-get download -qq openclipart-png" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


@needs_dpkg
def test_a_file_that_is_no_package_leaves_nothing_behind(tmp_path: Path) -> None:
    fake = tmp_path / "fake.deb"
    fake.write_bytes(b"hello")
    with pytest.raises(NotAvailableError, match="cannot be unpacked"):
        build("tuxpaint", tmp_path / "made", package=fake)
    assert [path.name for path in tmp_path.iterdir()] == ["fake.deb"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    package = tmp_path / "package.deb"
    package.touch()
    assert main(["openclipart", str(tmp_path / "file" / "made"), "--package", str(package)]) == 3
    assert "to do:" in capsys.readouterr().err


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="exists already"):
        build("tuxpaint", tmp_path)


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="9" height="9" fill="{}"/></svg>'
)


@pytest.fixture
def emoji(tmp_path: Path) -> Path:
    """A package of npm: a lizard, a cook with two skin tones, and another style of the lizard."""
    root = tmp_path / "root/package"
    names = ("flat/lizard", "flat/man-cook-default", "flat/man-cook-dark", "flat/keycap-9", "modern/lizard")
    for number, name in enumerate(names):
        path = root / "icons" / f"{name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SVG.format(f"#00{number}0ff"), encoding="utf-8")
    (root / "LICENSE").write_text("MIT License\n\nCopyright (c) someone\n", encoding="utf-8")
    with tarfile.open(tmp_path / "emoji.tgz", "w:gz") as archive:
        archive.add(root, "package")
    return tmp_path / "emoji.tgz"


def test_emoji_are_drawn_on_white_with_the_words_of_their_names_and_the_notice_goes_along(
    emoji: Path, tmp_path: Path
) -> None:
    pytest.importorskip("resvg_py", reason="needs clipeval[datasets]")
    build("fluentui", tmp_path / "made", package=emoji)
    rows = json.loads((tmp_path / "made" / "metadata.json").read_text(encoding="utf-8"))
    assert [row["caption"] for row in rows] == ["keycap", "lizard", "man cook"]
    picture = Image.open(tmp_path / "made" / rows[1]["image"]).convert("RGB")
    assert picture.size == (256, 256)
    assert (picture.getpixel((10, 10)), picture.getpixel((200, 200))) == ((0, 0, 255), (255, 255, 255))
    notice = (tmp_path / "made" / "LICENCES.md").read_text(encoding="utf-8")
    assert "Microsoft" in notice
    assert "Copyright (c) someone" in notice


def test_without_the_package_that_draws_its_name_is_said(
    emoji: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingExtraError, match="resvg-py"):
        build("fluentui", tmp_path / "made", package=emoji)
    assert not (tmp_path / "made").exists()


def test_an_archive_that_leads_out_of_its_folder_is_not_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as archive:
        (tmp_path / "x").write_text("x", encoding="utf-8")
        archive.add(tmp_path / "x", "../../out")
    with pytest.raises(NotAvailableError, match="cannot be unpacked"):
        build("fluentui", tmp_path / "made", package=tmp_path / "evil.tgz")
