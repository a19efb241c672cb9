"""Photos as people look at them: upright, with their proportions."""

from PIL import Image

from retrain.data.decoding.decode import Recipe
from retrain.data.decoding.open import opened
from retrain.data.decoding.picture import WHOLE
from retrain.data.photo_file import content_of


def read_upright(path: str, side: int) -> Image.Image:
    """Read a photo upright in RGB; raise BadPhoto or OSError. See `upright`."""
    with content_of(path) as content:
        return upright(content, side)


def upright(content: bytes, side: int) -> Image.Image:
    """Decode a photo's bytes upright, in RGB; raise BadPhoto or TooLittleMemory.

    A large one comes reduced, though large enough to be scaled down to `side` pixels.
    """
    enough = Recipe.REDUCE * side
    with opened(content, enough, enough) as picture:
        width, height = picture.size
        if width * height <= WHOLE:
            return picture.rgb()
        scale = min(1, enough / min(width, height))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        return picture.resize(size, Image.Resampling.BILINEAR)
