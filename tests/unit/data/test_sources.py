from __future__ import annotations

from pathlib import Path

import pytest

from clipeval.data.sources import file_source, span_source
from clipeval.errors import PictureError


def test_a_span_gives_its_bytes_and_a_file_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"0123456789")
    assert span_source(path, offset=3, size=4, where="x").read() == b"3456"
    assert file_source(path, where="x").read() == b"0123456789"


def test_an_enormous_file_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"0123456789")
    monkeypatch.setattr("clipeval.data.sources.MAX_BYTES", 9)
    for source in (
        file_source(path, where="x, row 1"),
        span_source(path, offset=0, size=10, where="x, row 1"),
    ):
        with pytest.raises(PictureError, match="10 bytes, the limit is 9") as caught:
            source.read()
        assert caught.value.where == "x, row 1"
