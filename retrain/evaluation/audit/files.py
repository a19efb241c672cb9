"""Looking at the files themselves: too small, too large, blank, named for another format."""

from collections.abc import Mapping
from pathlib import Path, PurePath

from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto, gone
from retrain.data.file_kinds import suffix_fits
from retrain.data.looks import Look, keep_looks, kept_looks, look_at
from retrain.data.photo_file import content_of
from retrain.utils.logs import warn_once
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

LEAST_SIDE = 32
MOST_ENLARGED = 4  # times that a photo may be enlarged to fill the network's input
MOST_PIXELS = 50_000_000
BLANK_SPREAD = 3.0  # standard deviation of the livelier colour channel, of 255


def looks_at(paths: Mapping[bytes, str], features: Path) -> dict[bytes, Look]:
    """Return a look at each photo, by digest: kept ones, and new ones, which are kept.

    Args:
        paths: Files by digest.
        features: The folder of features, where looks are kept.

    Raises:
        RetrainError: A photo without a kept look can no longer be read.
    """
    looks = kept_looks(features, warn_once, paths)
    rest = [key for key in paths if key not in looks]
    if not rest:
        return looks

    def look(key: bytes) -> Look | BadPhoto | OSError:
        try:
            with content_of(paths[key], key) as content:
                return look_at(content)
        except (BadPhoto, OSError) as fault:
            return fault

    new: dict[bytes, Look] = {}
    with progress("Looking at", len(rest), "photos") as meter, pillow_warnings_ignored():
        for key, found in map_ahead(look, rest):
            if not isinstance(found, Look):
                raise gone(paths[key], found)
            new[key] = found
            meter.advance()
    keep_looks(features, new, warn_once)
    return looks | new


def too_small(_: str, look: Look, recipe: Recipe) -> str:
    """Say how much a photo is enlarged for the network; empty if that does no harm."""
    least = max(LEAST_SIDE, min(recipe.height, recipe.width) // MOST_ENLARGED)
    if min(look.width, look.height) >= least:
        return ""
    return f"{_size(look)}, enlarged to {recipe.width}x{recipe.height}"


def too_large(_: str, look: Look, recipe: Recipe) -> str:
    """Say how much a photo is reduced for the network; empty if that takes little time."""
    if look.width * look.height <= MOST_PIXELS:
        return ""
    return f"{_size(look)}, reduced to {recipe.width}x{recipe.height}"


def one_colour(_: str, look: Look, __: Recipe) -> str:
    """Say how little a photo's colours differ; empty if there is something to be seen."""
    if look.spread >= BLANK_SPREAD:
        return ""
    return f"one colour (standard deviation {look.spread:.1f} of 255)"


def misnamed(path: str, look: Look, _: Recipe) -> str:
    """Say which format a file has that is named for another; empty if its suffix fits."""
    if suffix_fits(path, look.format):
        return ""
    suffix = PurePath(path).suffix
    return f"a {look.format} file " + (f"named {suffix}" if suffix else "named without a suffix")


def _size(look: Look) -> str:
    return f"{look.width}x{look.height} pixels"
