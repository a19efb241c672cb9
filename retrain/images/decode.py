"""From the bytes of a photo to the pixels that a network sees."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from retrain.errors import RetrainError, one_line
from retrain.images.digests import digest_of
from retrain.images.distort import Distortion

# Imported by name, because Pillow otherwise loads readers late. Phones' MPO is read as JPEG.
PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
)
FORMATS = tuple(plugin.format for plugin in PLUGINS)


class BadPhoto(Exception):
    """The file is not a usable photo; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """How a photo becomes the network's input. Its text is part of each feature's identity and is
    kept in exported graphs, so that labelling does what training did.

    - decoded by content, first frame only; EXIF orientation applied;
    - 16-bit channels keep their high byte, grey and CMYK become RGB;
    - transparent pixels are blended onto white, as a viewer on a white page shows them;
    - squashed to height x width (aspect not kept) by anti-aliased bilinear resampling, a JPEG
      first reduced while decoding as long as it stays `REDUCE` times larger than that;
    - or, with a `distortion`, enlarged, cut, mirrored and brightened as that says.
    """

    height: int
    width: int
    distortion: Distortion | None = None

    REDUCE: ClassVar[int] = 2

    @property
    def text(self) -> str:
        """Canonical form, e.g. `rgb8,exif,alpha=white|squash:224x224,bilinear,reduce=2`."""
        plain = f"rgb8,exif,alpha=white|squash:{self.height}x{self.width},bilinear,reduce=2"
        return plain + (self.distortion.text if self.distortion else "")

    @staticmethod
    def parse(text: str) -> "Recipe":
        """The undistorted recipe with this text.

        Raises RetrainError for one from another version.
        """
        found = re.search(r"\|squash:(\d+)x(\d+),", text)
        recipe = Recipe(int(found[1]), int(found[2])) if found else None
        if recipe is None or recipe.text != text:
            raise RetrainError(
                f"unknown recipe {text!r}: the graph was made by another version of retrain; "
                "install that version, or retrain the graph"
            )
        return recipe


def decode(content: bytes, recipe: Recipe) -> np.ndarray:
    """Pixels (height, width, 3) uint8, RGB. Raises BadPhoto."""
    if not content:
        raise BadPhoto("the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            wide, high = Recipe.REDUCE * recipe.width, Recipe.REDUCE * recipe.height
            image.draft(None, (high, wide) if _orientation(image) >= 5 else (wide, high))
            image.load()
            upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
            rgb = to_rgb(upright)
            if recipe.distortion is not None:
                return recipe.distortion.apply(rgb, recipe.height, recipe.width, digest_of(content))
            size = (recipe.width, recipe.height)
            return np.asarray(rgb.resize(size, Image.Resampling.BILINEAR))
    except (BadPhoto, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BadPhoto("not a JPEG, PNG, WebP, BMP, GIF or TIFF picture") from None
    except Image.DecompressionBombError:
        raise BadPhoto("more than 178 million pixels: scale it down") from None
    except Exception as error:  # Pillow's plugins raise many kinds on broken content
        raise BadPhoto(f"broken: {one_line(error)}") from error


@contextmanager
def pillow_warnings_ignored() -> Iterator[None]:
    """Pillow warns of odd metadata and of large pictures; both are usable.

    To be entered around the threads that decode, for Python's warning filters are not theirs.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:  # odd metadata
        return 1
    return found if isinstance(found, int) else 1


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture in 8-bit RGB by the rules of `Recipe`.

    Raises BadPhoto for pixels of float or of more than 16 bits.
    """
    if image.mode == "F":
        raise BadPhoto("floating-point pixels have no known range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise BadPhoto("32-bit pixels have no known range: save it with 8 or 16 bits")
        image = Image.fromarray((values >> 8).astype(np.uint8))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        page = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(page, rgba)
    return image if image.mode == "RGB" else image.convert("RGB")
