from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from clipeval.core.projection import (
    gaussian_projection,
    identity,
    project,
    projection_matrix,
    sign_projection,
    truncation,
)
from clipeval.core.random_bits import natural_log, random_bytes, standard_normal, uniform_words
from clipeval.errors import InvalidInputError

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((ROOT / "fixtures" / "projection_golden.json").read_text())["matrices"]
PRINT_HASHES = """
import hashlib, json, sys
import numpy as np
from clipeval.core.projection import projection_matrix
for row in json.load(open(sys.argv[1]))["matrices"]:
    matrix = projection_matrix(row["kind"], row["d_in"], row["d_out"], seed=row["seed"])
    print(hashlib.sha256(np.ascontiguousarray(matrix, dtype="<f8").tobytes()).hexdigest())
"""


def sha256(matrix: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(matrix, dtype="<f8").tobytes()).hexdigest()


def slow_normal(word: int) -> float:
    """Sign bit, then 52 bits of tail probability, then Python's own quantile function."""
    p = (2 * ((word >> 11) % 2**52) + 1) / 2**54
    z = -statistics.NormalDist().inv_cdf(p)
    return -z if word >> 63 else z


@pytest.mark.parametrize("row", GOLDEN, ids=lambda r: f"{r['kind']}-{r['seed']}-{r['d_in']}x{r['d_out']}")
def test_seeded_projections_match_their_golden_hash(row: dict[str, object]) -> None:
    matrix = projection_matrix(row["kind"], row["d_in"], row["d_out"], seed=row["seed"])
    assert [float(value).hex() for value in matrix[0, :3]] == row["first"]
    assert sha256(matrix) == row["sha256"]


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASHES, str(ROOT / "fixtures" / "projection_golden.json")],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [row["sha256"] for row in GOLDEN]


def test_another_numpy_version_gives_the_same_bytes() -> None:
    other = os.environ.get("CLIPEVAL_OTHER_PYTHON")
    if not other or not shutil.which(other):
        pytest.skip("set CLIPEVAL_OTHER_PYTHON to an interpreter with another numpy version to run this")
    done = subprocess.run(
        [other, "-c", PRINT_HASHES, str(ROOT / "fixtures" / "projection_golden.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [row["sha256"] for row in GOLDEN]


def test_the_stream_is_shake_256_as_the_docstring_says() -> None:
    row = hashlib.shake_256(b"clipeval/projection/1;gaussian;7;5;3;4").digest(24)
    words = [int.from_bytes(row[8 * i : 8 * i + 8], "little") for i in range(3)]
    expected = [slow_normal(word) / 5**0.5 for word in words]
    np.testing.assert_allclose(gaussian_projection(5, 3, seed=7)[4], expected, rtol=2e-15)
    bits = hashlib.shake_256(b"clipeval/projection/1;sign;7;5;3;4").digest(1)[0]
    signs = [(-1 if bits >> i & 1 else 1) / 3**0.5 for i in range(3)]
    assert sign_projection(5, 3, seed=7)[4].tolist() == signs


def test_random_bytes_agree_with_the_published_test_vector() -> None:
    # FIPS 202, SHAKE256 of the empty message
    assert random_bytes("", 16).hex() == "46b9dd2b0ba88d13233b3feb743eeb24"


def test_normals_agree_with_scipy_to_the_last_digits_in_centre_shoulder_and_tail() -> None:
    k = np.unique(np.r_[np.arange(2000), (2.0 ** np.linspace(0, 52, 200_000)).astype(np.int64) - 1])
    deviates = standard_normal(k.astype(np.uint64) << np.uint64(11))
    expected = -special.ndtri((2.0 * k + 1) * 2.0**-54)
    np.testing.assert_allclose(deviates, expected, rtol=1.2e-15, atol=0)
    assert deviates.max() > 8.29
    assert np.all(np.diff(deviates) <= 0)


def test_the_highest_bit_is_the_sign_and_the_low_bits_are_unused() -> None:
    word = np.array([123 << 11], dtype=np.uint64)
    other = word | np.uint64(1 << 63) | np.uint64(2**11 - 1)
    assert standard_normal(other).tolist() == (-standard_normal(word)).tolist()


def test_the_own_logarithm_agrees_with_libm() -> None:
    p = np.r_[2.0 ** -np.arange(1.0, 1000.0), np.random.default_rng(0).uniform(1e-9, 0.5, 50_000)]
    np.testing.assert_allclose(natural_log(p), np.log(p), rtol=4e-16, atol=0)


def test_gaussian_entries_are_normal_by_kolmogorov_smirnov_moments_and_tails() -> None:
    z = (gaussian_projection(2048, 384, seed=42) * 2048**0.5).ravel()
    n = z.size
    assert stats.kstest(z, "norm").pvalue > 0.01
    for power, (mean, variance) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
        assert abs((z**power).mean() - mean) < 3.5 * (variance / n) ** 0.5
    expected_beyond_4 = 2 * stats.norm.sf(4) * n
    assert abs((abs(z) > 4).sum() - expected_beyond_4) < 4 * expected_beyond_4**0.5


def test_signs_are_fair() -> None:
    signs = sign_projection(2048, 384, seed=42) * 384**0.5
    n_positive = int((signs > 0).sum())
    assert stats.binomtest(n_positive, signs.size).pvalue > 0.01


@pytest.mark.parametrize("make", [gaussian_projection, sign_projection])
def test_different_seeds_and_shapes_give_unrelated_matrices(make) -> None:
    a, b = make(64, 48, seed=0), make(64, 48, seed=1)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / (64 * 48) ** 0.5
    wider = make(64, 49, seed=0)[:, :48]
    assert abs(np.corrcoef(a.ravel(), wider.ravel())[0, 1]) < 4 / (64 * 48) ** 0.5


@pytest.mark.parametrize(
    ("make", "factor"), [(gaussian_projection, 24 / 96), (sign_projection, 1.0)], ids=["gaussian", "sign"]
)
def test_norms_and_inner_products_are_kept_on_average_up_to_the_stated_factor(make, factor: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 96))
    y = 0.6 * x + 0.8 * y
    norms, products = [], []
    for seed in range(200):
        w = make(96, 24, seed=seed)
        norms.append(np.sum((x @ w) ** 2))
        products.append((x @ w) @ (y @ w))
    for draws, expected in ((norms, factor * (x @ x)), (products, factor * (x @ y))):
        standard_error = np.std(draws, ddof=1) / len(draws) ** 0.5
        assert abs(np.mean(draws) - expected) < 3.5 * standard_error


def test_the_legacy_stream_is_what_numpy_random_seed_gives() -> None:
    np.random.seed(42)  # noqa: NPY002 - published code did this
    published = np.random.normal(0, 1 / np.sqrt(20), (20, 7))  # noqa: NPY002
    assert gaussian_projection(20, 7, seed=42, rng="numpy-legacy").tolist() == published.tolist()
    assert published[0, 0] == pytest.approx(0.4967141530112327 / 20**0.5, rel=1e-15)


def test_drawing_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    gaussian_projection(4, 4, seed=1, rng="numpy-legacy")
    gaussian_projection(4, 4, seed=1)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_identity_and_truncation_keep_coordinates_exactly() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    assert project(rows, identity(6, 6)).tolist() == rows.tolist()
    assert project(rows, truncation(6, 4)).tolist() == rows[:, :4].tolist()


def test_project_equals_a_sum_written_out_and_blocks_do_not_matter(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    rows, matrix = rng.normal(size=(7, 5)), rng.normal(size=(5, 3))
    slow = [[sum(row[i] * matrix[i, j] for i in range(5)) for j in range(3)] for row in rows]
    np.testing.assert_allclose(project(rows, matrix), slow, rtol=1e-6)
    whole = project(rows, matrix)
    monkeypatch.setattr("clipeval.core.projection._BLOCK", 2)
    np.testing.assert_allclose(project(rows, matrix), whole, rtol=1e-7)


def test_project_takes_float16_rows_without_losing_range() -> None:
    assert project(np.full((1, 4), 60000, dtype=np.float16), np.ones((4, 1))).tolist() == [[240000.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: identity(3, 4), "equal widths"),
        (lambda: truncation(3, 4), "cannot make 4 coordinates of 3"),
        (lambda: gaussian_projection(0, 4, seed=1), "d_in"),
        (lambda: gaussian_projection(4, 2.0, seed=1), "d_out"),
        (lambda: gaussian_projection(4, 2, seed=-1), "seed"),
        (lambda: sign_projection(4, 2, seed=True), "seed"),
        (lambda: gaussian_projection(4, 2, seed=2**32, rng="numpy-legacy"), r"below 2\*\*32"),
        (lambda: gaussian_projection(4, 2, seed=1, rng="numpy"), "numpy-legacy"),
        (lambda: projection_matrix("gausian", 4, 2), "did you mean 'gaussian'"),
        (lambda: projection_matrix("sign", 4, 2, rng="numpy-legacy"), "gaussian projection only"),
        (lambda: project([1.0, 2.0], np.eye(2)), "2 dimensions"),
        (lambda: project(np.ones((2, 3)), np.eye(2)), "width 3"),
        (lambda: project([[1.0], [np.nan]], np.eye(1)), "row 1"),
        (lambda: project([[1.0]], [[np.inf]]), "matrix holds NaN"),
        (lambda: project([[1e30], [1.0]], [[1e30]]), "row 0 is too large for float32"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_words_are_little_endian() -> None:
    expected = [int.from_bytes(random_bytes("x", 16)[i : i + 8], "little") for i in (0, 8)]
    assert uniform_words("x", 2).tolist() == expected
