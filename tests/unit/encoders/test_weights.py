"""Weight files in packages: the bytes we know, or none."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from clipeval.encoders.weights import PackagedFile
from clipeval.errors import EncoderError, MissingExtraError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package with one weight file, which fails when it is imported."""
    folder = tmp_path / "some_weights_of_a_test"
    (folder / "model").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('imported')\n")
    (folder / "model" / "w.bin").write_bytes(bytes(range(256)) * 40)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def packaged(folder, sha256):
    return PackagedFile(folder.name, "model/w.bin", sha256, "some-weights")


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_known_file_is_found_without_importing_its_package(package):
    file = package / "model" / "w.bin"
    assert packaged(package, sha256_of(file)).locate() == file


@pytest.mark.parametrize("position", [0, 5000, 10239])
def test_one_changed_byte_is_refused(package, position):
    file = package / "model" / "w.bin"
    known = sha256_of(file)
    data = bytearray(file.read_bytes())
    data[position] ^= 1
    file.write_bytes(data)
    with pytest.raises(EncoderError, match=r"w\.bin is not the file that clipeval knows") as caught:
        packaged(package, known).locate()
    assert known[:12] in str(caught.value)
    assert "force-reinstall" in caught.value.fix


def test_a_truncated_file_is_refused(package):
    file = package / "model" / "w.bin"
    known = sha256_of(file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(EncoderError, match="not the file"):
        packaged(package, known).locate()


def test_a_package_without_the_file_is_refused(package):
    shutil.rmtree(package / "model")
    with pytest.raises(EncoderError, match=r"'some-weights' lacks model/w\.bin"):
        packaged(package, "0" * 64).locate()


def test_a_package_that_is_not_installed_names_the_extra():
    with pytest.raises(MissingExtraError, match="some-weights") as caught:
        PackagedFile("no_such_package_here", "w.bin", "0" * 64, "some-weights").locate()
    assert "clipeval[models]" in str(caught.value)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_a_changed_copy_of_the_real_image_weights_is_refused(name, models_extra, tmp_path, monkeypatch):
    from clipeval.encoders.image_towers import EFFICIENTNETS

    known = EFFICIENTNETS[name][1]
    pytest.importorskip(known.module, reason="needs clipeval[models]")
    copy = tmp_path / "copied_weights" / known.path
    copy.parent.mkdir(parents=True)
    (tmp_path / "copied_weights" / "__init__.py").touch()
    shutil.copy(known.locate(), copy)
    monkeypatch.syspath_prepend(tmp_path)
    copied = PackagedFile("copied_weights", known.path, known.sha256, known.distribution)
    assert copied.locate() == copy
    with copy.open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)[0]
        stream.seek(-1, 2)
        stream.write(bytes([last ^ 1]))
    with pytest.raises(EncoderError, match="not the file"):
        copied.locate()
