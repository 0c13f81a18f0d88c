"""Parts do the same work as the whole: what is timed apart is what encodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.bench.halves import take_apart_images, take_apart_texts
from clipeval.bench.operations import Product, count_operations
from clipeval.bench.parts import BATCHES, PARTS, parts_of
from clipeval.bench.roof import SIDES, copy_rate, raise_roof

torch = pytest.importorskip("torch", reason="needs clipeval[models]")


def rows_of(output) -> np.ndarray:
    if hasattr(output, "pooler_output"):
        output = output.pooler_output
    elif isinstance(output, dict):
        output = output["sentence_embedding"]
    return output.float().numpy()


@pytest.mark.parametrize("spec", ["hf", "st", "preclip:efficientnet-lite0+all-MiniLM-L6-v2"])
def test_preparing_and_running_forward_gives_the_rows_that_encoding_gives(
    spec, request, embedded, embedded_pictures
) -> None:
    from clipeval import load_encoder

    name = spec if ":" in spec else f"{spec}:{request.getfixturevalue('tiny_hf')}"
    encoder = load_encoder(name, offline=True)
    pictures, texts = embedded_pictures[:4], list(embedded.captions[:4])
    image, text = take_apart_images(encoder.image_tower), take_apart_texts(encoder.text_tower)
    rows = rows_of(image.forward(image.move(image.prepare(pictures))))
    np.testing.assert_allclose(rows, encoder.image_tower.encode_images(pictures), atol=1e-5)
    rows = rows_of(text.forward(text.move(text.prepare(texts))))
    np.testing.assert_allclose(rows, encoder.text_tower.encode_texts(texts), atol=1e-5)
    files = [item.picture.read() for item in embedded.items[:4]]
    parts, missing = parts_of(encoder, files, texts)
    assert ([part.name for part in parts], missing) == (list(PARTS), [])
    for part in parts:
        part.call()
        part.call()  # a second call finds its inputs as the first did
        assert part.items == (4 * BATCHES if "overlapped" in part.name else 4)
    (overlapped,) = (part for part in parts if "overlapped" in part.name)
    rows = encoder.encode_images(pictures)
    np.testing.assert_array_equal(overlapped.call(), np.concatenate([rows] * BATCHES))
    some, _ = parts_of(encoder, files, texts, wanted=("decode", "forward text"))
    assert [part.name for part in some] == ["decode", "forward text"]


def test_an_open_clip_model_is_taken_apart(tiny_open_clip, embedded, embedded_pictures) -> None:
    from clipeval import load_encoder

    encoder = load_encoder(f"open_clip:local-dir:{tiny_open_clip}", offline=True)
    image, text = take_apart_images(encoder), take_apart_texts(encoder)
    rows = rows_of(image.forward(image.move(image.prepare(embedded_pictures[:3]))))
    np.testing.assert_allclose(rows, encoder.encode_images(embedded_pictures[:3]), atol=1e-5)
    texts = list(embedded.captions[:3])
    rows = rows_of(text.forward(text.move(text.prepare(texts))))
    np.testing.assert_allclose(rows, encoder.encode_texts(texts), atol=1e-5)


def test_random_weights_are_timed_with_the_users_word_only_and_say_so(tiny_hf, tmp_path) -> None:
    import shutil

    from clipeval.bench.document import bench_document
    from clipeval.bench.job import run_bench
    from clipeval.bench.settings import Settings

    shutil.copytree(tiny_hf, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    spec = f"hf:{tmp_path / 'bare'}"
    settings = Settings(batch_sizes=(2,), seconds=0.01, parts=("forward image", "forward text"), offline=True)
    refused = run_bench([spec], settings)
    assert (refused.models[0].status, refused.measurements) == ("not_run", [])
    timed = run_bench([spec], replace(settings, allow_random_init=True))
    document = bench_document(timed)
    (model,) = document["models"]
    assert (model["status"], model["random_init"]) == ("ok", True)
    assert model["quality"]["2"]["first_places_moved"] is None
    assert [one["part"] for one in document["measurements"]] == ["forward image", "forward text"]
    for one in document["measurements"]:
        assert one["operations"] > 0
        product = one["matrix_product"]
        assert product["low"] <= product["share"] <= product["high"]
        assert product["operations_per_second"] <= 1.5 * document["roof"]["float32"]["operations_per_second"]


def test_operations_of_a_product_and_a_convolution_are_those_counted_by_hand() -> None:
    linear = torch.nn.Linear(30, 20)
    counted = count_operations(lambda: linear(torch.zeros(7, 30)))
    assert (counted.total, counted.products) == (2 * 7 * 30 * 20, (Product(7, 30, 20),))
    conv = torch.nn.Conv2d(3, 8, 5, padding=2)
    counted = count_operations(lambda: conv(torch.zeros(2, 3, 16, 16)))
    assert (counted.total, counted.products) == (2 * 2 * 16 * 16 * 8 * 3 * 25, ())


def test_the_projections_of_fused_attention_are_counted() -> None:
    n, length, width, heads = 3, 10, 64, 4
    attention = torch.nn.MultiheadAttention(width, heads, batch_first=True).eval()
    x = torch.zeros(n, length, width)
    counted = count_operations(lambda: attention(x, x, x, need_weights=False))
    assert counted is not None
    projections = 4 * 2 * n * length * width * width
    scores_and_sums = 2 * 2 * n * heads * length * length * (width // heads)
    assert counted.total == projections + scores_and_sums
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_call_without_products_has_no_count() -> None:
    assert count_operations(lambda: torch.zeros(3) + 1) is None


def test_the_roof_is_the_best_of_squares_and_the_networks_own_shapes() -> None:
    from clipeval.bench.devices import Cpu

    own = [Product(50, 64, 96), Product(8, 8, 8)]
    roof = raise_roof(None, Cpu(), "float32", own=own, seconds=0.05)
    assert set(own) < set(roof.tried)
    assert len(roof.tried) == len(SIDES) + 2
    assert roof.operations_per_second == max(roof.tried.values()) == roof.tried[roof.product]
    again = raise_roof(roof, Cpu(), "float32", own=[*own, Product(4, 4, 4)], seconds=0.05)
    assert set(again.tried) - set(roof.tried) == {Product(4, 4, 4)}
    assert again.operations_per_second >= roof.operations_per_second


def test_a_copy_is_counted_as_read_and_written() -> None:
    from clipeval.bench.devices import Cpu

    assert 1e7 < copy_rate(Cpu(), seconds=0.01, size=2**22) < 1e13
