"""The pytest plugin, run by pytest inside pytest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def frozen_pairs(tmp_path: Path) -> tuple[Path, Path]:
    """A dataset of three pairs without pictures, and embeddings in which two of three are found."""
    data = tmp_path / "pairs.json"
    data.write_text(json.dumps([["a.jpg", "one"], ["b.jpg", "two"], ["c.jpg", "three"]]))
    images = np.eye(3, dtype=np.float32)
    texts = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0.5]], dtype=np.float32)
    np.savez(tmp_path / "rows.npz", images=images, texts=texts)
    return data, tmp_path / "rows.npz"


def test_evaluate_runs_the_named_model_on_the_named_data(
    pytester: pytest.Pytester, frozen_pairs: tuple[Path, Path]
) -> None:
    data, rows = frozen_pairs
    pytester.makepyfile(
        """
        def test_two_of_three_captions_find_their_image(evaluate, encoder):
            assert evaluate(encoder).ranks.t2i.optimistic.tolist() == [1, 1, 2]
        """
    )
    result = pytester.runpytest(f"--clipeval-model=frozen:{rows}", f"--clipeval-data={data}")
    result.assert_outcomes(passed=1)


def test_the_options_are_also_ini_settings(
    pytester: pytest.Pytester, frozen_pairs: tuple[Path, Path]
) -> None:
    data, rows = frozen_pairs
    pytester.makeini(f"[pytest]\nclipeval_model = frozen:{rows}\nclipeval_data = {data}\n")
    pytester.makepyfile(
        "def test_it(evaluate, encoder):\n    assert evaluate(encoder).ranks.t2i.n_queries == 3"
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_model_is_evaluated_once_in_a_session(
    pytester: pytest.Pytester, frozen_pairs: tuple[Path, Path]
) -> None:
    data, rows = frozen_pairs
    pytester.makepyfile(
        f"""
        seen = []

        def test_first(evaluate):
            seen.append(evaluate("frozen:{rows}"))

        def test_second(evaluate):
            assert evaluate("frozen:{rows}") is seen[0]
        """
    )
    pytester.runpytest(f"--clipeval-model=frozen:{rows}", f"--clipeval-data={data}").assert_outcomes(passed=2)


def test_without_a_model_the_encoder_fixture_skips_and_says_what_to_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(encoder):\n    raise AssertionError('must not run')")
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*pass --clipeval-model=SPEC*"])


def test_a_model_that_is_not_available_skips_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(encoder):\n    raise AssertionError('must not run')")
    result = pytester.runpytest("-rs", "--clipeval-model=hf:/no/such/folder")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*not_run:*"])


def test_a_misspelt_spec_is_an_error_not_a_skip(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(encoder):\n    pass")
    result = pytester.runpytest("--clipeval-model=hff:openai/clip-vit-base-patch32")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did you mean 'hf'?*"])
