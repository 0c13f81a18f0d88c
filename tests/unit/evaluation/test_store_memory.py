"""A large store is mapped: what is not asked for is not in memory, and what is asked for is there once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipeval.encoders.base import JointEncoder
from clipeval.evaluation.store import embed_to_store

WIDTH = 4096
ROWS = 12_800

# peaks of one process: at the start, opened, a hundredth of the rows (from all shards), all of them
PEAKS = """
import json, pathlib, re, sys
from clipeval.encoders.store_rows import open_store

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024

peaks = [peak()]
rows, ids = open_store(pathlib.Path(sys.argv[1])).read("texts")
peaks.append(peak())
few = rows[range(0, len(ids), 100)]
peaks.append(peak())
del few
whole = rows.copy()
peaks.append(peak())
print(json.dumps({"peaks": peaks, "bytes": whole.nbytes}))
"""


class Wide(JointEncoder):
    """Rows of many columns, at no cost."""

    name = "wide:encoder"
    fingerprint = {"weights": "none"}  # noqa: RUF012

    def encode_images(self, pictures: Sequence[Any]) -> np.ndarray:
        return np.ones((len(pictures), WIDTH), dtype=np.float32)

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.ones((len(texts), WIDTH), dtype=np.float32)
        rows[:, 0] = [int(text.split()[1]) for text in texts]
        return rows


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak as Linux tells it")
def test_memory_holds_the_rows_that_are_asked_for_and_no_others(coloured, tmp_path: Path) -> None:
    data = coloured(*[(n, *(f"caption {n * 100 + k}" for k in range(100))) for n in range(ROWS // 100)])
    embed_to_store(Wide(), data, tmp_path / "store", shard_size=256)
    command = [sys.executable, "-c", PEAKS, str(tmp_path / "store")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    size = told["bytes"]
    assert size == 4 * ROWS * WIDTH  # 210 MB, in 50 shards
    start, opened, few, whole = told["peaks"]
    # shares of the store's size; hashing reads all of it, a mebibyte at a time
    assert opened - start < 0.1 * size
    assert few - opened < 0.1 * size
    assert size <= whole - start < 1.2 * size
