"""Small pictures of photos, upright, in their proportions."""

from collections.abc import Callable, Iterable, Iterator

from PIL import Image, ImageOps

from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.decoding.upright import read_upright
from retrain.utils.prefetch import map_ahead


def read_inside(path: str, side: int) -> Image.Image:
    """Read a photo in RGB, its longer side at most `side` pixels."""
    rgb = read_upright(path, side)
    rgb.thumbnail((side, side))
    return rgb


def read_square(path: str, side: int) -> Image.Image:
    """Read the middle of a photo in RGB, side x side pixels."""
    return ImageOps.fit(read_upright(path, side), (side, side))


def read_all(
    read: Callable[[str, int], Image.Image], paths: Iterable[str], side: int
) -> Iterator[Image.Image | None]:
    """Yield what `read` makes of each path, in order; None for a photo that cannot be read."""

    def attempt(path: str) -> Image.Image | None:
        try:
            return read(path, side)
        except Exception:  # Pillow's plugins raise many kinds on broken content
            return None

    with pillow_warnings_ignored():
        for _, thumbnail in map_ahead(attempt, paths):
            yield thumbnail
