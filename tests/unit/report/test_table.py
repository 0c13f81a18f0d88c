from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from clipeval.compare.job import Comparison, compare
from clipeval.report.table import print_comparison

ESCAPE = "\x1b"


def printed(job: Comparison, *, terminal: bool = False, width: int = 80) -> str:
    stream = io.StringIO()
    color = {"color_system": "truecolor"} if terminal else {}
    print_comparison(
        job, Console(file=stream, highlight=False, width=width, force_terminal=terminal, **color)
    )
    return stream.getvalue()


def test_the_table_holds_every_number_of_the_scores(captioned, frozen) -> None:
    data = captioned(10, categories=("Animals", "Food"))
    job = compare([frozen(data, noise=2.0), frozen(data, "b.npz", noise=5.0, seed=1)], data)
    text = printed(job)
    for result in job.models:
        assert result.scores is not None
        for direction in ("i2t", "t2i"):
            for k in (1, 5):
                metric = result.scores.metrics[direction][f"hit_rate@{k}"]
                low, high = (f"{bound:.2f}".replace("0.", ".") for bound in (metric.low, metric.high))
                assert f"{metric.value:.3f} [{low}, {high}]" in text
        diagonal = result.scores.diagonal
        assert f"{diagonal.mean:.3f} ± {diagonal.sd:.3f}" in text
        assert f"{diagonal.off_mean:.3f} ± {diagonal.off_sd:.3f}" in text
        assert f"{result.scores.dominance[0]:.0%} of rows" in text
        for part in result.categories.values():
            hits = " / ".join(f"{part.metrics[d]['hit_rate@1'].value:.2f}" for d in ("i2t", "t2i"))
            assert f"{hits}  {part.diagonal.mean:+.3f}" in text
    assert re.search(r"^chance +0\.100 +0\.500 +0\.100 +0\.500$", text, re.MULTILINE)
    for pair in job.pairs:
        line = next(line for line in text.splitlines() if line.startswith(f"A - B  {pair.direction}"))
        assert f"{pair.test.difference:+.3f} [" in line
        assert f"A {pair.test.discordant[0]} : B {pair.test.discordant[1]}" in line
        assert f"{pair.test.p:.2g}" in line
    assert "undecided" in text


@pytest.mark.parametrize("models", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [4, 150])
def test_tables_fit_eighty_columns_and_no_number_is_cut(captioned, frozen, models: int, n: int) -> None:
    data = captioned(n, categories=("Animals", "Clothes and other objects", "c" * 500))
    job = compare([frozen(data, f"{m}.npz", noise=m, seed=m) for m in range(models)], data)
    text = printed(job)
    assert max(map(len, text.splitlines())) <= 80
    rows = [line for line in text.splitlines() if re.match(r"[A-E] +\d\.\d{3} \[", line)]
    assert len(rows) == models
    for row in rows:
        assert len(re.findall(r"\d\.\d{3} \[[.\d]+, [.\d]+\]|n/a", row)) == 4
    names = "".join(line[:14] for line in text.splitlines())
    assert "Animals" in names
    cells = re.findall(r"\d\.\d\d / \d\.\d\d  [+-]\d\.\d{3}(?= |$)", text, re.MULTILINE)
    assert len(cells) == 3 * models


def test_names_that_look_like_markup_or_emoji_codes_are_shown_as_written(captioned, frozen) -> None:
    hostile = ("[red]x[/red]", "[/]", ":cat:", "\x1b[31mred", "back\\")
    data = captioned(5, categories=hostile, name="[bold]data[/bold] :dog:")
    text = printed(compare([frozen(data, "[blue]m.npz")], data))
    assert "[bold]data[/bold] :dog:" in text
    assert "frozen [blue]m.npz" in text
    for category in ("[red]x[/red]", "[/]", ":cat:", "\\x1b[31mred", "back\\"):
        assert any(line.startswith(category) for line in text.splitlines())
    assert ESCAPE not in text


def test_colour_is_for_terminals_only(captioned, frozen) -> None:
    data = captioned(3)
    job = compare([frozen(data)], data)
    assert ESCAPE not in printed(job)
    coloured = printed(job, terminal=True)
    assert ESCAPE in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == printed(job)


def test_what_is_not_defined_is_said_to_be_not_available(captioned, frozen) -> None:
    data = captioned(1)
    text = printed(compare([frozen(data)], data))
    assert "1 picture, 1 caption\n" in text
    assert "nan" not in text.lower()
    assert text.count("n/a") == 6  # hit_rate@5 both ways with its chance, wrong pairs, AUROC


def test_a_model_that_did_not_run_stands_with_its_reason(captioned, frozen, tmp_path: Path) -> None:
    data = captioned(3)
    text = printed(compare(["frozen:absent.npz", frozen(data)], data))
    assert "A  frozen absent.npz  not_run\n" in text
    assert "there is no file 'absent.npz'" in text
    assert "to do: " in text
    assert re.search(r"^B +\d\.\d{3} \[", text, re.MULTILINE)
    assert "Paired" not in text


def test_with_several_captions_p_is_not_called_exact(captioned, frozen) -> None:
    single, several = captioned(8), captioned(8, per_image=3)
    for data, word in ((single, "exact p"), (several, " p  ")):
        job = compare([frozen(data, f"{k}.npz", noise=1 + k, seed=k) for k in range(2)], data)
        header = next(line for line in printed(job).splitlines() if "only one" in line)
        assert word in header
        assert ("exact" in header) == (data is single)
        assert ("only one right" if data is single else "only one better") in header


def test_with_parts_of_hits_a_model_is_better_not_right(captioned, frozen, tmp_path: Path) -> None:
    """A constant encoder has a part of a hit on every query."""
    data = captioned(8)
    np.savez(tmp_path / "ones.npz", images=np.ones((8, 2), np.float32), texts=np.ones((8, 2), np.float32))
    text = printed(compare([frozen(data, noise=3.0), f"frozen:{tmp_path / 'ones.npz'}"], data))
    assert "only one better" in text
    assert "only one right" not in text


def test_the_smallest_difference_that_could_be_found_stands_below_the_pairs(captioned, frozen) -> None:
    data = captioned(20)
    specs = [frozen(data, "a.npz", noise=2.0), frozen(data, "b.npz", noise=3.0, seed=1)]
    job = compare([*specs, frozen(data, "same.npz", noise=2.0)], data)
    text = " ".join(printed(job).split())
    for pair, (one, other) in zip(job.pairs[::2], ["AB", "AC", "BC"], strict=True):
        effect = pair.test.minimum_detectable_effect
        shown = "n/a" if effect is None else f"{effect:.3f}"
        assert f"{one} - {other} i2t {shown}, t2i " in text
    assert "A - C i2t n/a, t2i n/a" in text


def test_a_p_near_zero_is_shown_as_a_bound(captioned, tmp_path: Path) -> None:
    data, noise = captioned(1200), np.random.default_rng(0).standard_normal((1200, 1200)) * 1e-3
    rows = (np.eye(1200) + noise).astype(np.float32)  # without noise all wrong pairs tie: slow
    np.savez(tmp_path / "good.npz", images=rows, texts=rows)
    np.savez(tmp_path / "bad.npz", images=rows, texts=np.roll(rows, 1, axis=0))
    text = printed(compare([f"frozen:{tmp_path / name}.npz" for name in ("good", "bad")], data))
    assert text.count("<1e-300  <1e-300  A better") == 2
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [45, 60, 72])
def test_on_a_narrow_terminal_headings_and_numbers_are_broken_never_cut(
    captioned, frozen, width: int
) -> None:
    data = captioned(30, categories=("Animals", "Food"))
    job = compare([frozen(data, f"{m}.npz", noise=m, seed=m) for m in range(3)], data)
    text = printed(job, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    heading = text.partition("Retrieval")[2].partition("───")[0]
    below = heading.split("]")[-1].split()
    assert "".join(below).count("1") == "".join(below).count("5") == 2
    for result in job.models:
        for part in result.categories.values():
            assert f"{part.diagonal.mean:+.3f}" in text


def test_the_verdict_names_the_better_model(captioned, tmp_path: Path) -> None:
    data = captioned(20)
    rows = np.eye(20, dtype=np.float32)
    np.savez(tmp_path / "good.npz", images=rows, texts=rows)
    np.savez(tmp_path / "bad.npz", images=rows, texts=np.roll(rows, 1, axis=0))
    job = compare([f"frozen:{tmp_path / name}.npz" for name in ("bad", "good")], data)
    assert printed(job).count("B better") == 2


def test_repeated_items_are_counted_and_said(captioned, frozen) -> None:
    once = captioned(6, captions=[f"caption {row}" for row in range(6)])
    assert "repeat" not in printed(compare([frozen(once)], once))
    twice = captioned(6, captions=[f"caption {row % 4}" for row in range(6)])
    text = printed(compare([frozen(twice, "twice.npz")], twice))
    assert "2 repeat another's picture or caption: intervals and tests count 4 units" in text
