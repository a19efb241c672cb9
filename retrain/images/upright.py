"""A photo as people look at it: upright, its proportions kept."""

from contextlib import suppress

from PIL import Image, ImageOps

from retrain.images.decode import FORMATS, Recipe, to_rgb


def read_upright(path: str, side: int) -> Image.Image:
    """The photo in RGB. A JPEG is reduced while decoding, though left large enough to be scaled
    down to `side` pixels.

    Raises whatever Pillow does: its plugins raise many kinds on broken content.
    """
    with Image.open(path, formats=FORMATS) as image:
        image.draft(None, (Recipe.REDUCE * side, Recipe.REDUCE * side))
        image.load()
        with suppress(Exception):  # odd metadata
            ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image)
