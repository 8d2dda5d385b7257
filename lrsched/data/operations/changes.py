"""Change a batch at random: its images, the masks that move with them, and labels that are mixed."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrsched.data.batch import NAMES, Batch, named
from lrsched.data.batch import place as called
from lrsched.data.data import form, is_whole
from lrsched.data.operations.colour import Colour
from lrsched.data.operations.crop_flip import CropFlip
from lrsched.data.operations.pixels import FLOATS, REMEDY, beyond
from lrsched.data.operations.shares import mixed, shares
from lrsched.errors import ConfigError, DataError
from lrsched.seeds import key

if TYPE_CHECKING:
    from lrsched.data.augment import Augment
    from lrsched.data.operations.affine import Affine
    from lrsched.data.operations.cutout import Cutout
    from lrsched.data.operations.erase import Erase

OUTSIDE = ("crop", "rotate", "shear", "scale", "shift")
"""Changes that move an image in from outside."""

MIXES = ("mixup", "cutmix")

Columns = dict[Any, Tensor]
"""The columns by name, or by number where they have none."""


class Changes:
    """Random changes of batches of one form: a function of the batch and of the seed of the generator.

    Args:
        asked: which changes are wanted.
        like: samples of that form.
        classes, mean: as for :meth:`lrsched.data.augment.Augment.of`.

    Raises:
        ConfigError: masks or targets that cannot be changed so.
    """

    def __init__(self, asked: Augment, like: Batch, classes: int | None, mean: Tensor | None) -> None:
        columns = numbered(like)
        self._moves, self._paints, self._mixes = asked.moves, asked.paints, asked.mixes
        self._colours = any(isinstance(paint, Colour) for paint in self._paints)
        self._image, self._target, self._weight = _places(columns)
        size = columns[self._image].shape[2:]
        self._maps = [
            place for place, column in columns.items() if place != self._image and column.shape[1:][-2:] == size
        ]
        self._fill = self._fill_of(asked, columns)
        self._cover = 0 if mean is None else mean
        self._classes = classes
        if self._mixes:
            self._check_mixed(asked, columns)

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A changed copy of a batch.

        Args:
            batch: raw samples.
            generator: seeded for this batch. Cropping and flipping draw from it; each other change draws from one that
                is seeded by this seed and its name.

        Raises:
            DataError: colours of floats beyond black and white, where the batch lies in the host's memory.
        """
        columns = numbered(batch)
        self._check_range(columns[self._image])
        for move in self._moves:
            self._move(move, columns, generator)
        for paint in self._paints:
            self._paint(paint, columns, generator)
        if self._mixes:
            self._mix(columns, generator)
        return columns if named(batch) else tuple(columns.values())

    def _move(self, move: CropFlip | Affine, columns: Columns, generator: torch.Generator) -> None:
        source = move.draw(columns[self._image], _drawn_by(move, generator))
        columns[self._image] = move.move(columns[self._image], source)
        for place in self._maps:
            column = columns[place]
            columns[place] = move.move(column, source, self._fill, mask=is_whole(column))

    def _paint(self, paint: Colour | Cutout | Erase, columns: Columns, generator: torch.Generator) -> None:
        image, draw = columns[self._image], _drawn_by(paint, generator)
        columns[self._image] = paint(image, draw) if isinstance(paint, Colour) else paint(image, draw, self._cover)

    def _mix(self, columns: Columns, generator: torch.Generator) -> None:
        """Mix images, targets and weights; what is drawn once for a batch is drawn on the host, which never waits."""
        image, seed = columns[self._image], generator.initial_seed()
        mix = self._mixes[Random(key(seed, "mix")).randrange(len(self._mixes))]
        draw = _drawn_by(mix, generator)
        partners = torch.randperm(len(image), generator=draw, device=draw.device).to(image.device)
        columns[self._image], kept = mix(image, partners, Random(draw.initial_seed()))
        y = shares(columns[self._target], self._classes or 0)
        columns[self._target], weight = mixed(y, columns.get(self._weight), partners, kept)
        if weight is not None:
            columns[self._weight] = weight

    def _check_range(self, image: Tensor) -> None:
        """Refuse colours of floats beyond black and white, where to look at them does not wait for a device."""
        if self._colours and image.device.type == "cpu" and (said := beyond(image)):
            raise DataError(f"dataset.augment: a change of colours {FLOATS}, and a batch goes {said}; {REMEDY}")

    def _fill_of(self, asked: Augment, columns: Columns) -> float:
        """What maps have where the image was moved in from outside."""
        outside = [name for name in asked.asked if name in OUTSIDE]
        if not outside or not self._maps:
            return 0
        shown, fill = form(columns[self._maps[0]]), asked.mask_fill
        if fill is None:
            rule = (
                f"says what masks, here {shown}, have where dataset.augment.{outside[0]} moves an image in from outside"
            )
            raise ConfigError("mask_fill", None, rule, "give 0, the background, or task.ignore=255: they count nowhere")
        for column in (columns[place] for place in self._maps):
            if torch.tensor(fill).to(column.dtype).item() != fill:
                raise ConfigError(
                    "mask_fill", fill, f"must be a number that masks can hold, and they are {form(column)}"
                )
        return fill

    def _check_mixed(self, asked: Augment, columns: Columns) -> None:
        """Refuse samples that are more than an image, a label and a weight."""
        name = next(name for name in asked.asked if name in MIXES)
        more = [str(place) for place in columns if place not in (self._image, self._target, self._weight)]
        if more:
            rule = f"mixes images and labels, and the samples hold more: column {', '.join(more)}"
            raise ConfigError(name, getattr(asked, name), rule, "leave it out")
        y = columns.get(self._target)
        labels = y is not None and is_whole(y) and y.ndim == 1 and self._classes is not None
        if y is None or not (labels or (y.is_floating_point() and y.ndim == 2)):
            rule = f"mixes labels, one class a sample, and the targets here are {'none' if y is None else form(y)}"
            raise ConfigError(name, getattr(asked, name), rule, "leave it out")


def numbered(batch: Batch) -> Columns:
    """The columns by name, or by number where they have none."""
    return dict(batch) if named(batch) else dict(enumerate(batch))


def _places(columns: Columns) -> tuple[Any, Any, Any]:
    """Where the image, the target and the weight are; a place that is no column where there is none."""
    if 0 in columns:
        return 0, 1, 2
    _, target, weight = NAMES
    names = [name for name in columns if name != weight]
    image = called(names, 0)
    with suppress(LookupError):  # there may be no target
        target = called([image, *(name for name in names if name != image)], 1)
    return image, target, weight


def _drawn_by(operation: object, generator: torch.Generator) -> torch.Generator:
    """The generator that a change draws from, on the same device."""
    if isinstance(operation, CropFlip):
        return generator
    name = type(operation).__name__.lower()
    return torch.Generator(generator.device).manual_seed(key(generator.initial_seed(), name))
