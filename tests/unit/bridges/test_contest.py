"""The contest: everybody learns from the same pairs, and its numbers are those of the single commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval import evaluate, load_dataset, load_encoder
from clipeval.bridges.contest import Contest, contest
from clipeval.bridges.curve import Way, learning_curve
from clipeval.bridges.document import contest_document, contest_rows, curve_rows
from clipeval.bridges.published import published_rows
from clipeval.core.bridges.fit import KINDS, Wish, fit_bridge
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.towers import Towers
from clipeval.errors import InvalidInputError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.unseen import SeenItemsError
from clipeval.report.write_contest import write_contest


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures with two captions each, and rows of two towers that see the same things."""
    place = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 4))
    images = hidden @ rng.normal(size=(4, 9)) + 0.1 * rng.normal(size=(60, 9))
    texts = np.repeat(hidden, 2, axis=0) @ rng.normal(size=(4, 7)) + 0.1 * rng.normal(size=(120, 7))
    (place / "photos").mkdir()
    entries, names = [], [f"{n}.png" for n in range(60)]
    for n, name in enumerate(names):
        Image.new("RGB", (4, 4), (n, 9, 9)).save(place / "photos" / name)
        entries.append({"image": name, "captions": [f"one {n}", f"two {n}"]})
    (place / "photos" / "metadata.json").write_text(json.dumps(entries))
    np.savez(
        place / "rows.npz",
        images=images.astype("f4"),
        texts=texts.astype("f4"),
        image_ids=names,
        caption_ids=[f"{name}#{k}" for name in names for k in (0, 1)],
    )
    return place


def spec_of(world: Path) -> str:
    return f"preclip:frozen:{world}/rows.npz+frozen:{world}/rows.npz"


def towers_of(world: Path) -> Towers:
    loaded: Any = load_encoder(f"{spec_of(world)}?projection=procrustes&fit=none")
    return Towers(spec_of(world), loaded.image, loaded.text)


def held(world: Path, **options: Any) -> Contest:
    train, test = (load_dataset(f"{world}/photos#{part}") for part in ("train", "test"))
    return contest(parse_spec(spec_of(world)), towers_of(world), train, test, **options)


@pytest.fixture(scope="module")
def job(world: Path) -> Contest:
    return held(world, published=published_rows("flickr8k"))


def test_the_contestants_stand_from_chance_to_published(job: Contest) -> None:
    assert [entry.way for entry in job.entries] == [
        "chance",
        "no pairs",
        *["learned"] * len(KINDS),
        "published",
    ]
    assert job.entries[0].rates["t2i"]["hit_rate@1"].value == pytest.approx(1 / job.test.n_images)
    assert job.entries[-1].rates["t2i"]["hit_rate@5"].value == 0.8054


@pytest.mark.parametrize("kind", KINDS)
def test_a_contestants_numbers_are_those_of_its_spec(world: Path, job: Contest, kind: str) -> None:
    alone = evaluate(
        load_encoder(f"{spec_of(world)}?projection={kind}&fit={world}/photos&part=train"), job.test
    )
    entry = job.entries[2 + KINDS.index(kind)]
    assert entry.words == alone.fingerprint["projection"]
    for direction in ("i2t", "t2i"):
        assert entry.rates[direction]["hit_rate@1"].value == alone.direction(direction).hit_rate(1)
    assert entry.learned == alone.learned


def test_every_measured_rate_has_an_interval_around_it(job: Contest) -> None:
    for entry in job.entries[1:-1]:
        for one in (one for of in entry.rates.values() for one in of.values()):
            assert one.low is not None
            assert one.low <= one.value <= one.high


def test_a_contest_on_the_training_pairs_is_refused(world: Path) -> None:
    train = load_dataset(world / "photos")
    with pytest.raises(SeenItemsError, match="60 of the 60"):
        contest(parse_spec(spec_of(world)), towers_of(world), train, train, kinds=["procrustes"])


def test_a_way_that_is_not_available_is_reported_and_the_others_run(world: Path) -> None:
    def absent(*_: Any) -> Any:
        raise NotAvailableError("no torch here")

    def present(images: Any, texts: Any, owner: Any, units: Any) -> Any:
        return fit_bridge(Wish("procrustes"), images, texts, owner, units=units)

    found = held(world, kinds=["procrustes"], learners={"absent": absent, "present": present})
    by_name = {entry.name: entry for entry in found.entries}
    assert "no torch here" in by_name["absent"].reason
    assert by_name["present"].rates == by_name["Procrustes"].rates
    assert by_name["present"].way == "trained"


def test_a_bridge_that_cannot_learn_from_so_few_pairs_is_reported_and_the_others_run(world: Path) -> None:
    train, test = (load_dataset(f"{world}/photos#{part}") for part in ("train", "test"))
    few = replace(train, items=train.items[:4])
    found = contest(parse_spec(spec_of(world)), towers_of(world), few, test, kinds=["procrustes", "ridge"])
    by_name = {entry.name: entry for entry in found.entries}
    assert by_name["Procrustes"].rates
    assert "too few" in by_name["ridge"].reason


def test_models_that_need_no_pairs_stand_before_those_that_learn(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def instead(spec: str, data: Any, **_: Any) -> Any:
        if spec.startswith("frozen:"):
            raise NotAvailableError(f"no file for {spec}")
        return evaluate(load_encoder(f"{spec_of(world)}?projection=gaussian&project=text"), data)

    monkeypatch.setattr("clipeval.bridges.contest.evaluate_spec", instead)
    found = held(world, kinds=["procrustes"], models=["frozen:missing.npz", "conse:a+b", "conse:c+d"])
    names = [entry.name for entry in found.entries]
    assert names == ["chance", "random", "ConSE", "ConSE 2", "Procrustes", "frozen:missing.npz"]
    assert "no file" in found.entries[-1].reason


def test_the_whole_curve_ends_where_the_contest_is(world: Path, job: Contest) -> None:
    sizes = [20, 10_000]
    points = learning_curve(towers_of(world), job.train, job.test, sizes=sizes, seeds=[42, 43])
    whole = {p.name: p for p in points if p.n_images == job.train.n_images}
    assert len(whole) == len(KINDS)  # all pictures make one subset, whatever the seeds
    for entry in job.entries[2:-1]:
        assert whole[entry.name].t2i == entry.rates["t2i"]["hit_rate@1"].value
    assert sorted({p.seed for p in points if p.n_images == 20}) == [42, 43]
    assert all(p.n_captions == 2 * p.n_images for p in points)


def test_smaller_subsets_lie_inside_larger_ones_of_the_same_seed(world: Path, job: Contest) -> None:
    seen: dict[tuple[int, int], set[bytes]] = {}

    def spying(seed: int) -> Any:
        def learner(images: np.ndarray, *rest: Any) -> Any:
            seen[seed, len(images)] = {row.tobytes() for row in images}
            return fit_bridge(Wish("procrustes"), images, rest[0], rest[1])

        return learner

    learning_curve(
        towers_of(world),
        job.train,
        job.test,
        sizes=[10, 20],
        seeds=[1, 2],
        kinds=[],
        learners={"spy": Way(spying, "spy")},
    )
    assert seen[1, 10] < seen[1, 20]
    assert seen[1, 10] != seen[2, 10]


def test_a_curve_goes_on_where_it_was(world: Path, job: Contest, tmp_path: Path) -> None:
    asked: list[int] = []

    def counting(seed: int) -> Any:
        def learner(images: np.ndarray, texts: np.ndarray, owner: Any, units: Any) -> Any:
            asked.append(len(images))
            return fit_bridge(Wish("procrustes"), images, texts, owner)

        return learner

    def run(words: str, sizes: list[int]) -> Any:
        return learning_curve(
            towers_of(world),
            job.train,
            job.test,
            sizes=sizes,
            seeds=[1],
            kinds=[],
            learners={"counting": Way(counting, words)},
            cache=EmbeddingCache(tmp_path),
        )

    first = run("a", [10])
    assert run("a", [10, 20])[0] == first[0]
    assert asked == [10, 20]
    run("b", [10])
    assert asked == [10, 20, 10]


def test_a_bridge_that_cannot_choose_from_so_few_pairs_has_no_point(world: Path, job: Contest) -> None:
    points = learning_curve(towers_of(world), job.train, job.test, sizes=[5], seeds=[0])
    assert {p.name for p in points} == {"Procrustes", "relative"}


def test_files_hold_the_same_numbers_and_pictures_are_whole(
    world: Path, job: Contest, tmp_path: Path
) -> None:
    points = learning_curve(
        towers_of(world), job.train, job.test, sizes=[20, 40], seeds=[1], kinds=["procrustes"]
    )
    written = write_contest(tmp_path / "out", job, points)
    assert sorted(written) == sorted(path.name for path in (tmp_path / "out").iterdir())
    document = json.loads((tmp_path / "out" / "contest.json").read_text())
    assert document == json.loads(json.dumps(contest_document(job, points, files=document["files"])))
    assert sorted([*document["files"], "contest.json"]) == sorted(written)
    table = {(row[0], row[2], row[3]): row[4] for row in contest_rows(job)[1:]}
    assert table["ridge", "t2i", "hit_rate@1"] == pytest.approx(
        job.entries[3].rates["t2i"]["hit_rate@1"].value, abs=1e-6
    )
    assert len(curve_rows(points)) == 1 + len(points)
    for stem in ("contest", "curve"):
        with Image.open(tmp_path / "out" / f"{stem}.png") as picture:
            picture.load()
            assert picture.width > 1000
        assert (tmp_path / "out" / f"{stem}.svg").read_bytes().startswith(b"<?xml")
    write_contest(tmp_path / "out", job, ())
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"contest.png", "contest.svg", "contest.csv", "contest.json"}  # no curve of another run
    write_contest(tmp_path / "out", job, points)
    again = tmp_path / "again"
    write_contest(again, job, points)
    for name in ("contest.svg", "curve.svg", "contest.png", "contest.csv"):
        assert (again / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_second_contest_learns_nothing_anew(world: Path, tmp_path: Path, monkeypatch: Any) -> None:
    cache = EmbeddingCache(tmp_path)
    first = held(world, kinds=["ridge"], cache=cache)
    monkeypatch.setattr("clipeval.evaluation.learning.fit_bridge", None)
    assert held(world, kinds=["ridge"], cache=cache).entries[2].rates == first.entries[2].rates


def test_published_figures_are_asked_for_by_name() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'flickr8k'"):
        published_rows("flickr8")
