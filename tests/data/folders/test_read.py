"""Files of pictures: what each form of file gives, pixel by pixel, by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lrsched.data.folders.read import read_mask, read_picture
from lrsched.data.folders.size import Size, size_of
from lrsched.errors import ConfigError, DataError

GREY = [[1, 2, 3], [4, 5, 6]]
TURNED = {
    1: GREY,
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}
"""By EXIF orientation: what the first row and column of a file are, on the screen."""


def image(values: Any, kind: str = "uint8") -> Image.Image:
    return Image.fromarray(np.array(values, dtype=kind))


def red(file: Path) -> list[list[int]]:
    """The red channel of a picture whose three are the same."""
    found = np.array(read_picture(file, 3))
    assert (found == found[..., :1]).all()
    return found[..., 0].tolist()


@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_and_a_mask_are_turned_as_the_camera_was_held(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image(GREY).save(tmp_path / "a.png", exif=exif)
    assert red(tmp_path / "a.png") == TURNED[orientation]
    assert read_mask(tmp_path / "a.png").tolist() == TURNED[orientation]


def test_a_palette_gives_its_colours_to_a_picture_and_its_numbers_to_a_mask(tmp_path: Path) -> None:
    paletted = image([[0, 2, 1]]).convert("P")
    paletted.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    paletted.save(tmp_path / "a.png", transparency=1)
    assert np.array(read_picture(tmp_path / "a.png", 3)).tolist() == [[[10, 20, 30], [70, 80, 90], [40, 50, 60]]]
    assert read_mask(tmp_path / "a.png").tolist() == [[0, 2, 1]]


def test_transparency_is_left_out(tmp_path: Path) -> None:
    image([[[9, 8, 7, 0], [1, 2, 3, 128]]]).save(tmp_path / "rgba.png")
    image([[[9, 0], [1, 255]]]).save(tmp_path / "la.png")
    assert np.array(read_picture(tmp_path / "rgba.png", 3)).tolist() == [[[9, 8, 7], [1, 2, 3]]]
    assert red(tmp_path / "la.png") == [[9, 1]]


def test_of_sixteen_bits_the_eight_high_ones_count(tmp_path: Path) -> None:
    image([[0, 255, 256, 65535]], "uint16").save(tmp_path / "grey.png")
    image([[0, 255, 256, 65535]], "uint16").save(tmp_path / "grey.tif")
    for name in ("grey.png", "grey.tif"):
        assert red(tmp_path / name) == [[0, 0, 1, 255]]
        assert np.array(read_picture(tmp_path / name, 1)).tolist() == [[0, 0, 1, 255]]
        assert read_mask(tmp_path / name).tolist() == [[0, 255, 256, 65535]]
    (tmp_path / "grey.pgm").write_bytes(b"P5 3 1 65535\n" + struct.pack(">3H", 511, 512, 65535))
    assert red(tmp_path / "grey.pgm") == [[1, 2, 255]]
    (tmp_path / "rgb.png").write_bytes(rgb_of_16_bits([(0x1234, 0xFFFF, 0x00FF)]))
    assert np.array(read_picture(tmp_path / "rgb.png", 3)).tolist() == [[[0x12, 0xFF, 0x00]]]


def rgb_of_16_bits(row: list[tuple[int, int, int]]) -> bytes:
    """A PNG of one row with 16 bits a colour, which Pillow does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", len(row), 1, 16, 2, 0, 0, 0)
    pixels = b"\0" + b"".join(struct.pack(">3H", *pixel) for pixel in row)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def test_black_and_white_is_0_and_255_in_a_picture_and_0_and_1_in_a_mask(tmp_path: Path) -> None:
    image([[0, 255]]).convert("1").save(tmp_path / "a.png")
    assert red(tmp_path / "a.png") == [[0, 255]]
    assert read_mask(tmp_path / "a.png").tolist() == [[0, 1]]


def test_the_first_picture_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [image(np.full((2, 2), value)) for value in (50, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 2
    assert red(tmp_path / "a.gif") == [[50, 50], [50, 50]]


def test_inks_become_colours(tmp_path: Path) -> None:
    inks = image([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]])
    Image.frombytes("CMYK", (3, 1), inks.tobytes()).save(tmp_path / "a.tif")
    assert np.array(read_picture(tmp_path / "a.tif", 3)).tolist() == [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]]


def test_grey_is_the_weighted_mean_of_the_colours(tmp_path: Path) -> None:
    colours = [[[255, 0, 0], [0, 255, 0], [0, 0, 255], [100, 50, 200]]]
    image(colours).save(tmp_path / "a.png")
    by_hand = [[round((299 * r + 587 * g + 114 * b) / 1000) for r, g, b in colours[0]]]
    assert np.array(read_picture(tmp_path / "a.png", 1)).tolist() == by_hand == [[76, 150, 29, 82]]


def test_a_jpeg_has_the_pixels_of_pillow(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3))
    image(noise).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as theirs:
        assert np.array_equal(np.array(read_picture(tmp_path / "a.jpg", 3)), np.array(theirs))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [("float32", 0.5, "holds floats"), ("int32", 70000, "32 bits, 0 to 70000"), ("int32", -1, "32 bits, -1 to 0")],
)
def test_numbers_without_a_white_are_no_picture(tmp_path: Path, kind: str, value: float, said: str) -> None:
    image([[0, value]], kind).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=said) as caught:
        read_picture(tmp_path / "a.tif", 3)
    assert str(caught.value).startswith(f"{tmp_path / 'a.tif'}: ")


def test_small_numbers_of_32_bits_are_grey(tmp_path: Path) -> None:
    image([[0, 200]], "int32").save(tmp_path / "a.tif")
    assert red(tmp_path / "a.tif") == [[0, 200]]


@pytest.mark.parametrize(
    ("wanted", "there", "scaled"),
    [
        (Size(2, 2), (4, 8), (2, 4)),
        (Size(2, 2), (8, 4), (4, 2)),
        (Size(3, 3), (7, 10), (3, 4)),  # ⌊10·3/7⌋
        (Size(2, 6), (4, 4), (6, 6)),
        (Size(2, 6, "squash"), (4, 4), (2, 6)),
        (Size(64, 64), (1, 1), (64, 64)),
    ],
)
def test_a_picture_is_scaled_to_cover_the_size(wanted: Size, there: tuple[int, int], scaled: tuple[int, int]) -> None:
    assert wanted.scaled(*there) == scaled
    made = wanted.bring(image(np.zeros(there)), Image.Resampling.BILINEAR)
    assert (made.height, made.width) == (wanted.height, wanted.width)


def test_the_middle_is_cut_out_and_a_half_goes_to_the_even_number() -> None:
    row = image([[0, 1, 2, 3, 4, 5, 6]] * 2)
    assert np.array(Size(2, 2).bring(row, Image.Resampling.BILINEAR))[0].tolist() == [2, 3]  # 5/2 → 2
    assert np.array(Size(2, 4).bring(row, Image.Resampling.BILINEAR))[0].tolist() == [2, 3, 4, 5]  # 3/2 → 2
    assert np.array(Size(2, 3).bring(row, Image.Resampling.BILINEAR))[0].tolist() == [2, 3, 4]


def test_a_mask_takes_the_pixel_that_is_nearest() -> None:
    mask = image(np.arange(16).reshape(4, 4))
    assert np.array(Size(2, 2).bring(mask, Image.Resampling.NEAREST)).tolist() == [[5, 7], [13, 15]]


@pytest.mark.slow
@pytest.mark.parametrize("side", [1, 8, 32, 47])
def test_it_is_torchvisions_resize_and_centre_crop_to_the_last_bit(side: int) -> None:
    from torchvision.transforms import CenterCrop, Compose, Resize

    theirs, draw = Compose([Resize(side), CenterCrop(side)]), np.random.default_rng(side)
    for height, width in draw.integers(1, 90, (40, 2)).tolist():
        some = image(draw.integers(0, 256, (height, width, 3)))
        ours = Size(side, side).bring(some, Image.Resampling.BILINEAR)
        assert np.array_equal(np.array(ours), np.array(theirs(some))), (height, width)


@pytest.mark.parametrize("size", [0, -1, 8193, 10**400, 1.5, True, "64", None, [8], [8, 8, 8], [8, 0], {}])
def test_a_size_is_one_whole_number_or_two(size: object) -> None:
    with pytest.raises(ConfigError, match="must be a whole number of pixels from 1 to 8192, or two"):
        size_of(size, "crop")


def test_a_fit_is_one_of_two() -> None:
    with pytest.raises(ConfigError, match="fit=pad: must be crop or squash"):
        size_of(8, "pad")


def test_what_needs_a_program_to_be_read_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ghostscript(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", ghostscript)
    (tmp_path / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with pytest.raises(DataError, match=r"a\.jpg: is no picture that Pillow can read"):
        read_picture(tmp_path / "a.jpg", 3)
