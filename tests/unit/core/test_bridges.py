"""Bridges learned from pairs, against slow references and the reference values on clip-coco500."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from clipeval import rank_retrieval, unit_rows
from clipeval.core.bridges import folds
from clipeval.core.bridges.anchors import asif, relative_representations
from clipeval.core.bridges.linear import cca, procrustes, ridge
from clipeval.errors import InvalidInputError

FITS: dict[str, Callable[..., Any]] = {
    "procrustes": procrustes,
    "ridge": ridge,
    "cca": cca,
    "relative": relative_representations,
    "asif": lambda x, y: asif(x, y, top=5),
}


def related(n: int, d: int = 6, e: int = 4, *, noise: float = 0.3, seed: int = 0) -> Any:
    """Two views of the same hidden rows."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 3))
    views = (hidden @ rng.normal(size=(3, width)) + noise * rng.normal(size=(n, width)) for width in (d, e))
    return tuple(views)


def centred(rows: np.ndarray) -> np.ndarray:
    unit = unit_rows(rows).astype(np.float64)
    return unit - unit.mean(axis=0)


def test_procrustes_is_scipys_where_the_pairs_show_every_direction() -> None:
    x, y = related(50, 4, 4)
    rotation, _ = orthogonal_procrustes(centred(x), centred(y))
    np.testing.assert_allclose(procrustes(x, y).image_matrix, rotation, atol=1e-12)


def test_procrustes_leaves_out_directions_that_no_pair_shows() -> None:
    x, y = related(4, 6, 6)
    matrix = procrustes(x, y).image_matrix
    assert np.linalg.matrix_rank(matrix) == 3  # four centred pairs span three directions
    np.testing.assert_allclose(matrix @ matrix.T @ matrix, matrix, atol=1e-12)


@pytest.mark.parametrize("side", ["image", "text"])
def test_ridge_is_least_squares_with_penalty_rows_added(side: str) -> None:
    x, y = related(30)
    source, target = (centred(x), centred(y)) if side == "image" else (centred(y), centred(x))
    d = source.shape[1]
    weight = 0.7 * np.trace(source.T @ source) / d
    slow = np.linalg.lstsq(
        np.vstack([source, np.sqrt(weight) * np.eye(d)]),
        np.vstack([target, np.zeros((d, target.shape[1]))]),
        rcond=None,
    )[0]
    found = ridge(x, y, side=side, strength=0.7)
    matrix = found.image_matrix if side == "image" else found.text_matrix
    np.testing.assert_allclose(matrix, slow, atol=1e-12)


def test_ridge_without_a_penalty_is_the_smallest_least_squares_solution() -> None:
    x, y = related(4, 9, 5)
    slow = np.linalg.lstsq(centred(x), centred(y), rcond=1e-10)[0]
    np.testing.assert_allclose(ridge(x, y, strength=0.0).image_matrix, slow, atol=1e-9)


def test_an_image_with_several_captions_counts_once_for_each_of_them() -> None:
    x, y = related(20)
    owner = np.repeat(np.arange(20), 3)
    texts = y[owner] + np.random.default_rng(1).normal(size=(60, y.shape[1]))
    order = np.random.default_rng(2).permutation(60)  # no image beside itself: the plain way
    beside, apart = (ridge(x[owner[at]], texts[at], strength=0.3) for at in (np.arange(60), order))
    np.testing.assert_allclose(beside.image_matrix, apart.image_matrix, atol=1e-12)


def test_cca_of_few_pairs_names_the_directions_that_it_has() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(5, 9)), rng.normal(size=(5, 7))
    bridge = cca(images, texts, penalty=1.0)
    assert bridge.words.startswith("cca, 5 directions")
    assert bridge.images(images).shape == (5, 5)


def test_cca_finds_the_canonical_correlations_of_orthonormal_bases() -> None:
    x, y = related(200)
    bases = [np.linalg.qr(centred(side))[0] for side in (x, y)]
    slow = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    bridge = cca(x, y, penalty=1e-12)
    left, right = (carried.astype(np.float64) for carried in (bridge.images(x), bridge.texts(y)))
    # each side is weighted by the root of its correlation: norms and products tell it
    np.testing.assert_allclose(np.sum(left * left, axis=0), slow, atol=1e-5)
    np.testing.assert_allclose(np.sum(left * right, axis=0), slow**2, atol=1e-5)


def test_asif_is_a_loop_over_the_largest_similarities() -> None:
    x, y = related(12)
    asked = related(5, seed=1)[0]
    anchors, rows = unit_rows(x).astype(np.float64), unit_rows(asked).astype(np.float64)
    slow = np.zeros((5, 12))
    for i, row in enumerate(rows):
        similarity = [float(row @ anchor) for anchor in anchors]
        for j in sorted(range(12), key=lambda j: -similarity[j])[:4]:
            slow[i, j] = max(similarity[j], 0.0) ** 3
    found = asif(x, y, top=4, power=3).images(asked)
    np.testing.assert_allclose(unit_rows(found), unit_rows(slow), atol=1e-6)


def test_asif_of_few_anchors_tries_more_than_one_similarity() -> None:
    rng = np.random.default_rng(0)
    hidden = np.abs(rng.normal(size=(11, 6)))  # a blend of neighbours says more than the nearest
    images, texts = hidden @ rng.normal(size=(6, 9)), hidden @ rng.normal(size=(6, 7))
    assert asif(images, texts, power=1.0).top in {2, 5}


def test_a_high_power_of_small_similarities_does_not_vanish() -> None:
    bridge = asif(np.eye(3), np.eye(3), top=2, power=64)
    assert np.linalg.norm(bridge.images([[0.5, 0.4, -1.0]])) > 0.9


def test_bridges_have_the_reference_values_on_clip_coco500(reference_data: Path) -> None:
    images, texts = np.load(reference_data / "clip-coco500" / "features_clip.npy", allow_pickle=False)
    train, held_out = slice(0, 250), slice(250, 500)
    source = centred(images[train])
    one = 1.0 / (np.trace(source.T @ source) / source.shape[1])  # the table's penalty of 1, in our unit
    expected = {"ridge": ("0.172", "0.364"), "asif": ("0.152", "0.128")}
    for name, bridge in (
        ("ridge", ridge(images[train], texts[train], strength=one)),
        ("asif", asif(images[train], texts[train], top=50, power=8)),
    ):
        ranks = rank_retrieval(bridge.images(images[held_out]), bridge.texts(texts[held_out]))
        assert (f"{ranks.i2t.hit_rate(1):.3f}", f"{ranks.t2i.hit_rate(1):.3f}") == expected[name]


@pytest.mark.parametrize("name", sorted(FITS))
def test_every_bridge_beats_chance_on_pairs_it_has_not_seen(name: str) -> None:
    x, y = related(300, 12, 10, noise=0.1)
    bridge = FITS[name](x[:200], y[:200])
    ranks = rank_retrieval(bridge.images(x[200:]), bridge.texts(y[200:]))
    assert ranks.i2t.hit_rate(5) > 0.15
    assert ranks.t2i.hit_rate(5) > 0.15


@pytest.mark.parametrize("name", sorted(FITS))
def test_the_length_of_a_row_changes_nothing(name: str) -> None:
    x, y = related(40)
    scale = np.random.default_rng(3).uniform(0.1, 9, size=(40, 1))
    plain, scaled = FITS[name](x, y), FITS[name](scale * x, scale * y)
    np.testing.assert_allclose(plain.images(x[:3]), scaled.images(7 * x[:3]), atol=1e-4)
    np.testing.assert_allclose(plain.texts(y[:3]), scaled.texts(7 * y[:3]), atol=1e-4)


def test_the_pairs_of_a_group_are_never_on_both_sides_of_a_fold() -> None:
    x, y = related(60)
    groups = np.repeat(np.arange(12), 5)
    seen: list[tuple[set[int], set[int]]] = []
    whole = unit_rows(x).astype(np.float64)

    def rows_of(part: np.ndarray) -> set[int]:
        return {int(groups[np.flatnonzero((whole == row).all(axis=1))[0]]) for row in part}

    class Spy:
        words = "spy"

        def __init__(self, trained: set[int]) -> None:
            self.trained = trained

        def images(self, rows: np.ndarray) -> np.ndarray:
            seen.append((self.trained, rows_of(rows)))
            return rows[:, :4]

        def texts(self, rows: np.ndarray) -> np.ndarray:
            return rows

    folds.best_by_folds(
        (1.0,),
        lambda images, _, __: lambda _: Spy(rows_of(images)),
        whole,
        unit_rows(y).astype(np.float64),
        groups=groups,
        seed=0,
    )
    assert len(seen) == folds.FOLDS
    assert all(not trained & asked for trained, asked in seen)
    assert set.union(*(asked for _, asked in seen)) == set(range(12))


def test_the_chosen_strength_follows_the_noise_of_the_pairs() -> None:
    def strength(noise: float) -> float:
        return float(ridge(*related(60, 30, 30, noise=noise)).words.split("strength ")[1].split(",")[0])

    assert strength(2.0) > strength(0.001)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x, y: procrustes(x[:3], y), "3 images and 40 texts are not pairs"),
        (lambda x, y: asif(x[:1], y[:1]), "from 1 pairs"),
        (lambda x, y: ridge(x[:5], y[:5]), "5 independent pairs are too few"),
        (lambda x, y: ridge(x, y, strength=-1.0), "0 or more"),
        (lambda x, y: ridge(x, y, side="left"), "unknown side 'left'"),
        (lambda x, y: ridge(x, y, groups=[1, 2]), "2 group numbers for 40 pairs"),
        (lambda x, y: cca(x, y, dim=5, penalty=1.0), "4 directions"),
        (lambda x, y: cca(x, y, penalty=0.0), "above 0"),
        (lambda x, y: asif(x, y, top=41), "40 anchors"),
        (lambda x, y: asif(x, y, power=0), "above 0"),
        (lambda x, y: procrustes(x, y).images(y), "images of width 6, these have width 4"),
        (lambda x, y: procrustes(np.where(x > 9, x, np.nan), y), "NaN"),
    ],
)
def test_what_no_bridge_can_be_made_of_is_refused(call: Callable[..., Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call(*related(40))
