"""Small pictures of photos, upright, in their proportions; all of one photo from one opening."""

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image, ImageOps

from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.decoding.upright import upright
from retrain.data.photo_file import content_of
from retrain.utils.prefetch import map_ahead

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class OpenPhoto:
    """A photo's bytes, of which any number of small pictures can be made."""

    content: bytes

    def inside(self, side: int) -> Image.Image:
        """Return the photo in RGB, its longer side at most `side` pixels."""
        rgb = upright(self.content, side)
        rgb.thumbnail((side, side))
        return rgb

    def square(self, side: int) -> Image.Image:
        """Return the middle of the photo in RGB, side x side pixels."""
        return ImageOps.fit(upright(self.content, side), (side, side))


def draw_photos(
    paths: Iterable[str], draw: Callable[[str, OpenPhoto], Drawn]
) -> Iterator[Drawn | None]:
    """Yield what `draw` makes of each photo, in order; None for one that cannot be read any more.

    Threads draw a few photos ahead.
    """

    def draw_photo(path: str) -> Drawn | None:
        try:
            with content_of(path) as content:
                return draw(path, OpenPhoto(content))
        except Exception:  # gone or broken meanwhile; Pillow's plugins raise many kinds
            return None

    with pillow_warnings_ignored():
        for _, drawn in map_ahead(draw_photo, paths):
            yield drawn


def data_uri(image: Image.Image, quality: int) -> str:
    """Return a picture as the data URI of a JPEG of this quality, 1 to 95."""
    image.info.clear()  # no colour profile, no comment
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
