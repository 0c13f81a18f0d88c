"""Image towers against their libraries used by hand; torchvision's weights, right, wrong and absent."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from clipeval.encoders.checkpoints import checkpoint_folder
from clipeval.encoders.image_towers import EFFICIENTNETS, RESNETS, load_image_tower
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.rounding import TOLERANCE
from clipeval.errors import EncoderError, NotAvailableError, SpecError

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
torchvision = pytest.importorskip("torchvision", reason="needs clipeval[models]")
pytestmark = [
    pytest.mark.usefixtures("no_sockets"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
]


def tower_of(name, *, layer="penultimate", **options):
    return load_image_tower(name, LoadOptions(**options), layer=layer, where=f"preclip:{name}+x")


# --- EfficientNet-Lite, real weights ------------------------------------------------------------------


def lite_pixels(picture, size):
    """Google's preprocessing in plain words: short side to size, centre cut out, (x - 127) / 128."""
    width, height = picture.size
    short = min(width, height)
    scaled = picture.resize((int(size * width / short), int(size * height / short)), Image.Resampling.BICUBIC)
    left, top = round((scaled.width - size) / 2), round((scaled.height - size) / 2)
    values = np.asarray(scaled.crop((left, top, left + size, top + size)), dtype=np.float64)
    return ((values - 127) / 128).transpose(2, 0, 1)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_rows_equal_efficientnet_lite_pytorch_used_by_hand(name, lite0, embedded_pictures):
    pictures = embedded_pictures[:3]
    size, file = EFFICIENTNETS[name]
    library = pytest.importorskip("efficientnet_lite_pytorch", reason="needs clipeval[models]")
    network = library.EfficientNet.from_pretrained(name, weights_path=str(file.locate())).eval()
    pixels = torch.tensor(np.stack([lite_pixels(p, size) for p in pictures]), dtype=torch.float32)
    with torch.no_grad():
        logits = network(pixels).numpy()
        features = network._avg_pooling(network.extract_features(pixels)).flatten(1).numpy()
    towers = lite0 if name == "efficientnet-lite0" else {k: tower_of(name, layer=k) for k in lite0}
    # measured 4.5e-6 for the logits, which reach 9.5: normalisation by mean and sd rounds otherwise
    np.testing.assert_allclose(towers["logits"].encode_images(pictures), logits, atol=5e-5)
    np.testing.assert_allclose(towers["penultimate"].encode_images(pictures), features, atol=5e-5)
    assert [towers[layer].width for layer in ("penultimate", "logits")] == [1280, 1000]


def test_photographs_get_their_imagenet_class(lite0_rows, embedded):
    names = pytest.importorskip("open_clip", reason="needs clipeval[models]").IMAGENET_CLASSNAMES
    best = lite0_rows["logits"].argmax(axis=1)
    said = {item.id: names[c] for item, c in zip(embedded.items, best, strict=True)}
    expected = {
        "Animals/bison.jpg": "bison",
        "Animals/macaw.jpg": "macaw",
        "Animals/red_panda.jpg": "red panda",
        "Objects/hammer.jpg": "hammer",
        "Food/coffee.jpg": "espresso",
        "Food/hamburger.png": "cheeseburger",
        "Food/strawberry.png": "strawberry",
    }
    assert {key: said[key] for key in expected} == expected


def test_the_last_layer_turns_features_into_logits(lite0, lite0_rows):
    last = lite0["logits"].classifier.network._fc
    with torch.no_grad():
        logits = last(torch.from_numpy(lite0_rows["penultimate"])).numpy()
    np.testing.assert_allclose(lite0_rows["logits"], logits, atol=5e-5)


# --- batch norm left in training mode ----------------------------------------------------------------


def test_a_batch_of_one_equals_a_batch_of_all(lite0, lite0_rows, embedded_pictures):
    for layer, tower in lite0.items():
        alone = np.concatenate([tower.encode_images([p]) for p in embedded_pictures[:4]])
        np.testing.assert_allclose(alone, lite0_rows[layer][:4], atol=5e-5)


def test_training_mode_is_what_the_batch_test_would_catch(lite0, lite0_rows, embedded_pictures):
    tower = lite0["penultimate"]
    network = tower.classifier.network
    assert not any(module.training for module in network.modules())
    buffers = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    try:
        wrong = tower.encode_images(embedded_pictures[:4])
    finally:
        network.load_state_dict(buffers)
        network.eval()
    assert np.abs(wrong - lite0_rows["penultimate"][:4]).max() > 0.1


def test_rows_are_float32_and_no_pictures_give_no_rows(lite0, embedded_pictures):
    for tower in lite0.values():
        assert tower.encode_images([]).shape == (0, tower.width)
        assert tower.encode_images(embedded_pictures[:1]).dtype == np.float32


def test_loading_leaves_the_users_random_numbers_alone(lite0):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert tower_of("efficientnet-lite0").classifier
    assert torch.equal(torch.rand(3), expected)


def test_the_fingerprint_says_layer_weights_and_preprocessing(lite0):
    words = [dict(tower.fingerprint) for tower in lite0.values()]
    assert words[0].pop("layer") != words[1].pop("layer")
    assert words[0] == words[1]
    known = EFFICIENTNETS["efficientnet-lite0"][1].sha256
    assert words[0]["weights"] == known
    assert {"torch", "torchvision", "pillow", "device", "dtype", "batch size"} <= set(words[0])


# --- torchvision, random weights under the true names --------------------------------------------------


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty $TORCH_HOME and no proxies in between."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def resnet18_file(tmp_path_factory):
    """A random ResNet-18 as torchvision would save it; its batch norms have seen something."""
    path = tmp_path_factory.mktemp("resnet") / "random.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = torchvision.models.resnet18().train()
        with torch.no_grad():
            network(torch.rand(4, 3, 64, 64))
        torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def resnet18_here(torch_home, resnet18_file, monkeypatch):
    """torchvision's ResNet-18 with an address whose name fits the random file."""
    digest = hashlib.sha256(resnet18_file.read_bytes()).hexdigest()
    name = f"resnet18-{digest[:8]}.pth"
    shutil.copy(resnet18_file, torch_home / name)
    monkeypatch.setitem(RESNETS, "resnet18", {"IMAGENET1K_V1": f"https://example.invalid/{name}"})
    return digest


def test_rows_equal_torchvision_used_by_hand(resnet18_here, resnet18_file, embedded_pictures, no_sockets):
    pictures = embedded_pictures[:3]
    network = torchvision.models.resnet18()
    network.load_state_dict(torch.load(resnet18_file, weights_only=True))
    network.eval()
    preset = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    pixels = torch.stack([preset(picture) for picture in pictures])
    with torch.no_grad():
        logits = network(pixels).numpy()
        features = torch.nn.Sequential(*list(network.children())[:-1])(pixels).flatten(1).numpy()
    tower = tower_of("resnet18")
    assert np.abs(tower.encode_images(pictures) - features).max() == 0
    assert np.abs(tower_of("resnet18", layer="logits").encode_images(pictures) - logits).max() == 0
    assert tower.width == 512
    assert not any(module.training for module in tower.classifier.network.modules())
    assert tower.fingerprint["weights"] == resnet18_here
    assert tower.fingerprint["model"] == "resnet18.IMAGENET1K_V1"
    assert no_sockets == []


@pytest.mark.parametrize(
    ("name", "file", "width", "resize"),
    [
        ("resnet18", "resnet18-f37072fd.pth", 512, 256),
        ("resnet50", "resnet50-0676ba61.pth", 2048, 256),
        ("resnet50.IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 2048, 232),
    ],
)
def test_a_name_means_one_network_one_file_and_one_preprocessing(
    name, file, width, resize, monkeypatch, tmp_path, embedded_pictures
):
    asked = []
    network = getattr(torchvision.models, name.partition(".")[0])

    def random_weights(url, *_, **__):
        asked.append(url.rpartition("/")[2])
        torch.save(network().state_dict(), tmp_path / "random.pth")
        return tmp_path / "random.pth", "0" * 64

    monkeypatch.setattr("clipeval.encoders.image_towers.find_checkpoint", random_weights)
    tower = tower_of(name)
    assert asked == [file]
    assert tower.encode_images(embedded_pictures[:1]).shape == (1, width) == (1, tower.width)
    assert f"resize_size=[{resize}]" in tower.fingerprint["picture transform"]


def test_the_addresses_of_the_weights_are_torchvisions_own():
    for name, addresses in RESNETS.items():
        known = torchvision.models.get_model_weights(name)
        assert addresses == {version.name: version.url for version in known}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"TORCH_HOME": "~/weights"},
        {"XDG_CACHE_HOME": "/somewhere/cache"},
        {"TORCH_HOME": "/mine", "XDG_CACHE_HOME": "/somewhere/cache"},
        {"TORCH_HOME": ""},
    ],
)
def test_the_folder_of_checkpoints_is_torchs_own(variables, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    theirs = os.path.join(torch.hub.get_dir(), "checkpoints")  # noqa: PTH118  (as torch puts it together)
    assert str(checkpoint_folder()) == theirs
    monkeypatch.delitem(sys.modules, "torch.hub")
    assert str(checkpoint_folder()) == theirs


def test_a_folder_that_the_program_gave_torch_is_respected(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    assert checkpoint_folder() == tmp_path / "checkpoints"


def test_absent_weights_are_reported_before_torch_is_imported(tmp_path):
    code = (
        "import sys\n"
        "from clipeval.encoders.load import load_encoder\n"
        "try:\n"
        "    load_encoder('preclip:resnet18+all-MiniLM-L6-v2', offline=True)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, 'torch' in sys.modules, 'torchvision' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TORCH_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["NotAvailableError", "False", "False"]


def test_a_file_of_the_right_name_with_other_weights_is_refused(torch_home, resnet18_file, no_sockets):
    shutil.copy(resnet18_file, torch_home / "resnet18-f37072fd.pth")
    for offline in (True, False):
        with pytest.raises(EncoderError, match=r"resnet18-f37072fd\.pth.*sha256") as caught:
            tower_of("resnet18", offline=offline)
    assert "preclip:resnet18+x" in str(caught.value)
    assert caught.value.fix
    assert no_sockets == []


def test_a_truncated_file_is_refused(resnet18_here, torch_home):
    (file,) = torch_home.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(EncoderError, match="sha256"):
        tower_of("resnet18")


def test_offline_opens_no_socket_and_says_where_the_file_goes(torch_home, no_sockets, capfd):
    with pytest.raises(NotAvailableError, match="offline") as caught:
        tower_of("resnet50", offline=True)
    assert "resnet50-0676ba61.pth" in caught.value.fix
    assert "checkpoints" in caught.value.fix
    assert "preclip:resnet50+x" in str(caught.value)
    assert no_sockets == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("torch_home")
def test_an_unreachable_server_is_one_clear_error_soon(monkeypatch, capfd):
    import socket

    released = threading.Event()

    def never(*_, **__):
        released.wait(60)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    started = time.perf_counter()
    with pytest.raises(NotAvailableError, match="cannot be downloaded") as caught:
        tower_of("resnet50")
    assert time.perf_counter() - started < 10, "about 3 s where nothing else runs"
    released.set()
    assert "download.pytorch.org" in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [OSError("connection reset"), RuntimeError("invalid hash value")])
def test_a_download_that_breaks_is_one_clear_error(torch_home, monkeypatch, capfd, error):
    def breaks(*_, **__):
        raise error

    monkeypatch.setattr("clipeval.encoders.checkpoints.check_reachable", lambda *_, **__: None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", breaks)
    with pytest.raises(NotAvailableError, match=str(error)) as caught:
        tower_of("resnet18")
    assert caught.value.fix
    assert capfd.readouterr() == ("", "")


def test_a_download_prints_nothing_and_is_checked(
    resnet18_here, torch_home, resnet18_file, monkeypatch, capfd
):
    for file in torch_home.iterdir():
        file.unlink()
    torch_home.rmdir()
    prefixes = []

    def fetch(_, destination, hash_prefix=None, progress=True):
        prefixes.append((hash_prefix, progress))
        shutil.copy(resnet18_file, destination)

    monkeypatch.setattr("clipeval.encoders.checkpoints.check_reachable", lambda *_, **__: None)
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert tower_of("resnet18").fingerprint["weights"] == resnet18_here
    assert prefixes == [(resnet18_here[:8], False)]
    assert capfd.readouterr() == ("", "")  # --json prints one document and nothing else


@pytest.mark.parametrize(
    ("name", "layer", "words"),
    [
        ("resnet51", "penultimate", "did you mean 'resnet50'"),
        ("resnet50.IMAGENET1K_V3", "penultimate", "did you mean 'IMAGENET1K_V"),
        ("resnet18.", "penultimate", "has no weights ''"),
        ("efficientnet-lite0.V1", "penultimate", "did you mean 'efficientnet-lite0'"),
        ("efficientnet-lite0", "logit", "did you mean 'logits'"),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(name, layer, words):
    with pytest.raises(SpecError, match=words):
        tower_of(name, layer=layer)


def test_channels_last_is_in_the_fingerprint_and_moves_last_bits_only(lite0, embedded_pictures):
    last = tower_of("efficientnet-lite0", layout="channels-last")
    usual = lite0["penultimate"]
    weight = last.classifier.network._conv_head.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert {**usual.fingerprint, "memory layout": "channels last"} == last.fingerprint
    rows, before = (tower.encode_images(embedded_pictures[:4]) for tower in (last, usual))
    apart = np.linalg.norm(rows - before, axis=1) / np.linalg.norm(before, axis=1)
    assert apart.max() < TOLERANCE["float32"]
