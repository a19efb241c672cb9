"""A photo as people look at it: upright, its proportions kept."""

from PIL import Image

from retrain.data.decoding.decode import Recipe
from retrain.data.decoding.open import opened
from retrain.data.decoding.picture import WHOLE
from retrain.data.read import content_of


def read_upright(path: str, side: int) -> Image.Image:
    """The photo in RGB. A large one comes reduced, though large enough to be scaled down to
    `side` pixels.

    Raises BadPhoto and OSError.
    """
    enough = Recipe.REDUCE * side
    with content_of(path) as content, opened(content, enough, enough) as picture:
        width, height = picture.size
        if width * height <= WHOLE:
            return picture.rgb()
        scale = min(1, enough / min(width, height))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        return picture.resize(size, Image.Resampling.BILINEAR)
