"""The user's own encoders."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from clipeval.encoders import user
from clipeval.encoders.base import Encoder, JointEncoder
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.user import entry_point_families, load
from clipeval.errors import EncoderError, NotAvailableError, SpecError

MODULE = '''
import numpy as np

class Colours:
    """Mean colour, and letter counts: two towers of width 3."""

    def __init__(self, scale="1"):
        self.scale = float(scale)
        self.batches = []

    def encode_images(self, pictures):
        self.batches.append(len(pictures))
        return self.scale * np.array([np.asarray(p).mean(axis=(0, 1)) for p in pictures])

    def encode_texts(self, texts):
        return self.scale * np.array([[t.count(c) for c in "rgb"] for t in texts])

class Fingerprinted(Colours):
    fingerprint = {"weights": "sha256 of mine", "layers": 3}

class WrongFingerprint(Colours):
    fingerprint = "text"

class Tokens(Colours):
    def encode_texts(self, texts):
        return np.zeros((len(texts), 7, 3))

class NotFinite(Colours):
    def encode_texts(self, texts):
        return np.array([[1.0, float("nan")]] * len(texts))

class TooFew(Colours):
    def encode_images(self, pictures):
        return np.zeros((1, 3))

class Ragged(Colours):
    def encode_texts(self, texts):
        return [[1.0], [1.0, 2.0]]

class Boom(Colours):
    def encode_images(self, pictures):
        raise RuntimeError("boom")

    def encode_texts(self, texts):
        raise SystemExit(5)

class Missing(Colours):
    def encode_texts(self, texts):
        from clipeval.errors import NotAvailableError
        raise NotAvailableError("no weights here")

class Interrupted(Colours):
    def encode_texts(self, texts):
        raise KeyboardInterrupt

class Returns(Colours):
    def __init__(self, kind):
        self.kind = kind

    def encode_texts(self, texts):
        rows = np.ones((len(texts), 3))
        return {
            "none": None, "text": "x", "dict": {"a": 1}, "complex": rows + 1j, "huge": rows * 1e300,
            "objects": np.array([object()] * len(texts)), "generator": (row for row in rows),
            "company": np.where(np.arange(len(rows))[:, None] == 1, np.nan, rows),
        }[self.kind]

class FingerprintFails(Colours):
    @property
    def fingerprint(self):
        raise OSError("no such file")

def gives_none():
    pass

def gives_class():
    return Colours

def leaves():
    raise SystemExit("bye")

class WidthByBatch(Colours):
    def encode_texts(self, texts):
        return np.ones((len(texts), len(texts)))

class ImagesOnly:
    def encode_images(self, pictures):
        return np.zeros((len(pictures), 3))

def fails():
    raise RuntimeError("no such weights")

def needs(path):
    return Colours()

def anything(**options):
    return Colours()

number = 3
'''


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A current folder with a package of the user's in it; forgotten afterwards."""
    package = tmp_path / "mypkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "encoders.py").write_text(MODULE)
    (package / "broken.py").write_text("import no_such_library_at_all\n")
    (package / "wrong.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    assert sys.path == before
    for name in [name for name in sys.modules if name.split(".")[0] == "mypkg"]:
        del sys.modules[name]


def encoder_of(name, **options):
    return load(parse_spec(f"python:{name}"), LoadOptions(**options))


@pytest.mark.usefixtures("home")
def test_a_class_in_the_current_folder_becomes_an_encoder(pictures, captions):
    encoder = encoder_of("mypkg.encoders:Colours?scale=2")
    assert isinstance(encoder, Encoder)
    assert encoder.name == "python:mypkg.encoders:Colours?scale=2"
    expected = 2 * np.array([np.asarray(p).mean(axis=(0, 1)) for p in pictures])
    np.testing.assert_allclose(encoder.encode_images(pictures), expected, rtol=1e-6)
    assert encoder.encode_images(pictures).dtype == np.float32
    np.testing.assert_array_equal(encoder.encode_texts(["rrg", "b"]), [[4, 2, 0], [0, 0, 2]])
    assert encoder.encode_texts(captions).shape == (5, 3)


@pytest.mark.usefixtures("home")
def test_the_object_gets_batches_of_the_chosen_size(pictures):
    encoder = encoder_of("mypkg.encoders:Colours", batch_size=2)
    encoder.encode_images(pictures)
    assert encoder._inner.batches == [2, 2, 1]


@pytest.mark.usefixtures("home")
def test_an_object_without_fingerprint_is_called_unfingerprinted():
    said = encoder_of("mypkg.encoders:Colours").fingerprint
    assert said["weights"] == "unfingerprinted"
    assert said["model"] == "mypkg.encoders:Colours"
    assert len(said["code"]) == 64


@pytest.mark.usefixtures("home")
def test_the_users_own_fingerprint_is_kept():
    said = encoder_of("mypkg.encoders:Fingerprinted").fingerprint
    assert said["weights"] == "sha256 of mine"
    assert said["layers"] == "3"
    with pytest.raises(EncoderError, match="fingerprint is a str"):
        encoder_of("mypkg.encoders:WrongFingerprint")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("Tokens", r"2 dimensions.*\(2, 7, 3\)"),
        ("NotFinite", "embedding 0 of 2 holds NaN"),
        ("Ragged", "not a matrix of numbers"),
    ],
)
def test_wrong_rows_are_refused_by_what_is_wrong(factory, words):
    with pytest.raises(EncoderError, match=words):
        encoder_of(f"mypkg.encoders:{factory}").encode_texts(["a", "b"])


@pytest.mark.usefixtures("home")
def test_a_wrong_number_of_rows_or_changing_widths_are_refused(pictures):
    with pytest.raises(EncoderError, match="5 inputs gave 1 embeddings"):
        encoder_of("mypkg.encoders:TooFew").encode_images(pictures)
    with pytest.raises(EncoderError, match=r"different widths: \[1, 2\]"):
        encoder_of("mypkg.encoders:WidthByBatch", batch_size=2).encode_texts(["a", "b", "c"])


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("mypkg.encoders", SpecError, "write python:package.module:factory"),
        (":factory", SpecError, "does not name a factory"),
        ("mypkg.encoder:Colours", SpecError, "did you mean 'encoders'"),
        ("mypkgg.encoders:Colours", SpecError, "no module 'mypkgg'"),
        ("mypkg.encoders:Colors", SpecError, "did you mean 'Colours'"),
        ("mypkg.encoders:number", SpecError, "is a int, not a function"),
        ("mypkg.encoders:Colours?scal=2", SpecError, "did you mean 'scale'"),
        ("mypkg.encoders:needs", SpecError, "missing a required argument: 'path'"),
        ("mypkg.encoders:Colours?scale=two", EncoderError, "the factory failed: ValueError"),
        ("mypkg.encoders:fails", EncoderError, "the factory failed: RuntimeError: no such weights"),
        ("mypkg.encoders:ImagesOnly", EncoderError, r"ImagesOnly without encode_texts\(\)"),
        ("mypkg.encoders:gives_none", EncoderError, "the factory returned None"),
        ("mypkg.encoders:gives_class", EncoderError, "returned the class Colours, not an object"),
        ("mypkg.encoders:leaves", EncoderError, "the factory failed: SystemExit: bye"),
        ("mypkg.encoders:FingerprintFails", EncoderError, "the fingerprint failed: OSError: no such file"),
        ("mypkg.broken:x", EncoderError, "needs 'no_such_library_at_all'"),
        ("mypkg.wrong:x", EncoderError, "ZeroDivisionError"),
    ],
)
def test_each_mistake_has_its_own_words(name, error, words):
    with pytest.raises(error, match=words):
        encoder_of(name)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "returned None, not embeddings"),
        ("text", "must be real numbers.*str"),
        ("dict", "must be real numbers.*dict"),
        ("complex", "must be real numbers, these are complex128"),
        ("objects", "must be real numbers"),
        ("generator", "must be real numbers.*generator"),
        ("huge", "embedding 0 of 2 holds values beyond float32's range"),
        ("company", "embedding 1 of 2 holds NaN(.|\n)*encode input 1 of this batch alone"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_answer_that_is_no_matrix_of_real_numbers_is_refused_without_a_warning(kind, words):
    with pytest.raises(EncoderError, match=words):
        encoder_of(f"mypkg.encoders:Returns?kind={kind}").encode_texts(["a", "b"])


@pytest.mark.usefixtures("home")
def test_an_exception_inside_the_users_encoder_becomes_an_error_that_names_model_type_and_text(pictures):
    encoder = encoder_of("mypkg.encoders:Boom")
    with pytest.raises(
        EncoderError, match=r"^python:mypkg\.encoders:Boom failed in encode_images: RuntimeError: boom"
    ) as raised:
        encoder.encode_images(pictures)
    assert isinstance(raised.value.__cause__, RuntimeError)
    with pytest.raises(EncoderError, match="failed in encode_texts: SystemExit: 5") as raised:
        encoder.encode_texts(["a"])
    assert isinstance(raised.value.__cause__, SystemExit)


@pytest.mark.usefixtures("home")
def test_the_users_own_clipeval_errors_and_an_interruption_pass_unchanged():
    with pytest.raises(NotAvailableError, match=r"^no weights here$"):
        encoder_of("mypkg.encoders:Missing").encode_texts(["a"])
    with pytest.raises(KeyboardInterrupt):
        encoder_of("mypkg.encoders:Interrupted").encode_texts(["a"])


@pytest.mark.usefixtures("home")
def test_an_at_sign_belongs_to_the_name_of_a_factory():
    with pytest.raises(SpecError, match="has no 'Colours@2'"):
        encoder_of("mypkg.encoders:Colours@2")


def test_complex_torch_rows_are_refused_instead_of_cut(monkeypatch):
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")

    class Complex:
        def encode_images(self, pictures):
            raise NotImplementedError

        def encode_texts(self, texts):
            return torch.ones(len(texts), 2, dtype=torch.complex64)

    monkeypatch.setattr(user, "clipeval_test_factory", Complex, raising=False)
    with pytest.raises(EncoderError, match="real numbers, these are complex64"):
        encoder_of("clipeval.encoders.user:clipeval_test_factory").encode_texts(["a"])


@pytest.mark.usefixtures("home")
def test_a_factory_that_takes_anything_gets_every_option():
    assert encoder_of("mypkg.encoders:anything?a=1&b=2").fingerprint["model"] == "mypkg.encoders:anything"


def test_an_encoder_of_the_users_is_given_back_as_it_is(monkeypatch):
    class Own(JointEncoder):
        fingerprint = {"family": "own"}  # noqa: RUF012

        def encode_images(self, pictures):
            return np.ones((len(pictures), 2), dtype=np.float32)

        def encode_texts(self, texts):
            return np.ones((len(texts), 2), dtype=np.float32)

    monkeypatch.setattr(user, "clipeval_test_factory", Own, raising=False)
    encoder = encoder_of("clipeval.encoders.user:clipeval_test_factory")
    assert type(encoder) is Own
    assert encoder.name == "python:clipeval.encoders.user:clipeval_test_factory"


def test_a_torch_tensor_with_gradients_is_accepted(monkeypatch):
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")

    class Tensors:
        def encode_images(self, pictures):
            return torch.ones(len(pictures), 2, requires_grad=True)

        encode_texts = encode_images

    monkeypatch.setattr(user, "clipeval_test_factory", Tensors, raising=False)
    rows = encoder_of("clipeval.encoders.user:clipeval_test_factory").encode_texts(["a", "b"])
    np.testing.assert_array_equal(rows, np.ones((2, 2), dtype=np.float32))


def test_families_of_other_packages_are_found_by_name_without_importing_them(monkeypatch):
    point = EntryPoint("fancy", "no_such_package.encoder:load", "clipeval.encoders")
    monkeypatch.setattr(
        user, "entry_points", lambda *, group: [point] if group == "clipeval.encoders" else []
    )
    assert entry_point_families() == {"fancy": point}


def test_two_packages_with_one_family_are_refused(monkeypatch):
    points = [EntryPoint("fancy", f"package{n}:load", "clipeval.encoders") for n in (1, 2)]
    monkeypatch.setattr(user, "entry_points", lambda *, group: points)
    with pytest.raises(SpecError, match="two packages contribute the encoder family 'fancy'"):
        entry_point_families()
