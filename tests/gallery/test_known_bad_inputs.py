"""Gallery rows 3, 4, 5 and 6: what reaches the network, or what is taken out of it, is not what was meant."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval.encoders.batching import pooled
from clipeval.errors import EncoderError
from clipeval.probes import probe, require_sound


def errors(report) -> list[str]:
    return [finding.name for finding in report.errors]


def test_the_careful_adapters_pass_every_probe(adapter) -> None:
    for family in ("clip", "siglip"):
        report = probe(adapter(family))
        assert errors(report) == []
        assert report.warnings == ()


def test_row_03_resize_without_antialias(adapter) -> None:
    wrong, right = probe(adapter("clip", antialias=False)), probe(adapter("clip"))
    assert errors(wrong) == ["antialias"]
    assert right.finding("antialias").severity == "ok"
    mine = probe(adapter("clip", antialias=False, words={"model": "my own"}))
    assert (errors(mine), [finding.name for finding in mine.warnings]) == ([], ["antialias"])


def test_row_04_the_end_of_text_is_dropped_from_long_captions(adapter) -> None:
    wrong, right = probe(adapter("clip", keep_end=False)), probe(adapter("clip"))
    assert errors(wrong) == ["long captions"]
    assert "200 words" in wrong.finding("long captions").what
    assert right.finding("long captions").severity == "ok"
    assert right.finding("truncation").what == "captions of 200 words are cut, and counted"
    # where the tokens can be seen, the last one is looked at too
    seen, cut = adapter("clip"), adapter("clip", keep_end=False)
    for one in (seen, cut):
        one.kept_tokens = lambda text, one=one: (one._clip_tokens(text), 49407)
    assert probe(seen).finding("end of text").severity == "ok"
    assert errors(probe(cut)) == ["long captions", "end of text"]


def test_row_04_truncations_are_counted(adapter) -> None:
    silent = adapter("clip")
    silent._clip_tokens = lambda text: [49406, *silent._bpe.encode(text)[:75], 49407]
    assert [finding.name for finding in probe(silent).warnings] == ["truncation"]
    right = adapter("clip")
    assert probe(right).warnings == ()
    assert right.truncated == 0  # the count is of the user's texts


def test_row_05_siglip_without_padding_to_its_length(adapter) -> None:
    wrong, right = probe(adapter("siglip", pad_to_max=False)), probe(adapter("siglip"))
    assert errors(wrong) == ["padding invariance"]
    assert "max_length" in wrong.finding("padding invariance").fix
    assert right.finding("padding invariance").severity == "ok"


def test_row_05_siglip_without_its_form_of_text(adapter) -> None:
    wrong, right = probe(adapter("siglip", canonical=False)), probe(adapter("siglip"))
    assert errors(wrong) == ["case and punctuation"]
    assert right.finding("case and punctuation").severity == "ok"


def test_row_06_the_token_sequence_used_as_embedding(adapter) -> None:
    import torch

    wrong = adapter("clip", tokens_as_embedding=True)
    assert errors(probe(wrong)) == ["two-dimensional"]
    with pytest.raises(EncoderError, match="array of shape"):
        require_sound(wrong)
    right = adapter("clip")
    assert require_sound(right).finding("two-dimensional").severity == "ok"
    # clipeval's own adapters take the pooled embedding by name and refuse anything else
    with torch.inference_mode():
        output = right.model.get_text_features(input_ids=torch.tensor([[49406, 320, 49407]]))
    rows = pooled(output, expected=1, where="gallery")
    np.testing.assert_array_equal(rows, getattr(output, "pooler_output", output).numpy())
    with pytest.raises(EncoderError, match="2 dimensions"):
        pooled(torch.zeros(1, 3, 24), expected=1, where="gallery")
