"""Builders of small pictures and dataset folders, written by each test into its own tmp_path."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


def _encoded(grey: int, *, kind: str = "PNG", size: tuple[int, int] = (4, 3)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (grey, grey, grey)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """``encoded(grey, kind="PNG", size=(4, 3))``: the bytes of a plain grey picture."""
    return _encoded


@pytest.fixture
def put_pictures(tmp_path: Path) -> Callable[..., None]:
    """``put_pictures("a.png", "b/c.png")``: plain pictures of grey 0, 1, 2 ... below tmp_path."""

    def put(*names: str) -> None:
        for grey, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_encoded(grey))

    return put


@pytest.fixture
def put_json(tmp_path: Path) -> Callable[[str, object], Path]:
    """``put_json("metadata.json", value)``: a JSON file below tmp_path."""

    def put(name: str, value: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    return put


@pytest.fixture
def put_tar(tmp_path: Path) -> Callable[[str, dict[str, bytes]], Path]:
    """``put_tar("val-000.tar", {"a.png": b"..."})``: a tar of members in order below tmp_path."""

    def put(name: str, members: dict[str, bytes]) -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return put
