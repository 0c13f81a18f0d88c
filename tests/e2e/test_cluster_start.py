"""What is wrong before a cluster is needed is told before one is looked for or started."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs clipeval[ray]: ray not installed"
)

# Ray looks for a cluster of that name as late as it connects, and here is none, or one that is not asked
RAY = ("--engine", "ray", "--address", "auto", "--no-probe")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "pets").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "pets" / "one.png")
    (tmp_path / "pets" / "one.txt").write_text("one picture\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("embed", "nowhere", "--model", "python:mine:one", "--out", "store"), "nowhere"),
        (("embed", "pets", "--model", "python:not_there:one", "--out", "store"), "not_there"),
        (("embed", "pets", "--model", "frozen:no_rows.npz", "--out", "store"), "no_rows.npz"),
        (("embed", "pets", "--model", "hf:no/such", "--out", "store", "--bad-pictures", "skip"), "no/such"),
        (("compare", "--data", "nowhere", "--model", "python:mine:one"), "nowhere"),
        (("embed", "pets", "--model", "python:mine:one", "--out", "store", "--workers", "0"), "--workers"),
        (("embed", "pets", "--model", "python:mine:one", "--out", "store", "--workers", "-2"), "--workers"),
    ],
)
def test_wrong_data_a_wrong_model_and_a_wrong_option_are_told_before_a_cluster_is_looked_for(
    clipeval: Callable[..., subprocess.CompletedProcess[str]], here, words, said
) -> None:
    ended = clipeval(*words, *RAY, cwd=here)
    assert ended.returncode == 3, ended.stderr
    assert said in ended.stderr
    assert "Ray" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (here / "store").exists()


def test_a_comparison_whose_models_are_all_wrong_looks_for_no_cluster(clipeval, here) -> None:
    ended = clipeval("compare", "--data", "pets", "--model", "frozen:no_rows.npz", *RAY, cwd=here)
    assert ended.returncode == 1, ended.stderr
    assert "no_rows.npz" in ended.stdout
    assert "Ray" not in ended.stderr


def test_an_address_where_nobody_is_ends_the_command_in_three_parts(clipeval, here) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    words = ("embed", "nowhere", "--model", "python:mine:one", "--out", "store", "--engine", "ray")
    ended = clipeval(*words, "--address", address, cwd=here)
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [
        f"error: there is no Ray cluster at '{address}'",
        "  where: Connection refused",
        "  to do: check the address, or start a cluster: ray start --head",
    ]
