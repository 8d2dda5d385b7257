"""Random shifts and flips of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lrsched.data.augment import Augment
from lrsched.data.operations.crop_flip import CropFlip
from lrsched.errors import ConfigError, DataError


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
    assert Augment().of(x)(x, chance)[0] is x[0]
    assert torch.equal(chance.get_state(), generator().get_state())


X = batch(24, (3, 8, 10))
LABELS = torch.arange(24) % 5
EACH: dict[str, dict[str, Any]] = {
    "affine": {"rotate": 20, "shear": 5, "scale": 0.2, "shift": 0.1},
    "colour": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "cutout": {"cutout": 3},
    "erase": {"erase": 0.5},
    "mixup": {"mixup": 0.4},
    "cutmix": {"cutmix": 1.0},
}
ALL = {name: value for one in EACH.values() for name, value in one.items()} | {"crop": 2, "flip": True}


def change(samples: Any, seed: int = 7, /, **asked: Any) -> Any:
    return Augment(**asked).of(samples, classes=5)(samples, generator(seed))


@pytest.mark.parametrize("form", ["uint8", "floats"])
def test_every_change_is_a_function_of_the_batch_and_the_seed(form: str) -> None:
    x = X if form == "uint8" else X.float() / 255
    kept, before = x.clone(), torch.get_rng_state()
    for asked in [*EACH.values(), ALL]:
        first, again, other = (change((x, LABELS), seed, **asked) for seed in (1, 1, 2))
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
        assert not torch.equal(first[0], other[0])
        assert first[0].dtype == x.dtype
        assert first[0].shape == x.shape
        assert form == "uint8" or (first[0].min() >= 0 and first[0].max() <= 1 + 1e-6)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(x, kept)


def test_the_order_is_that_of_the_documentation_and_no_change_moves_the_draws_of_another() -> None:
    expected = (X, LABELS)
    order = ({"crop": 2, "flip": True}, *(EACH[name] for name in ("affine", "colour", "cutout", "erase", "mixup")))
    for asked in order:  # one after the other, each by itself
        expected = change(expected, **asked)
    together = change((X, LABELS), **{name: value for one in order for name, value in one.items()})
    assert torch.equal(together[0], expected[0])
    assert torch.equal(together[1], expected[1])


def test_crop_and_flip_draw_from_the_generator_itself_as_they_always_did() -> None:
    assert torch.equal(change((X, LABELS), crop=2, flip=True)[0], CropFlip(2, True)(X, generator(7)))
    covered = change((X, LABELS), crop=2, flip=True, cutout=3)[0]
    same = covered == CropFlip(2, True)(X, generator(7))
    assert 0.5 < same.float().mean() < 1


def test_mixup_and_cutmix_take_turns_at_random() -> None:
    both = [change((X, LABELS), seed, mixup=0.4, cutmix=1.0)[0] for seed in range(40)]
    mixup, cutmix = ([change((X, LABELS), seed, **EACH[name])[0] for seed in range(40)] for name in ("mixup", "cutmix"))
    taken = [torch.equal(ours, one) for ours, one in zip(both, mixup, strict=True)]
    assert all(one or torch.equal(ours, two) for one, ours, two in zip(taken, both, cutmix, strict=True))
    assert 8 < sum(taken) < 32


def test_labels_are_mixed_as_their_images_are() -> None:
    x = torch.eye(5)[LABELS].reshape(24, 5, 1, 1).expand(-1, -1, 6, 6).contiguous()  # an image says its class
    for asked in ({"mixup": 0.4}, {"cutmix": 1.0}):
        for seed in range(20):
            images, y, weight = change((x, LABELS, torch.ones(24)), seed, **asked)
            assert torch.allclose(images.mean((2, 3)), y, atol=1e-6)
            assert torch.allclose(weight, torch.ones(24))
            assert torch.allclose(y.sum(1), torch.ones(24))
    assert len(y.unique()) > 2


def test_what_is_no_image_stays() -> None:
    named = {"picture": X, "weight": torch.rand(24), "what": LABELS, "more": torch.rand(24, 3)}
    out = change(named, **{name: value for name, value in ALL.items() if name not in ("mixup", "cutmix")})
    assert list(out) == list(named)
    assert not torch.equal(out["picture"], X)
    assert all(out[name] is named[name] for name in ("weight", "what", "more"))


@pytest.mark.parametrize(
    "names", [("label", "image"), ("labels", "pixel_values"), ("y", "x"), ("image", "label"), ("what", "x")]
)
def test_the_image_of_a_mapping_is_found_by_its_name(names: tuple[str, str]) -> None:
    """As tasks find the input and the target: whichever stands first, and beside columns of other shapes."""
    image = next(name for name in names if name in ("image", "pixel_values", "x"))
    (target,) = set(names) - {image}
    given = {"weight": torch.ones(24), **{name: X if name == image else LABELS for name in names}}
    for asked in ({"crop": 2, "flip": True}, {"cutout": 3}, {"mixup": 0.4}):
        out = change(given, **asked)
        assert list(out) == list(given)
        assert torch.equal(out[image], change((X, LABELS, torch.ones(24)), **asked)[0])
        assert torch.equal(out[target], LABELS) != ("mixup" in asked)


@pytest.mark.parametrize("asked", [EACH["affine"], {"crop": 3, "flip": True}, {**EACH["affine"], "crop": 3}])
def test_masks_stay_where_their_images_are(asked: dict[str, Any]) -> None:
    blocks = torch.zeros(24, 20, 20, dtype=torch.int64)
    blocks[:, 4:12, 5:15], blocks[:, 12:16, 5:10] = 1, 2
    x = (blocks * 100).to(torch.uint8)[:, None]
    masks = {"x": x, "y": blocks, "again": blocks[:, None].expand(-1, 2, -1, -1), "depth": x[:, 0].float()}
    out = change(masks, mask_fill=0, **asked)
    assert not torch.equal(out["y"], blocks)
    assert torch.equal(out["again"], out["y"][:, None].expand(-1, 2, -1, -1))
    if "rotate" not in asked:
        assert torch.equal(out["y"] * 100, out["x"][:, 0].long())
        return
    pure = (out["x"][:, 0] % 100 == 0) & (out["depth"] % 100 == 0)  # all of its four neighbours are of one class
    assert pure.float().mean() > 0.7
    assert torch.equal(out["y"][pure] * 100, out["x"][:, 0][pure].long())
    assert torch.allclose(out["depth"], out["x"][:, 0].float(), atol=0.51)  # a map of floats is an image's equal


def test_a_mask_is_filled_where_nothing_was() -> None:
    x, mask = torch.ones(50, 1, 6, 6), torch.ones(50, 6, 6, dtype=torch.int64)
    ways: tuple[dict[str, Any], ...] = ({"crop": 2}, {"shift": 0.3}, {"scale": 0.5})
    for asked in ways:
        images, masks = change((x, mask), 7, mask_fill=255, **asked)
        assert set(masks.unique().tolist()) == {1, 255}
        assert torch.equal(masks[images[:, 0] == 0].unique(), torch.tensor([255]))


REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "rows": ({"erase": 0.5}, (torch.zeros(4, 3), LABELS), r"erase=0.5: changes images \[samples, C, H, W\]"),
    "whole": ({"hue": 0.1}, (X.long(), LABELS), r"hue=0.1: changes images .* the inputs here are int64"),
    "crop": ({"crop": 8}, (X, LABELS), "crop=8: must be smaller than the images of 8x10 pixels"),
    "cutout": ({"cutout": 9}, (X, LABELS), "cutout=9: must be smaller than the images of 8x10 pixels"),
    "grey": ({"saturation": 0.2}, (X[:, :1], LABELS), "saturation=0.2: is of images of 3 channels, and these are of 1"),
    "two": ({"contrast": 0.2}, (X[:, :2], LABELS), "contrast=0.2: is of images of 1 or 3 channels, and these are of 2"),
    "range": ({"brightness": 0.2}, (X.float(), LABELS), r"brightness=0.2: takes floats from 0 .* go from 1 to 255"),
    "fill": ({"crop": 1}, (X, X[:, 0].long()), "mask_fill=null: says what masks, here int64 .24, 8, 10., have where"),
    "turn": ({"rotate": 1}, (X, X[:, 0].long()), "mask_fill=null: says .* have where dataset.augment.rotate moves"),
    "half": ({"crop": 1, "mask_fill": 0.5}, (X, X[:, 0].long()), "mask_fill=0.5: must be a number that masks can hold"),
    "below": (
        {"crop": 1, "mask_fill": -100},
        (X, X[:, 0]),
        "mask_fill=-100: must be .* and they are uint8",
    ),
    "masks": ({"mixup": 1}, (X, X[:, 0].long()), "mixup=1: mixes labels, one class a sample, and the targets"),
    "no target": ({"cutmix": 1}, (X,), "cutmix=1: mixes labels, one class a sample, and the targets here are none"),
    "more": (
        {"mixup": 1},
        {"x": X, "y": LABELS, "age": LABELS},
        "mixup=1: mixes images and labels, and the samples hold more: column age; leave it out",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_images_and_targets_that_cannot_be_changed_are_refused(name: str) -> None:
    asked, samples, message = REFUSED[name]
    with pytest.raises(ConfigError, match="^" + message):
        Augment(**asked).of(samples, classes=5)


def test_a_later_batch_beyond_white_is_refused_too() -> None:
    colours = Augment(contrast=0.2).of((X.float() / 255, LABELS), classes=5)
    with pytest.raises(DataError, match=r"^dataset.augment: .* floats from 0 .* goes from 1 to 255; give images"):
        colours((X.float(), LABELS), generator())
    Augment(rotate=5).of((X.float(), LABELS), classes=5)((X.float() - 300, LABELS), generator())


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.int32])
def test_masks_of_every_type_move_alike(dtype: torch.dtype) -> None:
    mask = (X[:, 0] > 100).long()
    for asked in (EACH["affine"], {"crop": 2, "flip": True}):
        wanted = change((X, mask), 7, mask_fill=0, **asked)[1]
        moved = change((X, mask.to(dtype)), 7, mask_fill=0.0, **asked)[1]
        assert moved.dtype == dtype
        assert torch.equal(moved.long(), wanted)


def test_a_flip_needs_no_fill() -> None:
    x, mask = change((X, X[:, 0].long()), flip=True)
    assert torch.equal(mask, x[:, 0].long())


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
