"""Say which random changes of training images are wanted."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lrsched.data.batch import Batch, column
from lrsched.data.data import form
from lrsched.data.operations.affine import Affine
from lrsched.data.operations.changes import Changes
from lrsched.data.operations.colour import Colour
from lrsched.data.operations.crop_flip import CropFlip
from lrsched.data.operations.cutmix import Cutmix
from lrsched.data.operations.cutout import Cutout
from lrsched.data.operations.erase import Erase
from lrsched.data.operations.mixup import Mixup
from lrsched.data.operations.pixels import FLOATS, REMEDY, beyond
from lrsched.errors import ConfigError

COLOURS = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class Augment:
    """Which random changes are wanted: the keys of ``dataset.augment``, each off at its default.

    A batch is changed as a whole, on its device, in training alone, in raw numbers: before it is standardised. The
    changes are made in this order:

    ============================================  ========================================================
    ``crop``, ``flip``                            :class:`~lrsched.data.operations.crop_flip.CropFlip`
    ``rotate``, ``shear``, ``scale``, ``shift``   :class:`~lrsched.data.operations.affine.Affine`
    ``brightness``, ``contrast``,                 :class:`~lrsched.data.operations.colour.Colour`
    ``saturation``, ``hue``
    ``cutout``                                    :class:`~lrsched.data.operations.cutout.Cutout`
    ``erase``                                     :class:`~lrsched.data.operations.erase.Erase`
    ``mixup`` or ``cutmix``                       :class:`~lrsched.data.operations.mixup.Mixup`,
                                                  :class:`~lrsched.data.operations.cutmix.Cutmix`; where both are
                                                  wanted, each in half of the batches, at random
    ============================================  ========================================================

    Each line draws by a key of its own: switching one on does not move what another draws. The first two lines move the
    columns of the image's height and width, such as masks, with it. ``mask_fill`` is what these have where the image
    was moved in from outside; the image is black there.

    Args:
        crop: largest shift in each direction, in pixels.
        flip: mirror left to right with probability ½.
        rotate: largest turn to either side, in degrees.
        shear: largest shear to either side, in degrees.
        scale: largest change of size: 0.2 makes an image 0.8 to 1.2 times as large.
        shift: largest shift, as a part of width and height.
        brightness, contrast, saturation: largest change of the factor, up to 1.
        hue: largest turn of the colour circle, as a part of it, up to ½.
        cutout: side of the square that is covered, in pixels.
        erase: probability that a box of the image is covered.
        mixup, cutmix: α of the Beta distribution that the share of the other image is drawn from.
        mask_fill: what masks have where the image was moved in from outside; None: ``task.ignore``, if there is one.

    Raises:
        ConfigError: a value out of its range.

    >>> x = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    >>> change = Augment(crop=1).of((x, torch.tensor([0])))
    >>> change((x, torch.tensor([0])), torch.Generator().manual_seed(0))[0].shape
    torch.Size([1, 1, 2, 2])
    """

    crop: int = 0
    flip: bool = False
    rotate: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cutout: int = 0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mask_fill: float | None = None

    def __post_init__(self) -> None:
        for kind in ("moves", "paints", "mixes"):
            getattr(self, kind)  # each change checks its values

    @property
    def asked(self) -> list[str]:
        """The keys of the changes that are wanted."""
        return [field.name for field in fields(self) if field.name != "mask_fill" and getattr(self, field.name)]

    @property
    def moves(self) -> list[CropFlip | Affine]:
        """What moves pixels."""
        affine = Affine(self.rotate, self.shear, self.scale, self.shift)
        both = (CropFlip(self.crop, self.flip), affine)
        return [move for move in both if move != type(move)()]

    @property
    def paints(self) -> list[Colour | Cutout | Erase]:
        """What changes pixels where they are."""
        colour = Colour(self.brightness, self.contrast, self.saturation, self.hue)
        return [paint for paint in (colour, Cutout(self.cutout), Erase(self.erase)) if paint != type(paint)()]

    @property
    def mixes(self) -> list[Mixup | Cutmix]:
        """What mixes samples, of which a batch takes one."""
        both = ((Mixup, self.mixup), (Cutmix, self.cutmix))
        return [mix(alpha) for mix, alpha in both if alpha != 0 or isinstance(alpha, bool)]

    def of(
        self,
        like: Batch,
        device: torch.device | None = None,
        *,
        classes: int | None = None,
        mean: Tensor | None = None,
    ) -> Changes:
        """The changes of batches in the form of these samples.

        Args:
            like: samples of the training part.
            device: of the batches.
            classes: how many there are, if the target is a label.
            mean: of the images, where they are standardised: what covers a part.

        Raises:
            ConfigError: they hold no images, or images that cannot be changed so.
        """
        x = column(like, 0)
        if x.ndim != 4 or not (x.dtype == torch.uint8 or x.is_floating_point()):
            rule = f"changes images [samples, C, H, W] of uint8 or floats, and the inputs here are {form(x)}"
            raise self.refused(rule, "leave it out")
        self._check_colours(x)
        smallest = min(x.shape[2:])
        for name in ("crop", "cutout"):
            if getattr(self, name) >= smallest:
                size = f"{x.shape[2]}x{x.shape[3]}"
                raise ConfigError(name, getattr(self, name), f"must be smaller than the images of {size} pixels")
        return Changes(self, like, classes, None if mean is None else mean.to(device, torch.float32))

    def refused(self, rule: str, remedy: str) -> ConfigError:
        """The error of data that cannot be changed so, by the first key that was given."""
        return ConfigError(self.asked[0], getattr(self, self.asked[0]), rule, remedy)

    def _check_colours(self, x: Tensor) -> None:
        """Refuse images whose white is not known, or without the colours that are to be changed."""
        asked = [name for name in COLOURS if getattr(self, name)]
        for name in asked:
            value = getattr(self, name)
            wanted = {"brightness": (x.shape[1],), "contrast": (1, 3)}.get(name, (3,))
            if x.shape[1] not in wanted:
                channels = " or ".join(map(str, wanted))
                rule = f"is of images of {channels} channels, and these are of {x.shape[1]}: {form(x)}"
                raise ConfigError(name, value, rule, "leave it out")
        if asked and (said := beyond(x)):
            raise ConfigError(asked[0], getattr(self, asked[0]), f"{FLOATS}, and these go {said}", REMEDY)
