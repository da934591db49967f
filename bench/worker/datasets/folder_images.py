"""One image file to an array: PNG, JPEG, WebP, TIFF by Pillow. What it cannot be is one line that names the file.

Orientation by EXIF is applied. A palette is colour. What is transparent lies on white. Of 16 bits the upper 8 stay.
CMYK and other colours become RGB as Pillow turns them, without a colour profile.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base import files
from bench.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

Resize: TypeAlias = Literal["crop", "pad", "stretch"]

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MOST_PIXELS = 1 << 26  # of one image; Pillow's own limit holds too
GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
DEEP = ("I", "F")  # 32 bits: no range that could be told
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
ORIENTATION = 0x0112


class Header(NamedTuple):
    """What is known before anything is decoded. `size`: (width, height) as it is seen."""

    size: tuple[int, int]
    is_grey: bool


def header(path: Path, *, inside: Path, label: str) -> Header:
    """Raises DataError where the file is no such image, or none that is taken."""
    with _opened(path, inside=inside, label=label) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION) in TURNED
        return Header((height, width) if turned else (width, height), image.mode in GREY)


def pixels(
    path: Path, *, inside: Path, label: str, is_grey: bool, image_size: int | None, resize: Resize
) -> npt.NDArray[np.uint8]:
    """The image as (C, H, W). Raises DataError where it is damaged."""
    from PIL import ImageOps

    with _opened(path, inside=inside, label=label) as image:
        image.load()
        seen = _plain(ImageOps.exif_transpose(image), mode="L" if is_grey else "RGB")
        if image_size is not None:
            seen = _sized(seen, image_size, resize)
        array = np.asarray(seen, dtype=np.uint8)
        return array[None] if is_grey else np.ascontiguousarray(array.transpose(2, 0, 1))


@contextmanager
def _opened(path: Path, *, inside: Path, label: str) -> "Iterator[Image.Image]":
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), files.opened(path, inside=inside) as file:
            warnings.simplefilter("ignore")  # of metadata that nobody asks for
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                _check(image, label=label)
                yield image
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{label}: found no PNG, JPEG, WebP or TIFF image; move it out of the folder") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{label}: more pixels than Pillow takes (a bomb?); scale it down") from error
    except Exception as error:  # on damaged bytes Pillow raises whatever its decoders stumble over
        why = " ".join(files.why(error).split()).replace(str(inside), inside.name)
        raise DataError(f"{label}: found a damaged image ({why}); replace it, or move it out of the folder") from error


def _check(image: "Image.Image", *, label: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise DataError(f"{label}: found {width}×{height} pixels; needs {MOST_PIXELS:,} at most: scale it down")
    # A phone's JPEG may carry a second picture, a preview (format MPO): the first is the image.
    if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
        raise DataError(f"{label}: found {frames} pictures in one file; needs one: store each in a file of its own")
    if image.mode in DEEP:
        raise DataError(f"{label}: found pixels of 32 bits (mode {image.mode}); needs 8 or 16: store it so")


def _plain(image: "Image.Image", *, mode: str) -> "Image.Image":
    """In grey (L) or colour (RGB), nothing transparent."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image.convert(mode)


def _sized(image: "Image.Image", size: int, resize: Resize) -> "Image.Image":
    """Square: the middle, or all of it with a black border, or all of it out of proportion."""
    from PIL import Image, ImageOps

    method = Image.Resampling.BILINEAR
    if resize == "stretch":
        return image.resize((size, size), method)
    if resize == "crop":
        return ImageOps.fit(image, (size, size), method)
    width, height = (max(1, round(side * size / max(image.size))) for side in image.size)
    padded = Image.new(image.mode, (size, size))
    padded.paste(image.resize((width, height), method), ((size - width) // 2, (size - height) // 2))
    return padded
