"""Random shifts and flips of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lrsched.data.augment import Augment
from lrsched.data.operations.crop_flip import CropFlip
from lrsched.errors import ConfigError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 300, shape: tuple[int, int, int] = (3, 5, 6)) -> Tensor:
    """No pixel is 0, so that what came in from outside can be told from what was there."""
    return torch.randint(1, 256, (n, *shape), dtype=torch.uint8, generator=generator(99))


def variants(image: np.ndarray, crop: int, flip: bool) -> dict[tuple[int, int, bool], bytes]:
    """What can become of one image, by plain slicing: keyed by shift down, shift right, mirrored."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (crop, crop), (crop, crop)))
    found = {}
    for down in range(-crop, crop + 1):
        for right in range(-crop, crop + 1):
            cut = padded[:, crop - down : crop - down + height, crop - right : crop - right + width]
            found[down, right, False] = cut.tobytes()
            if flip:
                found[down, right, True] = cut[:, :, ::-1].tobytes()
    return found


@pytest.mark.parametrize(("crop", "flip"), [(1, False), (2, False), (0, True), (1, True), (4, True)])
def test_each_image_is_shifted_and_mirrored_as_a_whole_and_all_ways_occur(crop: int, flip: bool) -> None:
    x = batch(2000)
    seen = set()
    for image, changed in zip(x.numpy(), CropFlip(crop, flip)(x, generator()).numpy(), strict=True):
        ways = [way for way, content in variants(image, crop, flip).items() if content == changed.tobytes()]
        assert len(ways) == 1
        seen.add(ways[0])
    assert len(seen) == (2 * crop + 1) ** 2 * (1 + flip)


def test_half_of_the_images_are_mirrored() -> None:
    x = batch(4000)
    mirrored = (CropFlip(flip=True)(x, generator()) == x.flip(3)).flatten(1).all(1).sum()
    assert abs(int(mirrored) - 2000) < 4 * np.sqrt(4000 / 4)  # four standard deviations


@pytest.mark.parametrize("augment", [CropFlip(2, True), CropFlip(3), CropFlip(flip=True)])
def test_the_generator_is_the_only_chance(augment: CropFlip) -> None:
    x = batch()
    kept, before = x.clone(), torch.get_rng_state()
    first = augment(x, generator(1))
    assert torch.equal(first, augment(x, generator(1)))
    assert not torch.equal(first, augment(x, generator(2)))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(x, kept)


def test_any_number_type_gives_the_same_pixels() -> None:
    x = batch()
    augment = CropFlip(2, True)
    assert augment(x, generator()).dtype == torch.uint8
    assert torch.equal(augment(x.float(), generator()), augment(x, generator()).float())


def test_nothing_asked_nothing_done_nothing_drawn() -> None:
    x, chance = (batch(),), generator()
    assert Augment().of(x)(x, chance) is x
    assert torch.equal(chance.get_state(), generator().get_state())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": -1}, "^crop=-1"),
        ({"crop": 1.5}, "^crop=1.5"),
        ({"crop": True}, "^crop=true"),
        ({"flip": 1}, "^flip=1"),
    ],
)
def test_bad_values_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augment(**options)


def test_a_shift_out_of_the_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^crop=5: must be smaller than the images of 5x6 pixels"):
        Augment(crop=5).of((batch(),))
