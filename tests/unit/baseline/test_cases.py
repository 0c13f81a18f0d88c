"""Swaps that happen in earnest, each made with a real network, and what the check says of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.measure import measure
from clipeval.baseline.result import SwapResult
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset

CONSE = "conse:efficientnet-lite0+all-MiniLM-L6-v2"
Swap = Callable[..., SwapResult]


@pytest.fixture
def swap(embedded: Dataset, models_extra: None) -> Swap:
    """Compare two specs on the twenty embedded pictures."""
    del models_extra

    def run(
        old: str, new: str, *, data: Dataset | None = None, new_data: Dataset | None = None
    ) -> SwapResult:
        first = data or embedded
        options = {"offline": True, "allow_random_init": True, "probing": False}
        before = measure(old, first, data="embedded", **options)  # type: ignore[arg-type]
        after = measure(new, new_data or first, data="embedded", **options)  # type: ignore[arg-type]
        return compare_snapshots(before, after)

    return run


def drift_of(result: SwapResult) -> tuple[str, str]:
    return result.drift[0].kind, result.drift[1].kind


def names(result: SwapResult) -> set[str]:
    return {change.name for change in result.fields}


def test_the_same_model_twice_holds_by_identity(swap: Swap) -> None:
    result = swap(CONSE, CONSE)
    assert (result.verdict, drift_of(result), result.fields) == (
        Verdict.HOLDS,
        ("identical", "identical"),
        (),
    )


def test_float32_against_bfloat16_names_the_dtype_and_finds_both_modalities_moved(swap: Swap) -> None:
    result = swap(CONSE, f"{CONSE}?dtype=bfloat16")
    assert {"image: dtype", "text: dtype"} <= names(result)
    assert drift_of(result) in {("noise", "noise"), ("drift", "noise"), ("noise", "drift")}
    bound = {drift.modality: drift.tolerance for drift in result.drift}
    assert bound["pictures"] > 1e-5  # bfloat16's tolerance, not float32's
    assert result.verdict is not Verdict.REFUTED


def test_pil_against_torchvision_moves_pictures_only_and_names_the_processor(
    swap: Swap, clip_folder: Path
) -> None:
    result = swap(f"hf:{clip_folder}", f"hf:{clip_folder}?processor=torchvision")
    assert drift_of(result)[1] == "identical"
    assert drift_of(result)[0] in {"drift", "noise"}
    assert {"image processor backend", "probe pixels"} <= names(result)
    assert not {"weights", "tokenizer", "dtype"} & names(result)


def test_another_pixel_size_is_drift_of_pictures_with_its_cause_named(
    swap: Swap, clip_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "wide")
    changed(folder / "preprocessor_config.json", resample=0)
    result = swap(f"hf:{clip_folder}", f"hf:{folder}")
    assert drift_of(result) == ("drift", "identical")
    assert "probe pixels" in names(result)


def test_antialias_switched_off_moves_pictures_and_the_probe_pixels(
    swap: Swap, clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "clipeval_test_antialias"
    register(monkeypatch, module, clip_folder)
    result = swap(f"python:{module}:smooth", f"python:{module}:rough")
    assert drift_of(result) == ("drift", "identical")
    assert "probe pixels" in names(result)
    assert result.drift[0].n_beyond > 10


def test_a_changed_tokenizer_moves_captions_only_and_is_named(
    swap: Swap, clip_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "tokens")
    path = folder / "tokenizer.json"
    words = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = words["model"]["vocab"]
    vocabulary["a</w>"], vocabulary["the</w>"] = vocabulary["the</w>"], vocabulary["a</w>"]
    path.write_text(json.dumps(words), encoding="utf-8")
    result = swap(f"hf:{clip_folder}", f"hf:{folder}")
    assert drift_of(result)[0] == "identical"
    assert drift_of(result)[1] in {"drift", "different model"}
    assert {"tokenizer", "probe tokens"} <= names(result)
    assert "weights" not in names(result)


def test_a_random_init_twin_is_another_model_and_says_so(
    swap: Swap, clip_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "twin")
    (folder / "model.safetensors").unlink()
    result = swap(f"hf:{clip_folder}", f"hf:{folder}")
    assert "weights" in names(result)
    weights = next(change for change in result.fields if change.name == "weights")
    assert "random" in weights.new
    assert "different model" in drift_of(result)
    assert result.verdict is not Verdict.HOLDS


def test_a_shuffled_dataset_reports_no_difference(swap: Swap, embedded: Dataset) -> None:
    order = np.random.default_rng(5).permutation(embedded.n_images)
    shuffled = Dataset("shuffled", tuple(embedded.items[int(row)] for row in order))
    result = swap(CONSE, CONSE, new_data=shuffled)
    assert (result.verdict, result.data.changed, result.fields) == (Verdict.HOLDS, (), ())
    assert drift_of(result) == ("identical", "identical")


def test_an_edited_caption_is_named_and_nothing_is_compared(swap: Swap, embedded: Dataset) -> None:
    first = embedded.items[0]
    edited = replace(first, captions=("something else", *first.captions[1:]))
    result = swap(CONSE, CONSE, new_data=Dataset("edited", (edited, *embedded.items[1:])))
    assert (result.verdict, result.metrics, result.drift) == (Verdict.NOT_RUN, (), ())
    (change,) = result.data.changed
    assert (change.id, change.what, change.new) == (first.id, "captions", "something else")


def test_a_removed_item_is_named_and_the_part_is_not_compared_as_the_whole(
    swap: Swap, embedded: Dataset
) -> None:
    result = swap(CONSE, CONSE, new_data=Dataset("part", embedded.items[1:]))
    assert (result.verdict, result.metrics) == (Verdict.NOT_RUN, ())
    assert (result.data.removed, result.data.added) == ((embedded.items[0].id,), ())


def test_a_baseline_of_another_clipeval_version_is_compared_and_the_version_named(
    swap: Swap, embedded: Dataset, models_extra: None
) -> None:
    del models_extra
    new = measure(CONSE, embedded, data="embedded", offline=True, probing=False)
    old = replace(new, clipeval="0.0.1", fingerprint={**new.fingerprint, "clipeval": "0.0.1"})
    result = compare_snapshots(old, new)
    assert result.verdict is Verdict.HOLDS
    (change,) = result.fields
    assert (change.name, change.old, change.matters) == ("clipeval", "0.0.1", False)


def test_another_image_tower_moves_pictures_only_and_twenty_cannot_tell_which_is_better(swap: Swap) -> None:
    result = swap(CONSE, CONSE.replace("lite0", "lite2"))
    assert {"image: weights"} <= names(result)
    assert drift_of(result) == ("drift", "identical")
    assert result.verdict is Verdict.UNDECIDED
    assert {(change.metric, change.direction) for change in result.metrics if change.judged} == {
        ("hit_rate@1", "i2t"),
        ("hit_rate@1", "t2i"),
        ("mrr", "i2t"),
        ("mrr", "t2i"),
    }


def test_a_random_bridge_in_place_of_conse_is_refuted_with_the_pictures_that_it_lost(swap: Swap) -> None:
    result = swap(CONSE, CONSE.replace("conse:", "preclip:"))
    assert (result.verdict, drift_of(result)) == (
        Verdict.REFUTED,
        ("different model", "drift"),
    )
    assert all(len(flips.lost) > 9 for flips in result.flips)


def changed(path: Path, **words: Any) -> None:
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**settings, **words}), encoding="utf-8")


def register(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path) -> None:
    """Make a module of a user's, whose encoders differ in one argument of their resize."""
    import sys
    import types

    import torch
    import transformers

    from clipeval.encoders.load import load_encoder

    network = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    texts = load_encoder(f"hf:{folder}", offline=True)

    class Mine:
        def __init__(self, *, antialias: bool) -> None:
            self.antialias = antialias
            self.fingerprint = {"model": "mine", "weights": "the same"}

        def prepared_pixels(self, picture: Image.Image) -> np.ndarray:
            whole = torch.from_numpy(np.array(picture, dtype=np.float32)).permute(2, 0, 1)[None] / 255
            small = torch.nn.functional.interpolate(
                whole, size=(32, 32), mode="bilinear", antialias=self.antialias, align_corners=False
            )
            return np.asarray((small[0] - 0.5) / 0.5)

        def encode_images(self, pictures: Sequence[Image.Image]) -> np.ndarray:
            pixels = torch.from_numpy(np.stack([self.prepared_pixels(picture) for picture in pictures]))
            with torch.inference_mode():
                return np.asarray(network.get_image_features(pixel_values=pixels).pooler_output)

        def encode_texts(self, captions: Sequence[str]) -> np.ndarray:
            return texts.encode_texts(captions)

    module = types.ModuleType(name)
    module.smooth = lambda: Mine(antialias=True)  # type: ignore[attr-defined]
    module.rough = lambda: Mine(antialias=False)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
