"""Photos from their files to pixels and looks, each opened once, ahead of whoever uses them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike

import numpy as np

from retrain.data.decoding.decode import (
    Recipe,
    decode,
    pillow_warnings_ignored,
    pixels_of,
    size_for,
)
from retrain.data.decoding.faults import BadPhoto, Changed, TooLittleMemory, gone, reason_of
from retrain.data.decoding.open import opened
from retrain.data.looks import LOOK, Look, look_at, look_of
from retrain.data.photo_file import content_of, open_photo
from retrain.utils.prefetch import map_ahead


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a photo besides its digest: its pixels by a recipe, a look at it."""

    recipe: Recipe | None = None
    look: bool = False


@dataclass(frozen=True)
class Reading:
    """What one opening of a photo's file gave.

    Attributes:
        digest: Of its bytes; None if they could not be read, or are not those of the photo meant.
        pixels: (H, W, 3) uint8, where they were wanted.
        look: Where it was wanted and could be had.
        narrow: Whether it has 16 bits and its values fill only a small part of their range.
        fault: Why there is no digest, or there are no pixels though they were wanted.
    """

    digest: bytes | None = None
    pixels: np.ndarray | None = None
    look: Look | None = None
    narrow: bool = False
    fault: BadPhoto | OSError | None = None


def read_once(
    path: str | PathLike[str],
    digest: bytes | None,
    wanted: Callable[[bytes, bytes | BadPhoto], Wanted],
) -> Reading:
    """Open a photo's file once and return its digest and what else is wanted of it.

    Args:
        path: The file.
        digest: Of the photo that is meant, or None if it is not known yet.
        wanted: Says what is wanted of the photo with this digest and these bytes.
    """
    try:
        with open_photo(path) as photo:
            found = photo.digest()
            if digest not in (None, found):
                return Reading(fault=Changed())
            return _reading(found, photo.content, wanted(found, photo.content))
    except OSError as fault:
        return Reading(fault=fault)


def _reading(digest: bytes, content: bytes | BadPhoto, wanted: Wanted) -> Reading:
    """Decode the bytes, and return what is wanted of them.

    They are decoded twice where a look needs a JPEG reduced more than the pixels do: so it is the
    same look, to the bit, whatever the size of the network's input.
    """
    if isinstance(content, BadPhoto):
        return Reading(digest, fault=content if wanted.recipe is not None else None)
    pixels = look = None
    narrow = False
    if wanted.recipe is not None:
        try:
            with opened(content, *size_for(wanted.recipe)) as picture:
                pixels = pixels_of(picture, wanted.recipe, content)
                narrow = picture.narrow
                if wanted.look and picture.serves(*size_for(LOOK)):
                    look = look_of(picture)
        except (BadPhoto, TooLittleMemory) as fault:
            return Reading(digest, fault=fault)
    if wanted.look and look is None:
        with suppress(BadPhoto, TooLittleMemory):
            look = look_at(content)
    return Reading(digest, pixels, look, narrow)


def read_photo(path: str | PathLike[str], recipe: Recipe) -> np.ndarray | str:
    """Return its pixels (H, W, 3) uint8, or why there are none."""
    try:
        with content_of(path) as content:
            return decode(content, recipe)
    except (BadPhoto, OSError) as fault:
        return reason_of(fault)


def read_photos_once(
    paths: Iterable[str | PathLike[str]], recipe: Recipe
) -> Iterator[tuple[int, Reading]]:
    """Yield the position of each photo, in order, with its digest and pixels, or a fault.

    Read and decoded in threads, a few photos ahead; each file is opened once.
    """

    def read(path: str | PathLike[str]) -> Reading:
        return read_once(path, None, lambda *_: Wanted(recipe))

    with pillow_warnings_ignored():
        for position, (_, found) in enumerate(map_ahead(read, paths)):
            yield position, found


def read_photo_again(path: str | PathLike[str], recipe: Recipe, digest: bytes) -> np.ndarray:
    """Return the pixels (H, W, 3) uint8 of a photo that was read before.

    To be called with Pillow's warnings ignored. Raises RetrainError if it is gone, or has another
    digest than it had.
    """
    try:
        with content_of(path, digest) as content:
            return decode(content, recipe)
    except (BadPhoto, OSError) as fault:
        raise gone(path, fault) from fault


def read_photos_ahead(
    paths: Iterable[str | PathLike[str]], recipe: Recipe
) -> Iterator[tuple[int, np.ndarray | str]]:
    """Yield the position of each photo, in order, with its pixels or why there are none.

    Decoded in threads, a few photos ahead; see `read_photo`.
    """

    def read(path: str | PathLike[str]) -> np.ndarray | str:
        return read_photo(path, recipe)

    with pillow_warnings_ignored():
        for position, (_, found) in enumerate(map_ahead(read, paths)):
            yield position, found
