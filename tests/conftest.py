"""Small datasets, frozen embeddings for comparisons that need no model, and a web server of a folder."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from clipeval.data.dataset import Dataset, Item

MakeDataset = Callable[..., Dataset]
MakeFrozen = Callable[..., str]


@pytest.fixture(scope="session")
def captioned() -> MakeDataset:
    """Make a dataset of n pictures that exist only by name."""

    def make(
        n: int,
        *,
        per_image: int = 1,
        categories: Sequence[str] = (),
        name: str = "toy",
        ids: Sequence[str] | None = None,
        captions: Sequence[str] | None = None,
    ) -> Dataset:
        items = []
        for row in range(n):
            words = [
                captions[row] if captions else f"caption {number} of {row}" for number in range(per_image)
            ]
            category = categories[row * len(categories) // n] if categories else None
            items.append(Item(ids[row] if ids else f"pic{row:03}.jpg", tuple(words), None, category))
        return Dataset(name, tuple(items))

    return make


@pytest.fixture(scope="session", params=["numpy", "compiled"])
def compiled(request: pytest.FixtureRequest) -> bool:
    """Count scores with numpy, and with functions that numba compiles."""
    if request.param == "compiled" and importlib.util.find_spec("numba") is None:
        pytest.skip("needs clipeval[fast]: numba not installed")
    return bool(request.param == "compiled")


@pytest.fixture
def frozen(tmp_path: Path) -> MakeFrozen:
    """Write embeddings of a dataset, right captions near their pictures, and give the model spec."""

    def write(
        dataset: Dataset, name: str = "rows.npz", *, noise: float = 1.0, seed: int = 0, width: int = 16
    ) -> str:
        rng = np.random.default_rng(seed)
        images = rng.normal(size=(dataset.n_images, width))
        texts = images[dataset.image_of_caption] + noise * rng.normal(size=(dataset.n_captions, width))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            images=images.astype(np.float32),
            texts=texts.astype(np.float32),
            image_ids=np.array(dataset.ids),
            caption_ids=np.array(dataset.caption_ids),
        )
        return f"frozen:{path}"

    return write


@pytest.fixture
def metadata(tmp_path: Path) -> Callable[[Dataset], Path]:
    """Write a dataset as metadata.json and give its folder."""

    def write(dataset: Dataset) -> Path:
        folder = tmp_path / dataset.name
        folder.mkdir()
        rows = [
            {"image": item.id, "captions": list(item.captions)}
            | ({"category": item.category} if item.category else {})
            for item in dataset.items
        ]
        (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def clipeval() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the installed console script as a user does: no terminal, nothing forced."""
    script = Path(sys.executable).with_name("clipeval")

    def run(
        *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, light: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """``light``: as where torch and its kin are not installed."""
        words = [str(argument) for argument in arguments]
        command = [str(script), *words] if script.exists() else [sys.executable, "-m", "clipeval", *words]
        if light:
            code = f"{WITHOUT_TORCH}\nfrom clipeval.cli import main\nmain({words})"
            command = [sys.executable, "-c", code]
        unforced = {key: value for key, value in os.environ.items() if key not in FORCING}
        return subprocess.run(
            command, cwd=cwd, env=unforced | (env or {}), capture_output=True, text=True, timeout=120
        )

    return run


WITHOUT_TORCH = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        absent = {"torch", "torchvision", "transformers", "sentence_transformers", "open_clip"}
        return None if name.partition(".")[0] in absent else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
FORCING = {"FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "GITHUB_ACTIONS", "PY_COLORS"}


class _Files(SimpleHTTPRequestHandler):
    """A folder, with parts of files (Range), as object stores give them."""

    def log_message(self, *words: object) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("Range")))  # type: ignore[attr-defined]

    def send_head(self) -> Any:
        part = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if part is None or not path.is_file():
            return super().send_head()
        first, last = (int(number) for number in part.groups())
        data = path.read_bytes()[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{path.stat().st_size}")
        self.end_headers()
        return io.BytesIO(data)

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        if unquote(self.path.partition("?")[0]) in self.server.cut:  # type: ignore[attr-defined]
            outputfile.write(data[: len(data) // 2])
            self.close_connection = True  # in the middle
            return
        outputfile.write(data)


class Served(ThreadingHTTPServer):
    """A web server of a folder.

    Attributes
    ----------
    url : str
    asked : list
        What it was asked: method, path, range.
    cut : set of str
        Paths of which only the first half is sent.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[tuple[str, str, str | None]] = []
        self.cut: set[str] = set()


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Served]]:
    """``serve(folder).url``: a folder behind a web server of this machine."""
    servers: list[Served] = []

    def start(folder: Path) -> Served:
        servers.append(Served(folder))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
