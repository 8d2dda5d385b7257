"""Change training images at random: what is asked for, and in which order it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch

from lrsched.data.batch import Batch, column, named
from lrsched.data.data import form, is_whole
from lrsched.data.operations.crop_flip import CropFlip
from lrsched.errors import ConfigError


@dataclass(frozen=True)
class Augment:
    """What is asked for: the keys of ``dataset.augment``. Each is off at its default.

    A batch is changed as a whole, on its device, in raw numbers: before it is standardised, in training alone. Columns
    of the image's height and width, such as masks, move with it.

    Args:
        crop: largest shift in each direction, in pixels.
        flip: mirror left to right with probability ½.
        mask_fill: what a mask has where the image was moved in from outside.

    Raises:
        ConfigError: a value out of its range.

    >>> x = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    >>> change = Augment(crop=1).of((x, torch.tensor([0])))
    >>> change((x, torch.tensor([0])), torch.Generator().manual_seed(0))[0].shape
    torch.Size([1, 1, 2, 2])
    """

    crop: int = 0
    flip: bool = False
    mask_fill: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.crop, int) or isinstance(self.crop, bool) or self.crop < 0:
            raise ConfigError("crop", self.crop, "must be a whole number of pixels, at least 0")
        if not isinstance(self.flip, bool):
            raise ConfigError("flip", self.flip, "must be true or false")

    @property
    def asked(self) -> list[str]:
        """The keys of the changes that are asked for."""
        return [field.name for field in fields(self) if field.name != "mask_fill" and getattr(self, field.name)]

    def refused(self, rule: str, remedy: str) -> ConfigError:
        """The error of data that cannot be changed so, by the first key that was given."""
        return ConfigError(self.asked[0], getattr(self, self.asked[0]), rule, remedy)

    def of(self, like: Batch) -> Changes:
        """The changes of batches in the form of these samples.

        Raises:
            ConfigError: they hold no images, or images that cannot be changed so.
        """
        x = column(like, 0)
        if x.ndim != 4 or not (x.dtype == torch.uint8 or x.is_floating_point()):
            rule = f"changes images [samples, C, H, W] of uint8 or floats, and the inputs here are {form(x)}"
            raise self.refused(rule, "leave it out")
        return Changes(self, like)


class Changes:
    """Random changes of batches of one form: a function of the batch and of the seed of the generator.

    Args:
        asked: what is asked for.
        like: samples of that form.

    Raises:
        ConfigError: images that cannot be changed so.
    """

    def __init__(self, asked: Augment, like: Batch) -> None:
        columns = numbered(like)
        self._image = next(iter(columns)) if "x" not in columns else "x"
        size = columns[self._image].shape[2:]
        self._maps = [
            place for place, column in columns.items() if place != self._image and column.shape[1:][-2:] == size
        ]
        self._fill = self._fill_of(asked, columns)
        self._moves = CropFlip(asked.crop, asked.flip)
        self._moves.check_fits(*size)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A changed copy of a batch.

        Args:
            batch: raw samples.
            generator: seeded for this batch.
        """
        if not (self._moves.crop or self._moves.flip):
            return batch
        columns = numbered(batch)
        source = self._moves.draw(columns[self._image], generator)
        columns[self._image] = self._moves.move(columns[self._image], source)
        for place in self._maps:
            columns[place] = self._moves.move(columns[place], source, self._fill)
        return columns if named(batch) else tuple(columns.values())

    def _fill_of(self, asked: Augment, columns: Mapping[Any, torch.Tensor]) -> float:
        """What is in a map where the image was moved in from outside."""
        if not asked.crop or not self._maps:
            return 0
        shown = form(columns[self._maps[0]])
        if asked.mask_fill is None:
            rule = f"says what masks, here {shown}, have where dataset.augment.crop moves an image in from outside"
            raise ConfigError("mask_fill", None, rule, "give 0, the background, or task.ignore=255: they count nowhere")
        if not all(is_whole(columns[place]) <= float(asked.mask_fill).is_integer() for place in self._maps):
            raise ConfigError("mask_fill", asked.mask_fill, f"must be a whole number, as in the mask, here {shown}")
        return asked.mask_fill


def numbered(batch: Batch) -> dict[Any, torch.Tensor]:
    """The columns by name, or by number where they have none."""
    return dict(batch) if named(batch) else dict(enumerate(batch))
