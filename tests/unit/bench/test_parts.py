"""Parts do the same work as the whole: what is timed apart is what encodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.bench.parts import PARTS, parts_of, take_apart_images, take_apart_texts
from clipeval.bench.roof import count_operations, matrix_rate

torch = pytest.importorskip("torch", reason="needs clipeval[models]")


def rows_of(output) -> np.ndarray:
    if hasattr(output, "pooler_output"):
        output = output.pooler_output
    elif isinstance(output, dict):
        output = output["sentence_embedding"]
    return output.float().numpy()


@pytest.fixture(scope="module")
def tiny_hf(models_extra, tmp_path_factory):
    """A CLIP of two layers with random weights, and the parts of a tokenizer."""
    import transformers

    folder = tmp_path_factory.mktemp("tiny")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 64, "bos_token_id": 62, "eos_token_id": 63, "max_position_embeddings": 16}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16}, projection_dim=24
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    pieces = [chr(97 + at) for at in range(26)] + [f"{chr(97 + at)}</w>" for at in range(26)]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    vocabulary |= {"<|startoftext|>": 62, "<|endoftext|>": 63}
    import json

    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16
    ).save_pretrained(folder)
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


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
        assert part.items == 4
    some, _ = parts_of(encoder, files, texts, wanted=("decode", "forward text"))
    assert [part.name for part in some] == ["decode", "forward text"]


def test_an_open_clip_model_is_taken_apart(models_extra, tmp_path, embedded, embedded_pictures) -> None:
    import json

    import open_clip
    from safetensors.torch import save_file

    from clipeval import load_encoder

    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    state = open_clip.CLIP(**config).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "model.safetensors")
    encoder = load_encoder(f"open_clip:local-dir:{tmp_path}", offline=True)
    image, text = take_apart_images(encoder), take_apart_texts(encoder)
    rows = rows_of(image.forward(image.move(image.prepare(embedded_pictures[:3]))))
    np.testing.assert_allclose(rows, encoder.encode_images(embedded_pictures[:3]), atol=1e-5)
    texts = list(embedded.captions[:3])
    rows = rows_of(text.forward(text.move(text.prepare(texts))))
    np.testing.assert_allclose(rows, encoder.encode_texts(texts), atol=1e-5)


def test_random_weights_are_timed_with_the_users_word_only_and_say_so(tiny_hf, tmp_path) -> None:
    import shutil

    from clipeval.bench.document import bench_document
    from clipeval.bench.job import Settings, run_bench

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
        rate = document["operations_per_second_of_a_matrix_product"]["float32"]
        assert one["share_of_matrix_product"] == pytest.approx(one["operations"] / one["median"] / rate)


def test_operations_of_a_product_and_a_convolution_are_those_counted_by_hand() -> None:
    linear = torch.nn.Linear(30, 20)
    assert count_operations(lambda: linear(torch.zeros(7, 30))) == 2 * 7 * 30 * 20
    conv = torch.nn.Conv2d(3, 8, 5, padding=2)
    assert count_operations(lambda: conv(torch.zeros(2, 3, 16, 16))) == 2 * 2 * 16 * 16 * 8 * 3 * 25


def test_a_call_without_products_has_no_count() -> None:
    assert count_operations(lambda: torch.zeros(3) + 1) is None


def test_the_roof_is_a_positive_rate() -> None:
    from clipeval.bench.devices import Cpu

    assert matrix_rate(Cpu(), "float32", seconds=0.01) > 1e6
