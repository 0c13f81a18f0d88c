"""The causes of a collapse are named: causal pooling at the wrong token, padding, the learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.data.dataset import Dataset, Item  # noqa: E402
from clipeval.encoders.networks import text_rows  # noqa: E402
from clipeval.encoders.options import LoadOptions  # noqa: E402
from clipeval.training.diagnosis import diagnose, mean_cosine  # noqa: E402
from clipeval.training.job import train  # noqa: E402
from clipeval.training.settings import TrainingSettings  # noqa: E402

THINGS = ("cat", "dog", "red car", "very old house by the sea", "tree", "yellow flower", "small boat", "bird")


@pytest.fixture
def articles(tmp_path: Path) -> tuple[Dataset, str]:
    """Captions that all begin with the same word, of different lengths, and stored rows of their pictures."""
    items = tuple(Item(f"{n}.png", (f"a {THINGS[n % 8]} number {n}",)) for n in range(48))
    path = tmp_path / "rows.npz"
    images = np.random.default_rng(0).normal(size=(48, 10)).astype(np.float32)
    np.savez(path, images=images, image_ids=np.array([item.id for item in items]))
    return Dataset("articles", items), f"frozen:{path}"


def kinds(articles: Any, tmp_path: Path, pooling: str | None, **more: Any) -> dict[str, str]:
    dataset, rows = articles
    settings = TrainingSettings(**{"epochs": 2, "batch_size": 12, "dim": 8, "held_out": 0.4, **more})
    found = train(
        dataset,
        image_tower=rows,
        text_tower="tiny-gpt2",
        out=tmp_path / "run",
        settings=settings,
        options=LoadOptions(allow_random_init=True),
        pooling=pooling,
    ).findings
    return {finding.kind: finding.text for finding in found}


def test_a_causal_network_pooled_at_its_first_token_is_named(articles: Any, tmp_path: Path) -> None:
    found = kinds(articles, tmp_path, "first")
    assert "first token knows nothing of the text" in found["constant rows"]
    assert "collapsed" in found


def test_pooling_at_padding_is_named(articles: Any, tmp_path: Path) -> None:
    assert "pooling 'end' reads a padding token" in kinds(articles, tmp_path, "end")["padding"]


def test_the_last_real_token_is_the_default_of_a_causal_network_and_raises_no_alarm(
    articles: Any, tmp_path: Path
) -> None:
    found = kinds(articles, tmp_path, None)
    assert "padding" not in found
    assert "constant rows" not in found


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_pooling_finds_the_real_tokens_on_whichever_side_the_padding_stands(side: str, pooling: str) -> None:
    hidden = torch.arange(10.0).reshape(1, 5, 2).repeat(2, 1, 1)

    class Echo:
        def __call__(self, **_: Any) -> Any:
            return type("Out", (), {"last_hidden_state": hidden})

    real = [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0] if side == "right" else [0, 0, 1, 1, 1]]
    mask = torch.tensor(real)
    found = text_rows(Echo(), {"input_ids": mask, "attention_mask": mask}, pooling)[1, 0].item()
    columns = [8.0 * 0 + 2.0 * place for place in range(5) if real[1][place]]
    assert found == {"mean": np.mean(columns), "first": columns[0], "last": columns[-1]}[pooling]


def history(losses: list[float], *, hit: float) -> list[dict[str, Any]]:
    base = {
        "held_out_n_images": 500,
        **{f"held_out_top100_{way}": hit for way in ("i2t", "t2i")},
        **{f"held_out_chance100_{way}": 0.2 for way in ("i2t", "t2i")},
    }
    return [{"loss": loss, **base} for loss in losses]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([4.2, 9.0, 7.0], "smaller learning rate"),
        ([4.16, 4.15, 4.15], "knows nothing"),
        ([4.0, 1.0, 0.1], "too few pairs"),
    ],
)
def test_the_loss_tells_why_nothing_was_learnt(losses: list[float], words: str) -> None:
    rows = {side: np.eye(8, dtype=np.float32) for side in ("image", "text")}
    found = diagnose(
        history(losses, hit=0.19),
        rows,
        part="held_out",
        batch_size=64,
        text_words={},
        padding_changes=0.0,
    )
    assert [finding.kind for finding in found] == ["collapsed", "learning rate"]
    assert words in found[1].text


def test_a_model_that_retrieves_has_no_findings() -> None:
    rows = {side: np.eye(8, dtype=np.float32) for side in ("image", "text")}
    good = history([4.0, 1.0], hit=0.5)
    assert diagnose(good, rows, part="held_out", batch_size=64, text_words={}, padding_changes=1e-7) == ()


@pytest.mark.parametrize(("n", "said"), [(3, []), (4, ["collapsed", "learning rate"])])
def test_of_so_few_items_that_a_perfect_model_would_fail_nothing_is_said(n: int, said: list[str]) -> None:
    rows = {side: np.eye(n, dtype=np.float32) for side in ("image", "text")}
    row = {"held_out_n_images": n, "loss": 0.1, "epoch": 1}
    for way in ("i2t", "t2i"):
        row |= {f"held_out_chance1_{way}": 1 / n, f"held_out_hit1_{way}": 1 / n}
    found = diagnose([row], rows, part="held_out", batch_size=8, text_words={}, padding_changes=0.0)
    assert [finding.kind for finding in found] == said


def test_where_nothing_is_held_out_constant_rows_are_found_all_the_same() -> None:
    rows = {"image": np.eye(8, dtype=np.float32), "text": np.ones((8, 1), dtype=np.float32)}
    found = diagnose(
        [{"loss": 0.1, "epoch": 1}], rows, part=None, batch_size=8, text_words={}, padding_changes=0.0
    )
    assert [finding.kind for finding in found] == ["constant rows"]


def test_the_mean_cosine_is_that_of_a_plain_loop() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    slow = np.mean([rows[i] @ rows[j] for i in range(9) for j in range(9) if i != j])
    assert mean_cosine(rows.astype(np.float32)) == pytest.approx(slow, abs=1e-6)


def test_the_epoch_that_was_kept_is_judged_and_not_the_last() -> None:
    rows = {side: np.eye(8, dtype=np.float32) for side in ("image", "text")}
    both = [*history([4.0], hit=0.5), *history([3.0], hit=0.2)]
    said = {
        kept: diagnose(
            both, rows, part="held_out", batch_size=64, text_words={}, padding_changes=0.0, kept=kept
        )
        for kept in (0, 1)
    }
    assert said[0] == ()
    assert said[1][0].kind == "collapsed"
