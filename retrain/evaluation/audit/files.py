"""Looking at the files themselves: too small, too large, blank, named for another format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from PIL import Image

from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.open import opened
from retrain.data.file_kinds import suffix_fits
from retrain.data.read import content_of
from retrain.errors import RetrainError, one_line
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

LOOK = Recipe(64, 64)
THUMBNAIL = 16  # pixels a side
LEAST_SIDE = 32
MOST_ENLARGED = 4  # times that a photo may be enlarged to fill the network's input
MOST_PIXELS = 50_000_000
BLANK_SPREAD = 3.0  # standard deviation of the livelier colour channel, of 255


@dataclass(frozen=True)
class Look:
    """What a look at one photo shows.

    Attributes:
        format: Of the content, by Pillow's name.
        width: In pixels, as stored.
        height: In pixels, as stored.
        spread: The largest standard deviation of a colour channel, in [0, 127.5].
        thumbnail: (THUMBNAIL, THUMBNAIL) uint8, grey.
    """

    format: str
    width: int
    height: int
    spread: float
    thumbnail: np.ndarray


def read_looks(paths: Sequence[str]) -> list[Look]:
    """Look at each photo, and return the looks in the order of `paths`.

    Raises RetrainError if a photo can no longer be read.
    """
    looks = []
    with progress("Looking at", len(paths), "photos") as meter, pillow_warnings_ignored():
        for path, look in map_ahead(_read_look, paths):
            if isinstance(look, Exception):
                raise RetrainError(
                    f"{path} could be read before and cannot now ({one_line(look)}): run again"
                )
            looks.append(look)
            meter.advance()
    return looks


def complaints(path: str, look: Look, recipe: Recipe) -> list[tuple[str, str]]:
    """List (kind, detail) of all that is odd about a file; `recipe` knows the network's input."""
    found = []
    shortest = min(look.width, look.height)
    size = f"{look.width}x{look.height} pixels"
    if shortest < max(LEAST_SIDE, min(recipe.height, recipe.width) // MOST_ENLARGED):
        found.append(("tiny", f"{size}, enlarged to {recipe.width}x{recipe.height}"))
    if look.width * look.height > MOST_PIXELS:
        found.append(("oversized", f"{size}, reduced to {recipe.width}x{recipe.height}"))
    if look.spread < BLANK_SPREAD:
        found.append(("blank", f"one colour (standard deviation {look.spread:.1f} of 255)"))
    suffix = PurePath(path).suffix
    if not suffix_fits(path, look.format):
        named = f"named {suffix}" if suffix else "named without a suffix"
        found.append(("mis_suffixed", f"a {look.format} file {named}"))
    return found


def _read_look(path: str) -> Look | BadPhoto | OSError:
    try:
        enough = Recipe.REDUCE * LOOK.width, Recipe.REDUCE * LOOK.height
        with content_of(path) as content, opened(content, *enough) as picture:
            small = picture.resize((LOOK.width, LOOK.height), Image.Resampling.BILINEAR)
            kind, (width, height) = picture.format, picture.stored
    except (BadPhoto, OSError) as error:
        return error
    pixels = np.asarray(small, np.float32)
    cell = LOOK.height // THUMBNAIL
    grey = pixels.mean(axis=2).reshape(THUMBNAIL, cell, THUMBNAIL, cell).mean(axis=(1, 3))
    spread = float(pixels.std(axis=(0, 1)).max())
    return Look(kind, width, height, spread, grey.round().astype(np.uint8))
