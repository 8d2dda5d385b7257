"""Read a file of a picture or of a mask by Pillow, in one form whatever the file's own is."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lrsched.data.files import unreadable
from lrsched.errors import DataError, Stopped

if TYPE_CHECKING:
    from PIL.Image import Image

Numbers: TypeAlias = "np.ndarray[Any, Any]"

WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Pillow's modes of grey pictures of more than 8 bits; ``I`` has 32, and holds 16 of them for some formats."""

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "DIB", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF", "TGA", "ICO")
"""Formats that are read, whatever the name says. For others Pillow starts programs: EPS is code for Ghostscript."""

ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held."""

OF_16_BITS = ("PNG", "PPM")
"""Formats whose files of mode ``I`` hold 16 bits."""


def read_picture(file: Path, channels: int) -> Image:
    """The picture in a file: RGB with 3 ``channels``, grey (0.299 R + 0.587 G + 0.114 B) with 1.

    Turned as its EXIF orientation says; the first one of an animation; transparency is left out, as by
    torchvision's ImageFolder; of 16 bits a colour the 8 high ones.

    Raises:
        DataError: names the file, and what is wrong with it.
    """
    with _opened(file) as image:
        if image.mode == "F":
            raise _refused(
                file, "holds floats (mode F), which are no colours", "save it with 8 or 16 bits, or take npz"
            )
        if image.mode in WIDE:
            image = _eight_bits(file, image)
        return image.convert("L" if channels == 1 else "RGB")


def read_mask(file: Path) -> Numbers:
    """The numbers in the pixels of a mask, [H, W]: its grey values, or the numbers of its palette.

    Raises:
        DataError: names the file; it has colours, or is no picture.
    """
    with _opened(file) as image:
        if image.mode not in ("1", "L", "P", *WIDE):
            what = "holds floats" if image.mode == "F" else "is a picture of colours"
            rule = f"{what} (mode {image.mode}), and a mask has one whole number a pixel"
            raise _refused(file, rule, "save it as grey values or with a palette, in a format without loss such as PNG")
        if image.format == "JPEG":
            rule = "is a JPEG, whose loss changes the numbers of pixels"
            raise _refused(file, rule, "make masks anew, in a format without loss such as PNG")
        return np.array(image).astype(np.int32)


@contextmanager
def _opened(file: Path) -> Generator[Image]:
    """The picture in a file, read whole, and turned as it says."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if not file.stat().st_size:
            raise _refused(file, "is empty (0 bytes)", "give the whole file, or take it away")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes and of metadata: what matters is raised
            with Image.open(file, formats=_readable()) as image:
                image.load()
                if image.getexif().get(ORIENTATION, 1) == 1:
                    yield image
                else:
                    turned = ImageOps.exif_transpose(image)
                    turned.format = image.format
                    yield turned
    except (DataError, Stopped, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _refused(
            file, "is no picture that Pillow can read", "take it away, or save it in another format"
        ) from error
    except Image.DecompressionBombError as error:
        most = f"{2 * (Image.MAX_IMAGE_PIXELS or 0):,}"
        raise _refused(
            file, f"has more than {most} pixels: opened it may fill the memory", "make it smaller"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise unreadable(file, error) from error
        raise _damaged(file, error) from error
    except Exception as error:  # Pillow's readers raise errors of any kind
        raise _damaged(file, error) from error


def _readable() -> list[str]:
    """Formats that this Pillow knows: it may be built without some."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _eight_bits(file: Path, image: Image) -> Image:
    """Grey of 16 bits as its high 8: ⌊v/256⌋, as Pillow reads colours of 16 bits."""
    from PIL import Image

    values = np.array(image).astype(np.int64)
    if image.mode == "I" and image.format not in OF_16_BITS and (values.min() < 0 or values.max() > 255):
        rule = f"holds whole numbers of 32 bits, {values.min()} to {values.max()}, and no rule says which is white"
        raise _refused(file, rule, "save it with 8 or 16 bits")
    shift = 8 if image.mode != "I" or image.format in OF_16_BITS else 0
    return Image.fromarray((values >> shift).astype(np.uint8))


def _damaged(file: Path, error: Exception) -> DataError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return _refused(file, f"cannot be read as a picture ({said})", "is it whole? Give it anew, or take it away")


def _refused(file: Path, rule: str, remedy: str) -> DataError:
    return DataError(f"{file}: {rule}; {remedy}")
