"""Sorting within owners against lexsort."""

import numpy as np
import pytest

from clipeval.core.order_within import order_within


@pytest.mark.parametrize("values", ["different", "equal", "some equal"])
@pytest.mark.parametrize("owners", [1, 7, 400])
@pytest.mark.parametrize("n", [0, 1, 50, 1000])
@pytest.mark.parametrize("ascending", [True, False])
def test_the_order_is_that_of_lexsort(values, owners, n, ascending):
    rng = np.random.default_rng(n + owners)
    owner = rng.integers(0, owners, n)
    if ascending:
        owner = np.sort(owner)
    value = {
        "different": rng.standard_normal(n),
        "equal": np.zeros(n),
        "some equal": rng.integers(-2, 2, n) / 4,
    }[values]
    np.testing.assert_array_equal(order_within(owner, value), np.lexsort((value, owner)))


@pytest.mark.parametrize("gap", [1, 10**6])
def test_owners_far_apart_are_no_reason_for_a_large_table(gap):
    owner, value = np.array([2, 0, 2, 1]) * gap, np.array([0.3, 0.1, 0.2, np.inf])
    assert order_within(owner, value).tolist() == [1, 3, 2, 0]
