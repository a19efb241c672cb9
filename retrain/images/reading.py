"""Photos from their files to pixels, ahead of whoever uses them."""

from collections.abc import Iterable, Iterator
from os import PathLike

import numpy as np

from retrain.errors import one_line
from retrain.files import open_regular
from retrain.images.ahead import map_ahead
from retrain.images.decode import BadPhoto, Recipe, decode, pillow_warnings_ignored


def read_photo(path: str | PathLike[str], recipe: Recipe) -> np.ndarray | str:
    """Its pixels (H, W, 3) uint8, or why there are none."""
    try:
        with open_regular(path) as file:
            return decode(file.read(), recipe)
    except BadPhoto as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or one_line(error)}"


def read_photos_ahead(
    paths: Iterable[str | PathLike[str]], recipe: Recipe
) -> Iterator[tuple[int, np.ndarray | str]]:
    """The position of each photo, in order, with what `read_photo` says of it.

    Decoded in threads, a few photos ahead.
    """

    def read(path: str | PathLike[str]) -> np.ndarray | str:
        return read_photo(path, recipe)

    with pillow_warnings_ignored():
        for position, (_, found) in enumerate(map_ahead(read, paths)):
            yield position, found
