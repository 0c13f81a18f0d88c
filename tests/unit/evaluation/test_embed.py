"""Where an encoder meets a dataset: each distinct input once, in an order of its own, rows never shifted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from clipeval.data import Dataset, Item
from clipeval.data.dataset import PictureSource
from clipeval.errors import DatasetError, EncoderError, NotAvailableError, PictureError
from clipeval.evaluation import EmbeddingCache
from clipeval.evaluation.embed import embed_images, embed_texts


@pytest.fixture
def forty(coloured):
    """Forty distinct pictures, so that there are two batches of them."""
    return coloured(*[(n, f"caption {'x' * (n % 7)} {n}") for n in range(40)])


def test_each_distinct_picture_and_caption_is_encoded_once(counting, coloured):
    encoder = counting()
    dataset = coloured((1, "a", "b"), (2, "a"), (1, "c"), (1, "b", "b"))
    images, texts = embed_images(encoder, dataset), embed_texts(encoder, dataset)
    assert (sorted(encoder.images), sorted(encoder.texts)) == (["(1, 1, 2)", "(2, 1, 2)"], ["a", "b", "c"])
    assert (images.encoded, texts.encoded) == (2, 3)
    assert (images.rows.shape, texts.rows.shape) == ((4, 8), (6, 8))


def test_every_row_belongs_to_its_item(counting, forty):
    encoder = counting()
    rows = embed_images(encoder, forty).rows
    for n in range(40):
        alone = counting()._rows([str((n, 1, 2))])[0]
        # up to 1e-4 is the encoder's and the bridge's dependence on the place in a batch
        assert np.abs(rows[n] - alone).max() < 1e-4
    texts = embed_texts(encoder, forty).rows
    for n, caption in enumerate(forty.captions):
        assert np.abs(texts[n] - counting()._rows([caption])[0]).max() < 1e-4


def test_identical_pictures_and_captions_have_identical_rows(counting, coloured):
    dataset = coloured((3, "a"), (1, "b"), (3, "c"), (2, "a"), (3, "a", "b"))
    images, texts = embed_images(counting(), dataset).rows, embed_texts(counting(), dataset).rows
    assert images[0].tobytes() == images[2].tobytes() == images[4].tobytes()
    assert texts[0].tobytes() == texts[3].tobytes() == texts[4].tobytes()
    assert texts[1].tobytes() == texts[5].tobytes()


def test_the_order_of_the_dataset_does_not_change_a_bit_of_any_row(counting, forty):
    other = Dataset("shuffled", tuple(forty.items[row] for row in np.random.default_rng(1).permutation(40)))
    for embed, ids in ((embed_images, "ids"), (embed_texts, "caption_ids")):
        one = dict(zip(getattr(forty, ids), embed(counting(), forty).rows, strict=True))
        two = dict(zip(getattr(other, ids), embed(counting(), other).rows, strict=True))
        assert {key: row.tobytes() for key, row in one.items()} == {k: r.tobytes() for k, r in two.items()}


def test_a_second_run_encodes_nothing_and_gives_the_same_bits(counting, forty, tmp_path):
    cold, warm = counting(), counting()
    cache = EmbeddingCache(tmp_path)
    for embed in (embed_images, embed_texts):
        without, first = embed(counting(), forty), embed(cold, forty, cache=cache)
        second = embed(warm, forty, cache=cache)
        assert (first.encoded, second.encoded) == (40, 0)
        assert without.rows.tobytes() == first.rows.tobytes() == second.rows.tobytes()
    assert (warm.images, warm.texts) == ([], [])


@pytest.mark.parametrize("damage", ["truncate", "garbage", "delete"])
def test_a_damaged_part_of_the_cache_is_encoded_again(counting, forty, tmp_path, damage):
    cache = EmbeddingCache(tmp_path)
    before = embed_images(counting(), forty, cache=cache)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 2
    sizes = {file: file.stat().st_size for file in files}
    victim = max(files, key=sizes.get)
    if damage == "delete":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-3] if damage == "truncate" else b"garbage" * 100)
    again = embed_images(counting(), forty, cache=cache)
    assert again.encoded == 32
    assert again.rows.tobytes() == before.rows.tobytes()
    assert embed_images(counting(), forty, cache=cache).encoded == 0


def test_another_fingerprint_is_encoded_again(counting, forty, tmp_path):
    cache = EmbeddingCache(tmp_path)
    embed_images(counting(), forty, cache=cache)
    assert embed_images(counting(words={"name": "other"}), forty, cache=cache).encoded == 40


def test_an_encoder_without_fingerprint_is_never_cached(counting, forty, tmp_path):
    cache = EmbeddingCache(tmp_path)
    words = {"family": "python", "weights": "unfingerprinted"}
    for _ in range(2):
        assert embed_images(counting(words=words), forty, cache=cache).encoded == 40
        assert embed_texts(counting(words=words), forty, cache=cache).encoded == 40
    assert not list(tmp_path.iterdir())


def test_an_empty_fingerprint_is_no_fingerprint(counting, forty, tmp_path):
    cache = EmbeddingCache(tmp_path)
    embed_images(counting(words={}), forty, cache=cache)
    assert embed_images(counting(words={}), forty, cache=cache).encoded == 40


# --- what is refused, by name --------------------------------------------------------------------------


def test_nan_names_the_item_and_the_caption(counting, forty):
    encoder = counting()
    encoder.break_on = "(17, 1, 2)"
    with pytest.raises(EncoderError, match="NaN or infinity") as caught:
        embed_images(encoder, forty)
    assert "item 'item17.png'" in str(caught.value)
    encoder.break_on = forty.captions[23]
    with pytest.raises(EncoderError, match="NaN or infinity") as caught:
        embed_texts(encoder, forty)
    assert f"caption '{forty.captions[23]}'" in str(caught.value)


def test_nan_only_in_company_names_the_batch(counting, coloured):
    class InCompany(counting):
        def _rows(self, keys):
            return super()._rows(keys) * (np.nan if len(keys) > 1 else 1)

    with pytest.raises(EncoderError, match="each alone is fine"):
        embed_images(InCompany(), coloured((1,), (2,)))


def test_nothing_that_was_refused_is_cached(counting, forty, tmp_path):
    encoder = counting()
    encoder.break_on = "(17, 1, 2)"
    with pytest.raises(EncoderError):
        embed_images(encoder, forty, cache=EmbeddingCache(tmp_path))
    assert embed_images(counting(), forty, cache=EmbeddingCache(tmp_path)).encoded >= 32


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: rows[:, None, :].repeat(5, axis=1), "2 dimensions"),  # a token sequence
        (lambda rows: rows[0], "2 dimensions"),
        (lambda rows: rows[1:], "embeddings"),  # a broken picture left out in silence
        (lambda rows: np.concatenate([rows, rows]), "embeddings"),
    ],
)
def test_rows_of_the_wrong_shape_or_number_are_refused(counting, forty, spoil, words):
    class Spoilt(counting):
        def _rows(self, keys):
            return spoil(super()._rows(keys))

    for embed in (embed_images, embed_texts):
        with pytest.raises(EncoderError, match=words) as caught:
            embed(Spoilt(), forty)
        assert "item '" in str(caught.value) or "caption '" in str(caught.value)


def test_rows_that_only_a_batch_loses_are_refused(counting, forty):
    class Dropping(counting):
        def _rows(self, keys):
            return super()._rows([key for key in keys if len(keys) == 1 or key != "(5, 1, 2)"])

    with pytest.raises(EncoderError, match="32 inputs gave 31 embeddings"):
        embed_images(Dropping(), forty)


def test_widths_that_change_between_batches_are_refused(counting, forty):
    class Growing(counting):
        def _rows(self, keys):
            self.width += 1
            return super()._rows(keys)

    with pytest.raises(EncoderError, match="different widths"):
        embed_images(Growing(), forty)


def test_rows_of_other_floats_become_float32(counting, forty):
    class Wide(counting):
        def _rows(self, keys):
            return super()._rows(keys).astype(np.float64)

    assert embed_images(Wide(), forty).rows.dtype == np.float32


def test_a_dataset_without_pictures_is_not_available_to_an_encoder_of_pictures(counting, coloured):
    whole = coloured((1,), (2,))
    lacking = Dataset("lacking", (whole.items[0], Item("bare.png", ("a caption",))))
    with pytest.raises(NotAvailableError, match="lacks some") as caught:
        embed_images(counting(), lacking)
    assert "lacking, item 'bare.png'" in str(caught.value)
    assert embed_texts(counting(), lacking).encoded == 2


def broken_dataset(coloured, data):
    whole = coloured((1,), (2,))
    broken = Item("bad.png", ("x",), PictureSource("folder/bad.png, row 7", lambda: data))
    return Dataset("broken", (whole.items[0], broken, whole.items[1]))


@pytest.mark.parametrize("kind", ["text", "empty", "cut"])
def test_a_picture_that_cannot_be_decoded_names_its_file(counting, coloured, kind):
    file = io.BytesIO()
    Image.effect_noise((40, 40), 50).save(file, "PNG")
    data = {"text": b"hello", "empty": b"", "cut": file.getvalue()[:-200]}[kind]
    with pytest.raises(PictureError) as caught:
        embed_images(counting(), broken_dataset(coloured, data))
    assert "folder/bad.png, row 7" in str(caught.value)


def test_a_picture_that_vanished_names_its_file(counting, coloured, tmp_path):
    whole = coloured((1,))
    gone = Item("gone.png", ("x",), PictureSource("gone.png", (tmp_path / "gone.png").read_bytes))
    with pytest.raises(PictureError, match="cannot be read") as caught:
        embed_images(counting(), Dataset("d", (*whole.items, gone)))
    assert "gone.png" in str(caught.value)


def test_a_caption_with_half_a_character_is_refused_by_its_id(counting, coloured):
    # JSON can carry the escape of a lone surrogate; no tokenizer and no file can
    with pytest.raises(DatasetError, match="not text") as caught:
        embed_texts(counting(), coloured((1, "fine"), (2, "fine", "half \ud83d of it")))
    assert "colours, caption 'item1.png#1'" in str(caught.value)


# --- progress ------------------------------------------------------------------------------------------


def test_progress_counts_to_the_number_of_distinct_inputs(counting, forty, tmp_path):
    cache = EmbeddingCache(tmp_path)
    seen = []

    def note(*step):
        seen.append(step)

    for _ in range(2):  # cold, warm
        embed_images(counting(), forty, cache=cache, progress=note)
        assert seen == [("pictures", 0, 40), ("pictures", 32, 40), ("pictures", 40, 40)]
        seen.clear()
    embed_texts(counting(), forty, progress=note)
    assert seen == [("captions", 0, 40), ("captions", 40, 40)]


# --- the real text tower -------------------------------------------------------------------------------


def test_a_real_tower_gives_the_same_bits_in_any_order_and_from_the_cache(minilm, embedded, lite0, tmp_path):
    from clipeval.encoders.preclip import join
    from clipeval.encoders.spec import parse_spec

    encoder = join(parse_spec("preclip:a+b?project=text"), lite0["penultimate"], minilm)
    backwards = Dataset("backwards", embedded.items[::-1])
    cache = EmbeddingCache(tmp_path)
    cold = embed_texts(encoder, embedded, cache=cache)
    other = embed_texts(encoder, backwards)
    warm = embed_texts(encoder, backwards, cache=cache)
    assert (cold.encoded, other.encoded, warm.encoded) == (20, 20, 0)
    assert cold.rows.tobytes() == other.rows[::-1].tobytes() == warm.rows[::-1].tobytes()
