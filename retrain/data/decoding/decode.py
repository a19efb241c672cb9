"""Recipes: how the bytes of a photo become the pixels that a network sees."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.open import opened
from retrain.data.decoding.picture import Picture
from retrain.data.digests import digest_of
from retrain.errors import RetrainError

# The decoder's version. A larger one reads some files otherwise than before;
# `photo_file.read_otherwise_before` tells which; the features of all others stay valid, and files
# that failed are tried again. 2: TIFF of odd depths and planes, its largest page; single
# transparent colours in PNG of other than 8 bits.
DECODER = 2


@dataclass(frozen=True)
class Recipe:
    """How a photo becomes the network's input.

    Its text is part of each feature's identity and is kept in exported graphs, so that labelling
    does what training did.

    - decoded by content, first frame only; EXIF orientation applied;
    - channels of more than 8 bits keep their highest 8, grey and CMYK become RGB;
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
        """The canonical form, such as `rgb8,exif,alpha=white|squash:224x224,bilinear,reduce=2`."""
        plain = f"rgb8,exif,alpha=white|squash:{self.height}x{self.width},bilinear,reduce=2"
        return plain + (self.distortion.text if self.distortion else "")

    @staticmethod
    def parse(text: str) -> "Recipe":
        """Return the undistorted recipe with this text.

        Raises RetrainError for a recipe of another version.
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
    """Decode a photo's bytes and return pixels (height, width, 3) uint8, RGB.

    Raises BadPhoto, and TooLittleMemory for a photo that could be decoded with more memory.
    """
    with opened(content, *size_for(recipe)) as picture:
        return pixels_of(picture, recipe, content)


def size_for(recipe: Recipe) -> tuple[int, int]:
    """Return the width and height that `opened` is asked for, for pixels by this recipe."""
    return Recipe.REDUCE * recipe.width, Recipe.REDUCE * recipe.height


def pixels_of(picture: Picture, recipe: Recipe, content: bytes) -> np.ndarray:
    """Return the pixels (height, width, 3) uint8 of a picture opened at `size_for` its recipe.

    `content`: the photo's bytes, which decide how it is distorted.
    """
    if recipe.distortion is not None:
        return recipe.distortion.apply(
            picture, recipe.height, recipe.width, digest=digest_of(content)
        )
    return np.asarray(picture.resize((recipe.width, recipe.height), Image.Resampling.BILINEAR))


@contextmanager
def pillow_warnings_ignored() -> Iterator[None]:
    """Ignore Pillow's warnings of odd metadata and large pictures, both of which are usable.

    Enter it around the threads that decode: Python's warning filters do not reach into them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
