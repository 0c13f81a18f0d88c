from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest

from clipeval import cosine_similarity, unit_rows
from clipeval.core.similarity import finite_rows
from clipeval.errors import InvalidInputError


def exact_unit(row: np.ndarray) -> list[Decimal]:
    with localcontext() as context:
        context.prec = 60
        values = [Decimal(float(v)) for v in row]
        norm = sum((v * v for v in values), Decimal(0)).sqrt()
        return [v / norm if norm else Decimal(0) for v in values]


def exact_cosine(x: np.ndarray, y: np.ndarray) -> float:
    with localcontext() as context:
        context.prec = 60
        return float(sum((a * b for a, b in zip(exact_unit(x), exact_unit(y), strict=True)), Decimal(0)))


SMALLEST = 5e-324
AWKWARD = np.array(
    [
        [3.0, -4.0, 0.0],
        [0.0, 0.0, 0.0],
        [1e200, 2e200, -2e200],
        [-1e-200, 2e-200, 3e-200],
        [SMALLEST, SMALLEST, 0.0],
        [3e-310, -4e-310, 0.0],
        [1.7e308, 1.7e308, 1.7e308],
        [1e200, 1e-200, -1e200],
        [0.1, 0.1, 0.1],
        [-0.0, 1.0, 2.0**-60],
    ]
)


def test_cosines_equal_sixty_digit_arithmetic_for_huge_tiny_zero_and_subnormal_rows() -> None:
    expected = [[exact_cosine(x, y) for y in AWKWARD] for x in AWKWARD]
    np.testing.assert_allclose(cosine_similarity(AWKWARD, AWKWARD), expected, rtol=0, atol=1e-15)


def test_unit_rows_are_the_exact_ones_rounded_to_float32() -> None:
    rows = unit_rows(AWKWARD)
    expected = np.array([[float(v) for v in exact_unit(row)] for row in AWKWARD])
    assert rows.dtype == np.float32
    # half a unit in the last place of float32, and the rounding of the float64 steps before it
    np.testing.assert_allclose(rows, expected, rtol=2.0**-24 + 1e-15, atol=2.0**-149)


def test_unit_rows_of_ordinary_embeddings_equal_the_plain_formula() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 37))
    plain = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(unit_rows(rows), plain, rtol=2.0**-24 + 1e-15)


@pytest.mark.parametrize("factor", [1e200, -1e200, 1e-200, -1e-200, 2.0**1000, 2.0**-1000])
def test_scaling_rows_by_a_huge_or_tiny_factor_changes_cosines_only_in_sign(factor: float) -> None:
    rows = np.random.default_rng(1).normal(size=(20, 8))
    np.testing.assert_allclose(
        cosine_similarity(rows * factor, rows),
        np.sign(factor) * cosine_similarity(rows, rows),
        rtol=0,
        atol=1e-15,
    )


def test_rows_near_the_largest_float16_do_not_overflow() -> None:
    rows = np.array([[60000, 60000], [65504, 0], [6e-8, 6e-8], [0, 0]], dtype=np.float16)
    half = np.sqrt(0.5)
    expected = [[1, half, 1, 0], [half, 1, half, 0], [1, half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cosine_similarity(rows, rows), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_every_float_type_gives_the_cosines_of_its_own_values(dtype: type) -> None:
    rows = np.random.default_rng(2).normal(size=(10, 6)).astype(dtype)
    wide = rows.astype(np.float64)
    np.testing.assert_array_equal(cosine_similarity(rows, rows), cosine_similarity(wide, wide))
    np.testing.assert_array_equal(unit_rows(rows), unit_rows(wide))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.bool_])
def test_whole_numbers_and_booleans_are_read_as_numbers(dtype: type) -> None:
    rows = np.array([[1, 0], [1, 1]], dtype=dtype)
    np.testing.assert_array_equal(cosine_similarity(rows, rows), cosine_similarity(rows * 1.0, rows * 1.0))


def test_self_similarity_is_one_and_never_more() -> None:
    rows = np.random.default_rng(3).normal(size=(300, 129))
    own = np.diag(cosine_similarity(rows, rows))
    assert own.max() <= 1.0
    assert np.diag(cosine_similarity(rows, -rows)).min() >= -1.0
    np.testing.assert_allclose(own, 1.0, rtol=0, atol=1e-15)


def test_a_zero_row_has_cosine_zero_with_everything_itself_included() -> None:
    rows = np.array([[0.0, 0.0], [-0.0, 0.0], [1.0, 2.0]])
    similarity = cosine_similarity(rows, rows)
    assert (similarity[:2] == 0).all()
    assert (similarity[:, :2] == 0).all()
    assert (unit_rows(rows)[:2] == 0).all()


def test_no_rows_give_an_empty_matrix() -> None:
    assert cosine_similarity(np.zeros((0, 3)), np.ones((2, 3))).shape == (0, 2)
    assert unit_rows(np.zeros((0, 3))).shape == (0, 3)


def test_the_input_is_not_changed() -> None:
    rows = np.array([[3.0, 4.0]])
    unit_rows(rows)
    cosine_similarity(rows, rows)
    np.testing.assert_array_equal(rows, [[3.0, 4.0]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_and_infinity_are_refused_with_side_row_and_count(bad: float, dtype: type) -> None:
    rows = np.ones((6, 3), dtype=dtype)
    rows[4, 1] = rows[5, 0] = bad
    with pytest.raises(InvalidInputError, match=r"texts holds NaN or infinity(.|\n)*row 4 \(2 of 6 rows\)"):
        cosine_similarity(np.ones((2, 3)), rows)
    with pytest.raises(InvalidInputError, match=r"images holds NaN"):
        cosine_similarity(rows, np.ones((2, 3)))


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="longdouble is float64")
def test_a_long_double_beyond_float64_is_refused_with_its_row() -> None:
    rows = np.array([[1, 1], [np.longdouble("1e4000"), 1]], dtype=np.longdouble)
    with pytest.raises(InvalidInputError, match="row 1"):
        unit_rows(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1.0, 2.0], r"shape \(n, d\)"),
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        (np.ones((2, 0)), r"\(2, 0\)"),
        ([["a", "b"]], "real numbers"),
        ([[1j, 2]], "real numbers"),
        (None, "real numbers"),
        ([[1.0, 2.0], [3.0]], "different lengths"),
    ],
)
def test_what_is_not_a_matrix_of_real_numbers_is_refused_by_name(rows: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"photos(.|\n)*{message}"):
        finite_rows(rows, name="photos")  # type: ignore[arg-type]


def test_different_widths_are_refused_with_both_widths() -> None:
    with pytest.raises(InvalidInputError, match=r"images have width 3, texts have width 2"):
        cosine_similarity(np.ones((2, 3)), np.ones((2, 2)))
