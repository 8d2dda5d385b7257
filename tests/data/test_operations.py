"""Random changes of images: right by hand, and as torchvision has them."""

from __future__ import annotations

import math
from random import Random

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as theirs

from lrsched.data.operations import colour
from lrsched.data.operations.affine import Affine
from lrsched.data.operations.colour import Colour
from lrsched.data.operations.cutmix import Cutmix
from lrsched.data.operations.cutout import Cutout
from lrsched.data.operations.erase import Erase
from lrsched.data.operations.mixup import Mixup
from lrsched.data.operations.shares import mixed, shares
from lrsched.errors import ConfigError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photos(n: int = 8, channels: int = 3, size: tuple[int, int] = (11, 14)) -> Tensor:
    return torch.randint(256, (n, channels, *size), dtype=torch.uint8, generator=generator(3))


def numbers(*values: float) -> Tensor:
    return torch.tensor(values)


# Affine


def placed(
    x: Tensor, angle: float = 0, shear: float = 0, scale: float = 1, right: float = 0, down: float = 0
) -> Tensor:
    source = Affine.inverse(*(numbers(value) for value in (angle, shear, scale, right, down)))
    return Affine().move(x, source.expand(len(x), -1, -1), mask=x.dtype == torch.int64)


@pytest.mark.parametrize("form", [lambda x: x, lambda x: x.float(), lambda x: x.long()], ids=["uint8", "float", "mask"])
def test_quarter_turns_halves_and_whole_shifts_are_exact(form) -> None:
    x = form(photos(size=(12, 12)))
    near = {"atol": 1e-3 if x.is_floating_point() else 0, "rtol": 0}  # between pixels, up to rounding
    assert torch.allclose(placed(x, angle=90), torch.rot90(x, -1, (2, 3)), **near)  # clockwise
    assert torch.allclose(placed(x, angle=180), x.flip(2, 3), **near)
    shifted = torch.zeros_like(x)
    shifted[..., 3:, :-2] = x[..., :-3, 2:]
    assert torch.allclose(placed(x, right=-2, down=3), shifted, **near)
    assert torch.allclose(placed(x), x, **near)


def test_a_shear_moves_rows_against_each_other() -> None:
    x = torch.zeros(1, 1, 3, 5, dtype=torch.int64)
    x[..., 2] = 1  # a vertical line
    sheared = placed(x, shear=45)[0, 0]  # (x′, y′) = (x − y, y) about the centre, y down
    assert sheared.tolist() == [[0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]


def test_twice_the_size_is_the_middle_half() -> None:
    x = torch.arange(16).reshape(1, 1, 4, 4)
    assert placed(x, scale=2)[0, 0].tolist() == [[5, 5, 6, 6], [5, 5, 6, 6], [9, 9, 10, 10], [9, 9, 10, 10]]
    small = placed(x.float(), scale=0.5)[0, 0]  # each the mean of four
    assert small.tolist() == [[0, 0, 0, 0], [0, 2.5, 4.5, 0], [0, 10.5, 12.5, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(("angle", "shear", "scale", "right", "down"), [(20, 10, 1.3, 2, -1), (-75, -30, 0.7, -3, 4)])
def test_it_is_torchvisions_affine(angle: float, shear: float, scale: float, right: int, down: int) -> None:
    x = photos()
    told = {"angle": angle, "translate": [right, down], "scale": scale, "shear": [float(shear), 0.0]}
    expected = theirs.affine(x.float(), interpolation=InterpolationMode.BILINEAR, **told)
    assert torch.allclose(placed(x.float(), angle, shear, scale, right, down), expected, atol=1e-3)
    whole = theirs.affine(x, interpolation=InterpolationMode.BILINEAR, **told)
    assert (placed(x, angle, shear, scale, right, down).int() - whole.int()).abs().max() <= 1
    nearest = theirs.affine(x, interpolation=InterpolationMode.NEAREST, **told)
    assert (placed(x.long(), angle, shear, scale, right, down) == nearest).float().mean() > 0.995  # ties differ


def test_what_comes_from_outside_is_what_is_asked_for() -> None:
    source = Affine.inverse(*map(numbers, (0, 0, 1, 1, 0)))
    mask = torch.tensor([[[7, 8], [9, 6]]])
    assert Affine().move(mask, source, fill=255, mask=True).tolist() == [[[255, 7], [255, 9]]]
    assert Affine().move(mask.float(), source, fill=0.5).tolist() == [[[0.5, 7], [0.5, 9]]]


def test_affine_maps_are_uniform_and_each_amount_draws_for_itself() -> None:
    x = photos(4000, 1, (8, 16))
    for amount, most in {"rotate": 30.0, "shear": 20.0, "scale": 0.5, "shift": 0.25}.items():
        alone = Affine(**{amount: most}).draw(x, generator())
        a, b, _ = alone[:, 0].unbind(1)
        c, d, _ = alone[:, 1].unbind(1)
        drawn = {
            "rotate": torch.atan2(-c, d) * 180 / math.pi,
            "shear": torch.atan(b) * 180 / math.pi,
            "scale": 1 / a - 1,
            "shift": -alone[:, 0, 2] / 16,
        }[amount]
        assert -most <= drawn.min() < -0.99 * most
        assert 0.99 * most < drawn.max() <= most
        assert abs(drawn.mean()) < 4 * most / math.sqrt(3 * 4000)  # four standard errors of a uniform
        assert abs(drawn.var() - most**2 / 3) < 0.05 * most**2
    both = Affine(rotate=30, shift=0.25).draw(x, generator())
    assert torch.equal(both[:, :, :2], Affine(rotate=30).draw(x, generator())[:, :, :2])


# Colour


def pairs() -> list[tuple[str, float]]:
    names = ("brightness", "contrast", "saturation")
    return [*((name, f) for name in names for f in (0.0, 0.4, 1.0, 1.7)), *(("hue", f) for f in (-0.5, -0.1, 0, 0.3))]


@pytest.mark.parametrize(("name", "factor"), pairs())
def test_colours_are_torchvisions(name: str, factor: float) -> None:
    x = photos(64)
    x[0], x[1], x[2] = 0, 255, 77  # black, white, grey
    change, adjust = getattr(colour, name), getattr(theirs, f"adjust_{name}")
    each = torch.full((64,), float(factor))
    whole = (change(x.float(), each) if name == "hue" else change(x.float(), each, 255)).round()
    assert (whole - adjust(x, factor).float()).abs().max() <= 1
    small = x.float() / 255
    fine = change(small, each) if name == "hue" else change(small, each, 1)
    assert torch.allclose(fine, adjust(small, factor), atol=1e-5)


def test_a_grey_image_has_brightness_and_contrast_alone() -> None:
    x = photos(channels=1)
    assert torch.allclose(
        colour.contrast(x.float(), torch.full((8,), 0.5), 255),
        theirs.adjust_contrast(x, 0.5).float(),
        atol=1,
    )


def test_colours_by_hand() -> None:
    x = torch.tensor([[100.0, 200.0]]).reshape(1, 1, 1, 2)
    assert colour.contrast(x, numbers(0.5), 255).flatten().tolist() == [125, 175]
    assert colour.contrast(x, numbers(3.0), 255).flatten().tolist() == [0, 255]
    red = torch.tensor([240.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert colour.hue(red, numbers(1 / 3)).flatten().tolist() == pytest.approx([0, 240, 0], abs=1e-3)
    assert colour.hue(red, numbers(-1 / 12)).flatten().tolist() == pytest.approx([240, 0, 120], abs=1e-3)


def test_each_colour_draws_for_itself_and_in_its_order() -> None:
    x = photos(400)
    drawn = torch.rand((4, 400), generator=generator(5)) * 2 - 1
    expected = colour.brightness(x.float(), 1 + 0.4 * drawn[0], 255)
    expected = colour.contrast(expected, 1 + 0.3 * drawn[1], 255)
    expected = colour.saturation(expected, 1 + 0.2 * drawn[2], 255)
    expected = colour.hue(expected, 0.1 * drawn[3]).round().to(torch.uint8)
    assert torch.equal(Colour(0.4, 0.3, 0.2, 0.1)(x, generator(5)), expected)
    alone = Colour(contrast=0.3)(x, generator(5))
    assert torch.equal(alone, colour.contrast(x.float(), 1 + 0.3 * drawn[1], 255).round().to(torch.uint8))


# Cutout, erasing


def test_cutout_covers_each_place_alike() -> None:
    x = torch.ones(20000, 2, 6, 6)
    out = Cutout(3)(x, generator())
    assert torch.equal(out[:, 0], out[:, 1])
    hidden = (out[:, 0] == 0).float().mean(0)
    rows = torch.tensor([2.0, 3, 3, 3, 3, 2]) / 6  # centres that cover a row
    assert torch.allclose(hidden, rows[:, None] * rows, atol=4 * 0.5 / math.sqrt(20000))


def test_a_cover_is_the_mean_of_the_data() -> None:
    x = photos(5)
    mean = torch.tensor([1.4, 2.6, 3.0]).reshape(1, 3, 1, 1)
    out = Cutout.cover(x, torch.zeros(5, dtype=torch.int64), torch.zeros(5, dtype=torch.int64), 2, mean)
    assert out[:, :, 0, 0].tolist() == [[1, 3, 3]] * 5
    assert torch.equal(out[:, :, 1:], x[:, :, 1:])
    assert out.dtype == torch.uint8


def test_erasing_covers_a_box_of_the_asked_area_and_ratio_in_the_asked_share() -> None:
    x = torch.ones(4000, 1, 64, 48)
    out = Erase(0.25)(x, generator()) == 0
    touched = out.flatten(1).any(1)
    assert abs(touched.float().mean() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 4000)
    boxes = out[touched][:, 0]
    tall, wide = boxes.any(2).sum(1), boxes.any(1).sum(1)
    assert torch.equal(boxes.flatten(1).sum(1), tall * wide)  # a full box
    area, ratio = tall * wide / (64 * 48), tall / wide
    assert 0.015 < area.min() < 0.04
    assert 0.33 < area.max() < 0.41
    assert 0.27 < ratio.min() < 0.4
    assert 2.5 < ratio.max() < 3.7
    assert abs(ratio.log().mean()) < 0.15  # tall and wide alike; of the tall ones fewer fit


def test_erasing_draws_the_same_whatever_the_probability() -> None:
    x = torch.ones(50, 1, 8, 8)
    some, all_ = (Erase(p)(x, generator(2)) for p in (0.5, 1.0))
    touched = (some == 0).flatten(1).any(1)
    assert 0 < touched.sum() < 50
    assert torch.equal(some[touched], all_[touched])
    assert torch.equal(some[~touched], x[~touched])


# Mixup, cutmix, soft targets


def test_mixup_by_hand() -> None:
    x = photos(3)
    partners = torch.tensor([2, 0, 1])
    expected = (0.25 * x.double() + 0.75 * x[partners].double()).round()
    assert torch.equal(Mixup.mixed(x, partners, 0.25), expected.to(torch.uint8))
    assert torch.equal(Mixup.mixed(x, partners, 1.0), x)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    x, partners = torch.zeros(1, 1, 1, 1), torch.zeros(1, dtype=torch.int64)
    drawn = torch.tensor([Mixup(alpha)(x, partners, Random(n))[1] for n in range(3000)], dtype=torch.float64)
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(drawn.mean() - 0.5) < 4 * math.sqrt(variance / 3000)
    assert abs(drawn.var() - variance) < 0.07 * variance


def test_cutmix_pastes_a_box_whose_area_is_the_share() -> None:
    x = torch.stack([torch.zeros(2, 9, 7), torch.ones(2, 9, 7)])
    partners, seen = torch.tensor([1, 0]), []
    for n in range(400):
        out, kept = Cutmix(1.0)(x, partners, Random(n))
        assert kept == pytest.approx(1 - float(out[0].mean()))
        assert torch.equal(out[0], 1 - out[1])
        pasted = out[0, 0] == 1
        assert int(pasted.sum()) == int(pasted.any(0).sum()) * int(pasted.any(1).sum())
        seen.append(kept)
    assert min(seen) < 0.3
    assert max(seen) == 1.0


def test_soft_targets_by_hand() -> None:
    y = shares(torch.tensor([1, 0, 2]), 4)
    assert y.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert shares(y, 4) is y
    partners = torch.tensor([1, 2, 0])
    got, weight = mixed(y, None, partners, 0.75)
    assert weight is None
    assert got.tolist() == [[0.25, 0.75, 0, 0], [0.75, 0, 0.25, 0], [0, 0.25, 0.75, 0]]
    got, weight = mixed(y, torch.tensor([3.0, 1.0, 0.0]), partners, 0.5)
    assert weight is not None
    assert weight.tolist() == [2.0, 0.5, 1.5]
    assert got.tolist() == [[0.25, 0.75, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    got, weight = mixed(y, torch.zeros(3), partners, 0.5)  # nothing counts, and nothing is not a number
    assert got[0].tolist() == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine(rotate=181), "^rotate=181: must lie between 0 and 180"),
        (lambda: Affine(shear=math.nan), "^shear=nan: must lie between 0 and 60"),
        (lambda: Affine(scale=1), "^scale=1: must lie between 0 and 0.9"),
        (lambda: Affine(shift=True), "^shift=true: must lie between 0 and 1"),
        (lambda: Colour(brightness=-0.1), "^brightness=-0.1: must lie"),
        (lambda: Colour(hue=0.6), "^hue=0.6: must lie between 0 and 0.5"),
        (lambda: Cutout(1.5), "^cutout=1.5: must be a whole number"),  # type: ignore[arg-type]
        (lambda: Erase(2), "^erase=2: must lie between 0 and 1"),
        (lambda: Mixup(0.001), "^mixup=0.001: must lie between 0.01 and 100"),
        (lambda: Cutmix(math.inf), "^cutmix=inf: must lie"),
    ],
)
def test_values_out_of_their_range_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
