"""Photos made so small that a page can carry thousands."""

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from PIL import Image

from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.decoding.upright import read_upright
from retrain.inference.explain.overlay import overlay
from retrain.utils.prefetch import map_ahead

Item = TypeVar("Item")


def read_thumbnails(paths: Iterable[str], side: int, quality: int) -> Iterator[str | None]:
    """Yield the photos, in order, as data URIs of JPEGs; None for one that cannot be read.

    The photo is turned upright, fits into side x side pixels and keeps its proportions.
    `quality`: of JPEG, 1 to 95.
    """
    return _read_all(lambda path: _encoded(_small(path, side), quality), paths)


def read_overlays(
    photos: Iterable[tuple[str, np.ndarray]], side: int, quality: int
) -> Iterator[str | None]:
    """Yield thumbnails as `read_thumbnails`, each photo under the colours of its map (h, w)."""
    return _read_all(
        lambda photo: _encoded(overlay(_small(photo[0], side), photo[1]), quality), photos
    )


def _read_all(read: Callable[[Item], str], items: Iterable[Item]) -> Iterator[str | None]:
    def attempt(item: Item) -> str | None:
        try:
            return read(item)
        except Exception:  # gone or broken meanwhile; Pillow's plugins raise many kinds
            return None

    with pillow_warnings_ignored():
        for _, thumbnail in map_ahead(attempt, items):
            yield thumbnail


def _small(path: str, side: int) -> Image.Image:
    upright = read_upright(path, side)
    upright.thumbnail((side, side))
    upright.info.clear()  # no colour profile, no comment
    return upright


def _encoded(image: Image.Image, quality: int) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
