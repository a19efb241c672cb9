"""Photos from their files to pixels, ahead of whoever uses them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from os import PathLike

import numpy as np

from retrain.data.decoding import memory
from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.foreign_formats import HEAD
from retrain.data.decoding.open import format_of, no_photo
from retrain.data.decoding.png import has_odd_key, may_have_odd_key
from retrain.data.decoding.tiff import photo_page
from retrain.errors import one_line
from retrain.utils.files import open_regular
from retrain.utils.prefetch import map_ahead

SMALL = 4_000_000  # bytes of a file whose reading waits for no other


@contextmanager
def content_of(path: str | PathLike[str]) -> Iterator[bytes]:
    """The bytes of a photo's file; large ones are held by a few threads at a time.

    Raises BadPhoto for a file that is known by its first bytes to be none, or is too large to be
    one, and OSError.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > SMALL:
            head = file.read(HEAD)
            if format_of(head) is None:
                raise BadPhoto(no_photo(head))
            if size > memory.ONE:
                raise BadPhoto(f"a file of {size / 1e9:.1f} GB is too large for a photo")
            file.seek(0)
        with memory.FILES.taken(size) if size > SMALL else nullcontext():
            yield file.read()


def read_otherwise_before(path: str | PathLike[str]) -> bool | None:
    """Whether decoder 1, of the versions before, may have read other pixels from this photo; None
    if that cannot be seen now.

    It took every TIFF for one of Pillow's layouts and its first page for the photo, and a
    transparent colour in a PNG for one of 8 bits.
    """
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
        found = format_of(head)
        if found == "TIFF":
            with content_of(path) as content, pillow_warnings_ignored():
                page, is_first = photo_page(content)
                return not (is_first and page.layout.read_by_pillow)
        if found == "PNG" and may_have_odd_key(head):
            with content_of(path) as content:
                return has_odd_key(content)
    except OSError:
        return None
    except Exception:  # broken: there can be no feature of it
        return True
    return False


def read_photo(path: str | PathLike[str], recipe: Recipe) -> np.ndarray | str:
    """Its pixels (H, W, 3) uint8, or why there are none."""
    try:
        with content_of(path) as content:
            return decode(content, recipe)
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
