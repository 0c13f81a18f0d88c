from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "torch",
    "torchvision",
    "transformers",
    "matplotlib",
    "ray",
    "open_clip",
    "sentence_transformers",
    "scipy",
    "datasets",
    "pyarrow",
}


HELP = """
from clipeval.cli import main
try:
    main([*{}, "--help"])
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize(
    "code",
    [
        "import clipeval; dir(clipeval)",
        "import clipeval.pytest_plugin",
        "import clipeval.cli",
        HELP.format([]),
        HELP.format(["compare"]),
        HELP.format(["probe"]),
        HELP.format(["check"]),
    ],
    ids=[
        "import",
        "pytest plugin",
        "command line",
        "help",
        "help of compare",
        "help of probe",
        "help of check",
    ],
)
def test_nothing_heavy_is_imported(code: str, tmp_path: Path) -> None:
    report = f"{code}\nimport sys\nprint('\\nLOADED', *sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", report], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"
