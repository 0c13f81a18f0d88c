from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clipeval import cosine_similarity, unit_rows

finite = st.floats(allow_nan=False, allow_infinity=False)
# every size a float64 has, and small whole numbers, which make duplicates and zero rows common
entries = st.one_of(finite, st.integers(-2, 2).map(float), st.sampled_from([0.0, 1e200, -1e-200, 5e-324]))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    m, n, d = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    return (
        draw(hnp.arrays(np.float64, (m, d), elements=entries)),
        draw(hnp.arrays(np.float64, (n, d), elements=entries)),
    )


@given(pairs())
def test_cosines_stay_within_one_and_are_never_nan(both: tuple[np.ndarray, np.ndarray]) -> None:
    similarity = cosine_similarity(*both)
    assert similarity.shape == (len(both[0]), len(both[1]))
    assert (np.abs(similarity) <= 1.0).all()


@given(pairs())
def test_cosine_is_symmetric(both: tuple[np.ndarray, np.ndarray]) -> None:
    images, texts = both
    np.testing.assert_allclose(
        cosine_similarity(images, texts), cosine_similarity(texts, images).T, rtol=0, atol=1e-15
    )


@given(pairs())
def test_self_similarity_is_one_or_for_zero_rows_zero(both: tuple[np.ndarray, np.ndarray]) -> None:
    rows = both[0]
    own = np.diag(cosine_similarity(rows, rows))
    assert (own <= 1.0).all()
    np.testing.assert_allclose(own, np.any(rows != 0, axis=1).astype(float), rtol=0, atol=1e-15)


@given(pairs())
def test_unit_rows_have_norm_one_or_for_zero_rows_zero(both: tuple[np.ndarray, np.ndarray]) -> None:
    rows = unit_rows(both[0])
    assert rows.dtype == np.float32
    norms = np.sqrt((rows.astype(float) ** 2).sum(axis=1))
    np.testing.assert_allclose(norms, np.any(both[0] != 0, axis=1).astype(float), rtol=0, atol=1e-7)


@given(pairs(), st.integers(-60, 60))
def test_a_power_of_two_changes_no_bit_of_the_unit_rows(
    both: tuple[np.ndarray, np.ndarray], power: int
) -> None:
    rows = np.where(np.abs(both[0]) < 1e200, both[0], 1.0)
    rows = np.where(np.abs(rows) > 1e-200, rows, 0.0)  # scaling subnormals would round them
    np.testing.assert_array_equal(unit_rows(rows * 2.0**power), unit_rows(rows))


@given(pairs())
def test_turning_rows_around_turns_the_sign(both: tuple[np.ndarray, np.ndarray]) -> None:
    images, texts = both
    np.testing.assert_array_equal(cosine_similarity(-images, texts), -cosine_similarity(images, texts))


@given(pairs())
def test_a_zero_column_changes_no_cosine(both: tuple[np.ndarray, np.ndarray]) -> None:
    wider = [np.hstack([rows, np.zeros((len(rows), 1))]) for rows in both]
    np.testing.assert_allclose(cosine_similarity(*wider), cosine_similarity(*both), rtol=0, atol=1e-15)


@given(hnp.arrays(np.float16, (4, 3), elements=st.floats(-65504, 65504, width=16)))
def test_float16_rows_have_the_cosines_of_their_values(rows: np.ndarray) -> None:
    wide = rows.astype(np.float64)
    np.testing.assert_array_equal(cosine_similarity(rows, rows), cosine_similarity(wide, wide))
