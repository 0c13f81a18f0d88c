from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from clipeval.data import load_dataset
from clipeval.data.dataset import Item, PictureSource
from clipeval.report.html.thumbnails import BUDGET, LARGEST, thumbnails


def item(content: bytes, name: str = "a.jpg") -> Item:
    return Item(name, ("words",), PictureSource(name, lambda: content))


def small(address: str | None) -> Image.Image:
    assert address is not None
    head, _, content = address.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def encoded(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def test_a_picture_stands_as_its_exif_says_and_loses_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter
    exif[0x010E] = "taken at home"
    wide = Image.fromarray(np.zeros((40, 80, 3), dtype=np.uint8))
    found = small(thumbnails([item(encoded(wide, exif=exif))])[0])
    assert found.size == (40, 80)
    assert not found.getexif()


def test_the_embedded_pictures_are_sharp_enough_to_know_and_small() -> None:
    found = thumbnails(load_dataset("embedded").items)
    assert all(max(small(one).size) >= 256 for one in found)
    assert sum(len(one or "") for one in found) < 1_000_000


def test_no_picture_is_larger_than_its_share_however_badly_it_compresses() -> None:
    noise = np.random.default_rng(0).integers(0, 256, size=(600, 800, 3), dtype=np.uint8)
    items = [item(encoded(Image.fromarray(noise)))] * 3
    limit = min(LARGEST, BUDGET // len(items))
    for one in thumbnails(items):
        assert one is not None
        assert len(base64.b64decode(one.partition(",")[2])) <= limit


def test_a_picture_that_cannot_be_decoded_is_left_out() -> None:
    assert thumbnails([item(b"<html>not found</html>"), Item("b", ("no picture",))]) == [None, None]
