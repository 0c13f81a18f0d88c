from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipeval.core.projection import gaussian_projection, project, projection_matrix, sign_projection

widths = st.integers(1, 20)
seeds = st.integers(0, 2**64)
kinds = st.sampled_from(["gaussian", "sign"])


@given(kinds, widths, widths, seeds)
def test_the_same_seed_gives_the_same_finite_matrix(kind: str, d_in: int, d_out: int, seed: int) -> None:
    matrix = projection_matrix(kind, d_in, d_out, seed=seed)
    assert matrix.shape == (d_in, d_out)
    assert matrix.dtype == np.float64
    assert np.isfinite(matrix).all()
    assert projection_matrix(kind, d_in, d_out, seed=seed).tobytes() == matrix.tobytes()


@given(widths, widths, seeds, seeds)
def test_different_seeds_differ(d_in: int, d_out: int, one: int, other: int) -> None:
    same = (
        gaussian_projection(d_in, d_out, seed=one).tobytes()
        == gaussian_projection(d_in, d_out, seed=other).tobytes()
    )
    assert same == (one == other)


@given(widths, widths, seeds)
def test_every_sign_has_the_same_size_and_so_has_every_projected_basis_vector(
    d_in: int, d_out: int, seed: int
) -> None:
    matrix = sign_projection(d_in, d_out, seed=seed)
    np.testing.assert_allclose((matrix**2).sum(axis=1), 1.0, rtol=1e-12)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=st.integers(-50, 50)),
    seeds,
)
def test_projection_is_linear(rows: np.ndarray, seed: int) -> None:
    matrix = gaussian_projection(4, 3, seed=seed)
    assert project(rows * 2, matrix).tolist() == (project(rows, matrix) * 2).tolist()
    np.testing.assert_allclose(project(-rows, matrix), -project(rows, matrix))
