"""Model specs: what is read out of them, what is refused, and that they can be written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipeval.encoders.spec import ModelSpec, parse_spec
from clipeval.errors import SpecError

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="@?\x00", exclude_categories=["Cs"]), min_size=1
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hf:openai/clip-vit-base-patch32", ("hf", "openai/clip-vit-base-patch32", None, {})),
        ("hf:org/name@v1.0", ("hf", "org/name", "v1.0", {})),
        ("hf:org/name@v1?processor=pil", ("hf", "org/name", "v1", {"processor": "pil"})),
        ("open_clip:ViT-B-32/openai?a=1&b=2", ("open_clip", "ViT-B-32/openai", None, {"a": "1", "b": "2"})),
        ("frozen:/home/me@work/x.npz", ("frozen", "/home/me@work/x.npz", None, {})),
        ("python:pack.age:factory", ("python", "pack.age:factory", None, {})),
        ("preclip:a+b?ids=c+d.json", ("preclip", "a+b", None, {"ids": "c+d.json"})),
        ("x:y?ids=a%20b%26c", ("x", "y", None, {"ids": "a b&c"})),
        ("x:y?", ("x", "y", None, {})),
    ],
)
def test_a_spec_is_taken_apart(text, parts):
    spec = parse_spec(text)
    assert (spec.family, spec.name, spec.revision, dict(spec.options)) == parts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a model spec"),
        ("resnet50", "not a model spec"),
        (":name", "not a model spec"),
        ("hf:", "not a model spec"),
        ("hf:?a=1", "has no name"),
        ("hf:@main", "has no name"),
        ("hf:name@", "revision after '@' is empty"),
        ("hf:name?seed", "cannot read the options"),
        ("hf:name?seed=", "option 'seed' has no value"),
        ("hf:name?seed=1&seed=2", "option 'seed' is given twice"),
    ],
)
def test_what_is_no_spec_is_refused_with_the_reason(text, words):
    with pytest.raises(SpecError, match=words) as caught:
        parse_spec(text)
    assert caught.value.fix


@given(
    name=WORDS,
    revision=st.none() | st.text("abc0123._-", min_size=1),
    options=st.dictionaries(WORDS, WORDS, max_size=3),
)
def test_a_spec_survives_being_written_and_read(name, revision, options):
    spec = ModelSpec("family", name, revision, options)
    again = parse_spec(str(spec))
    assert (again.name, again.revision, dict(again.options)) == (name, revision, options)


def test_a_spec_with_ordinary_options_is_written_as_the_user_wrote_it():
    text = "preclip:resnet50+all-MiniLM-L6-v2?projection=gaussian&seed=42&ids=/a/b+c.json"
    assert str(parse_spec(text)) == text


def test_options_cannot_be_changed_after_parsing():
    with pytest.raises(TypeError):
        parse_spec("x:y?a=1").options["a"] = "2"


def test_an_unknown_option_is_refused_with_the_nearest():
    spec = parse_spec("x:y?sede=1")
    with pytest.raises(SpecError, match="unknown option 'sede'") as caught:
        spec.only({"seed", "layer"})
    assert "did you mean 'seed'" in str(caught.value)
    assert "x:y?sede=1" in str(caught.value)


@pytest.mark.parametrize("word", ["1", "true", "YES"])
def test_flags_read_yes(word):
    assert parse_spec(f"x:y?on={word}").flag("on") is True


@pytest.mark.parametrize("word", ["0", "False", "no"])
def test_flags_read_no(word):
    assert parse_spec(f"x:y?on={word}").flag("on", default=True) is False


def test_an_option_that_is_not_given_has_its_default():
    spec = parse_spec("x:y")
    assert (spec.flag("on", default=True), spec.integer("seed", default=7)) == (True, 7)
    assert spec.choice("kind", ("a", "b"), default="b") == "b"


def test_values_of_the_wrong_kind_are_refused():
    spec = parse_spec("x:y?on=maybe&seed=1.5&kind=gausian")
    with pytest.raises(SpecError, match="option 'on' is 'maybe'"):
        spec.flag("on")
    with pytest.raises(SpecError, match=r"option 'seed' is '1\.5'"):
        spec.integer("seed", default=0)
    with pytest.raises(SpecError, match="did you mean 'gaussian'"):
        spec.choice("kind", ("gaussian", "sign"), default="sign")


@pytest.mark.parametrize("name", ["frozen:r@2.npy", "python:mod:make@2", "preclip:resnet18+frozen:r@2.npz"])
def test_an_at_sign_belongs_to_the_name_where_a_family_has_no_revisions(name):
    spec = parse_spec(name)
    assert (spec.name, spec.revision, str(spec)) == (name.partition(":")[2], None, name)
