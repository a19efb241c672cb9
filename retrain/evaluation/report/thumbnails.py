"""Photos made so small that a page can carry thousands."""

import base64
import io
from collections.abc import Iterable, Iterator
from functools import partial

from PIL import Image, ImageOps

from retrain.images.ahead import map_ahead
from retrain.images.decode import FORMATS, Recipe, pillow_warnings_ignored, to_rgb


def read_thumbnails(paths: Iterable[str], side: int, quality: int) -> Iterator[str | None]:
    """The photos, in order, as data URIs of JPEGs; None for one that cannot be read.

    The photo is turned upright, fits into side x side pixels and keeps its proportions.
    `quality`: of JPEG, 1 to 95.
    """
    with pillow_warnings_ignored():
        work = partial(_read_thumbnail, side=side, quality=quality)
        for _, thumbnail in map_ahead(work, paths):
            yield thumbnail


def _read_thumbnail(path: str, side: int, quality: int) -> str | None:
    file = io.BytesIO()
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.draft(None, (Recipe.REDUCE * side, Recipe.REDUCE * side))
            upright = to_rgb(ImageOps.exif_transpose(image))
    except Exception:  # gone or broken meanwhile; Pillow's plugins raise many kinds
        return None
    upright.thumbnail((side, side))
    upright.info.clear()  # no colour profile, no comment
    upright.save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
