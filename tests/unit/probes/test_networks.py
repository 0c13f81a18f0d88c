"""Networks inside encoders: train mode, precision, activation; forward passes really counted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clipeval.probes.networks import activations, arithmetic, evaluation_mode, reach_networks

torch = pytest.importorskip("torch", reason="needs clipeval[models]")


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.5), torch.nn.GELU()).eval()


def test_networks_are_found_through_attributes_lists_and_dicts() -> None:
    one, two, three = network(), network(), network()
    holder = SimpleNamespace(a=SimpleNamespace(b=[one]), c={"d": (two,)}, e=SimpleNamespace(f=three))
    holder.itself = holder
    assert set(reach_networks(holder)) == {one, two, three}


def test_picture_transforms_without_parameters_are_no_networks() -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    holder = SimpleNamespace(transform=transforms.Compose([transforms.Resize(4), transforms.ToTensor()]))
    holder.inner = transforms.Resize(4)
    assert reach_networks(holder) == ()


def test_one_submodule_in_train_mode_is_an_error_that_names_it() -> None:
    made = network()
    assert evaluation_mode([made]).severity == "ok"
    made[1].train()
    found = evaluation_mode([made])
    assert (found.severity, "1 (Dropout)" in found.what) == ("error", True)
    assert evaluation_mode([]).severity == "not_applicable"


@pytest.mark.parametrize(
    ("dtype", "words", "severity"),
    [
        ("float32", {}, "ok"),
        ("float16", {"dtype": "float16"}, "ok"),
        ("float16", {"image: dtype": "float16", "text: dtype": "float32"}, "ok"),
        ("float16", {"dtype": "float32"}, "error"),
        ("bfloat16", {}, "warning"),
    ],
)
def test_half_precision_that_nobody_asked_for_is_seen(dtype, words, severity) -> None:
    assert arithmetic([network().to(getattr(torch, dtype))], words).severity == severity


def test_activations_are_named_by_the_modules_that_run() -> None:
    assert activations([network()]) == {"gelu"}
    assert activations([torch.nn.Linear(2, 2)]) == frozenset()


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_a_tower_runs_at_most_ten_times_at_any_batch_size(batch_size, plain) -> None:

    from clipeval.probes import probe

    class Counted(type(plain())):
        def __init__(self) -> None:
            super().__init__()
            self.runs = {"images": 0, "texts": 0}

        def encode_images(self, pictures):
            self.runs["images"] += -(-len(pictures) // batch_size)
            return super().encode_images(pictures)

        def encode_texts(self, texts):
            self.runs["texts"] += -(-len(texts) // batch_size)
            return super().encode_texts(texts)

    encoder = Counted()
    probe(encoder)
    assert 0 < encoder.runs["images"] <= 10
    assert 0 < encoder.runs["texts"] <= 10
