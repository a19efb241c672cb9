"""Small pictures of photos, upright, their aspect kept."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from PIL import Image, ImageOps

from retrain.images.ahead import map_ahead
from retrain.images.decode import FORMATS, pillow_warnings_ignored, to_rgb


def read_inside(path: str, side: int) -> Image.Image:
    """The photo in RGB, its longer side at most `side` pixels."""
    rgb = _read(path, side)
    rgb.thumbnail((side, side))
    return rgb


def read_square(path: str, side: int) -> Image.Image:
    """The middle of the photo in RGB, side x side pixels."""
    return ImageOps.fit(_read(path, side), (side, side))


def read_all(
    read: Callable[[str, int], Image.Image], paths: Iterable[str], side: int
) -> Iterator[Image.Image | None]:
    """What `read` makes of each path, in order; None for a photo that cannot be read any more."""

    def attempt(path: str) -> Image.Image | None:
        try:
            return read(path, side)
        except Exception:  # Pillow's plugins raise many kinds on broken content
            return None

    with pillow_warnings_ignored():
        for _, thumbnail in map_ahead(attempt, paths):
            yield thumbnail


def _read(path: str, side: int) -> Image.Image:
    with Image.open(path, formats=FORMATS) as image:
        # A JPEG is reduced while decoding, though left large enough to be scaled down once more.
        image.draft(None, (2 * side, 2 * side))
        image.load()
        with suppress(Exception):  # odd metadata
            ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image)
