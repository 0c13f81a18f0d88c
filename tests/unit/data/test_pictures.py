from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from clipeval.data import PictureSource, decode_picture, read_picture
from clipeval.errors import PictureError

KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


def save(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pixels(data: bytes) -> list[list[list[int]]]:
    picture = decode_picture(data, where="test")
    assert picture.mode == "RGB"
    assert picture.info == {}
    assert type(picture) is Image.Image  # nothing of its file is left for the next library to look at
    return np.asarray(picture).tolist()


def noise(size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_format_gives_its_pixels(kind: str) -> None:
    white_then_black = Image.new("L", (16, 8), 0)
    white_then_black.paste(255, (0, 0, 8, 8))
    rows = pixels(save(white_then_black.convert("RGB"), kind))
    assert [rows[3][1], rows[3][14]] == [[255, 255, 255], [0, 0, 0]]


def test_one_bit_and_grey_pictures_have_their_grey_in_all_channels() -> None:
    one_bit = Image.new("1", (2, 1), 0)
    one_bit.putpixel((1, 0), 1)
    assert pixels(save(one_bit, "PNG")) == [[[0, 0, 0], [255, 255, 255]]]
    grey = Image.new("L", (2, 1), 77)
    assert pixels(save(grey, "PNG")) == [[[77, 77, 77], [77, 77, 77]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_the_high_byte_instead_of_clipping(kind: str) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    expected = [[[grey] * 3 for grey in (0, 0, 1, 128, 255)]]
    assert pixels(save(Image.fromarray(values), kind)) == expected


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + png_chunk(b"IEND", b"")


def test_sixteen_bit_grey_and_sixteen_bit_colour_agree() -> None:
    values = (0, 1000, 33000, 65535)
    grey = png(4, 1, 16, 0, b"\0" + struct.pack(">4H", *values))
    colour = png(4, 1, 16, 2, b"\0" + b"".join(struct.pack(">3H", v, v, v) for v in values))
    assert pixels(grey) == pixels(colour) == [[[v >> 8] * 3 for v in values]]


def test_the_transparent_grey_of_a_sixteen_bit_picture_becomes_white() -> None:
    transparent = png_chunk(b"tRNS", struct.pack(">H", 1000))
    assert pixels(png(2, 1, 16, 0, b"\0" + struct.pack(">2H", 1000, 2560), transparent)) == [
        [[255] * 3, [10] * 3]
    ]


def test_a_palette_is_looked_up_and_its_transparent_entry_becomes_white() -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 200, 100, 0, 1, 2, 3])
    for x in range(3):
        picture.putpixel((x, 0), x)
    assert pixels(save(picture, "PNG")) == [[[10, 20, 30], [200, 100, 0], [1, 2, 3]]]
    assert pixels(save(picture, "PNG", transparency=1)) == [[[10, 20, 30], [255, 255, 255], [1, 2, 3]]]
    assert pixels(save(picture, "GIF", transparency=1)) == [[[10, 20, 30], [255, 255, 255], [1, 2, 3]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_alpha_is_composited_on_white(kind: str) -> None:
    picture = Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((255, 0, 51)):
        picture.putpixel((x, 0), (100, 0, 200, alpha))
    # 51 of 255 is a fifth: a fifth of the colour and four fifths of white
    assert pixels(save(picture, kind)) == [[[100, 0, 200], [255, 255, 255], [224, 204, 244]]]


def test_grey_with_alpha_is_composited_on_white() -> None:
    picture = Image.new("LA", (2, 1), (0, 51))
    picture.putpixel((1, 0), (9, 255))
    assert pixels(save(picture, "PNG")) == [[[204] * 3, [9] * 3]]


def test_a_transparent_colour_of_an_rgb_picture_becomes_white() -> None:
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (7, 8, 9))
    assert pixels(save(picture, "PNG", transparency=(1, 2, 3))) == [[[255] * 3, [7, 8, 9]]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_paper_is_white_and_full_ink_is_dark(kind: str) -> None:
    # Pillow writes CMYK JPEGs inverted with an Adobe marker, as Photoshop does
    paper, cyan, black = ((0, 0, 0, 0), (255, 0, 0, 0), (0, 0, 0, 255))
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    for ink, expected in ((paper, (255, 255, 255)), (cyan, (0, 255, 255)), (black, (0, 0, 0))):
        first = pixels(save(Image.new("CMYK", (8, 8), ink), kind, **options))[0][0]
        assert np.abs(np.subtract(first, expected)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_is_turned_upright_once(kind: str, orientation: int) -> None:
    upright = Image.new("L", (32, 16), 0)
    upright.paste(85, (16, 0, 32, 8))
    upright.paste(170, (0, 8, 16, 16))
    upright.paste(255, (16, 8, 32, 16))
    # how a camera stores the upright picture under each orientation: the inverse of the turn back
    stored_by = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = (upright if stored_by is None else upright.transpose(stored_by)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = decode_picture(save(stored, kind, exif=exif, **options), where="test")
    assert picture.size == (32, 16)
    corners = [picture.getpixel(at)[0] for at in ((4, 4), (28, 4), (4, 12), (28, 12))]
    assert np.abs(np.subtract(corners, [0, 85, 170, 255])).max() <= 3
    assert dict(picture.getexif()) == {}


def test_sixteen_bit_grey_is_turned_upright_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    values = np.array([[0, 65535]], dtype=np.uint16)
    assert pixels(save(Image.fromarray(values), "PNG", exif=exif)) == [[[255] * 3, [0] * 3]]


def test_an_unreadable_exif_block_counts_as_upright() -> None:
    plain = Image.new("RGB", (8, 8), (50, 60, 70))
    assert decode_picture(save(plain, "PNG", exif=b"Exif\0\0garbage"), where="test").size == (8, 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_of_several_counts(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = save(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert pixels(data)[0][0] == [255, 0, 0]


def test_the_two_pictures_of_a_phone_jpeg_give_the_first() -> None:
    data = save(
        Image.new("RGB", (8, 8), "white"), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]
    )
    assert pixels(data)[0][0] == [255, 255, 255]


def test_an_empty_file_is_refused_by_name() -> None:
    with pytest.raises(PictureError, match="empty") as caught:
        decode_picture(b"", where="cats/1.jpg (captions.csv, line 2)")
    assert caught.value.where == "cats/1.jpg (captions.csv, line 2)"


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"hello, I am text", "convert it to one of JPEG, PNG"),
        (b"\n<!DOCTYPE html><html></html>", "failed download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_what_is_not_a_picture_is_refused_with_a_guess_at_what_it_is(data: bytes, advice: str) -> None:
    with pytest.raises(PictureError, match="not a picture of an accepted format") as caught:
        decode_picture(data, where="x.jpg")
    assert advice in str(caught.value.fix)


@pytest.mark.parametrize("kind", ["ICO", "PPM", "PDF", "EPS", "TGA"])
def test_formats_outside_the_list_are_not_even_tried(kind: str) -> None:
    data = save(Image.new("RGB", (16, 16)), kind)
    with pytest.raises(PictureError, match="not a picture of an accepted format"):
        decode_picture(data, where="x")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
@pytest.mark.parametrize("permissive", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [*((kind, {}) for kind in KINDS), ("JPEG", {"progressive": True}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_a_file_cut_anywhere_is_refused_or_complete(
    kind: str, options: dict[str, object], permissive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", permissive)
    whole = save(noise(), kind, **options)
    expected = pixels(whole)
    refused = 0
    for cut in [*range(1, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 12, len(whole))]:
        try:
            got = pixels(whole[:cut])
        except PictureError:
            refused += 1
        else:
            # only bytes that carry no pixels may be lost
            assert got == expected, f"cut after {cut} of {len(whole)} bytes"
    assert refused >= 55
    assert ImageFile.LOAD_TRUNCATED_IMAGES is permissive


def test_the_truncation_setting_of_others_survives_decoding_in_threads(
    monkeypatch: pytest.MonkeyPatch, encoded: Callable[..., bytes]
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = save(noise((200, 200)), "JPEG")

    def refuses(number: int) -> bool:
        try:
            decode_picture(whole[: len(whole) // 2] if number % 2 else whole, where=str(number))
        except PictureError:
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(refuses, range(60))) == [number % 2 == 1 for number in range(60)]
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("compress_level", [0, 6])
def test_a_png_with_one_flipped_bit_is_refused_or_unharmed(compress_level: int) -> None:
    whole = save(noise(), "PNG", compress_level=compress_level)
    expected = pixels(whole)
    refused = 0
    for position in range(8, len(whole) - 12, len(whole) // 100):
        data = bytearray(whole)
        data[position] ^= 4
        try:
            assert pixels(bytes(data)) == expected, f"bit flipped in byte {position}"
        except PictureError:
            refused += 1
    assert refused >= 95


def test_a_bomb_is_refused_from_its_header() -> None:
    # a header that promises 10^10 pixels over a few bytes of data
    bomb = png(100_000, 100_000, 8, 0, b"\0")
    with pytest.raises(PictureError, match="too large"):
        decode_picture(bomb, where="bomb.png")


def test_the_pixel_limit_is_inclusive_and_can_be_chosen(encoded: Callable[..., bytes]) -> None:
    data = encoded(1, size=(10, 10))
    assert decode_picture(data, where="x", max_pixels=100).size == (10, 10)
    with pytest.raises(PictureError, match="10 x 10 pixels, the limit is 99"):
        decode_picture(data, where="x", max_pixels=99)
    with pytest.raises(PictureError, match="9500 x 9500 pixels"):
        decode_picture(png(9500, 9500, 8, 0, b"\0"), where="x")


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_an_agreed_range_are_refused(mode: str) -> None:
    with pytest.raises(PictureError, match=f"kind '{mode}'"):
        decode_picture(save(Image.new(mode, (2, 2)), "TIFF"), where="x.tif")


def test_lab_pixels_are_refused() -> None:
    with pytest.raises(PictureError, match="kind 'LAB'"):
        decode_picture(save(Image.new("LAB", (2, 2)), "TIFF"), where="x.tif")


def test_read_picture_decodes_what_the_source_reads(encoded: Callable[..., bytes]) -> None:
    picture = read_picture(PictureSource("x", lambda: encoded(9)))
    assert (picture.size, picture.getpixel((0, 0))) == ((4, 3), (9, 9, 9))


def test_a_source_that_cannot_be_read_names_the_picture(tmp_path: Path) -> None:
    source = PictureSource("gone.jpg (captions.csv, line 7)", (tmp_path / "gone.jpg").read_bytes)
    with pytest.raises(PictureError, match="No such file") as caught:
        read_picture(source)
    assert caught.value.where == "gone.jpg (captions.csv, line 7)"


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_file_that_lost_its_end_mark_is_refused_and_bytes_behind_the_mark_are_not(kind: str) -> None:
    whole = save(noise(), kind)
    expected = pixels(whole)
    for cut in range(1, 21):
        with pytest.raises(PictureError, match="truncated or corrupt"):
            pixels(whole[:-cut])
    assert pixels(whole + b"\0") == expected
    assert pixels(whole + b"trailing garbage; of any IEND length" * 9) == expected


def test_gifs_of_every_make_up_are_followed_to_their_end_mark() -> None:
    frames = [noise(mode="P"), noise(mode="P").rotate(90), noise(mode="P").rotate(180)]
    data = save(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b";!,", loop=0)
    assert pixels(data) == pixels(save(frames[0], "GIF"))
    with pytest.raises(PictureError, match="its end is missing"):
        pixels(data[:-1])


def test_a_png_with_text_behind_its_pixels_is_followed_to_its_end_mark() -> None:
    whole = save(noise(), "PNG")
    text = b"tEXt" + b"Comment\0IEND"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    data = whole[:-12] + chunk + whole[-12:]
    assert pixels(data) == pixels(whole)
    with pytest.raises(PictureError, match="truncated or corrupt"):
        pixels(data[:-12])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [9500, 14_000, 100_000])
def test_an_oversized_picture_names_our_limit_without_a_warning_of_pillows(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    with pytest.raises(PictureError, match=f"{side} x {side} pixels, the limit is 89,478,485"):
        decode_picture(png(side, side, 8, 0, b"\0"), where="x")
    assert Image.MAX_IMAGE_PIXELS == 12345
