"""Looking at the files themselves: too small, too large, blank, named for another format."""

from pathlib import PurePath

from retrain.data.decoding.decode import Recipe
from retrain.data.file_kinds import suffix_fits
from retrain.data.looks import Look

LEAST_SIDE = 32
MOST_ENLARGED = 4  # times that a photo may be enlarged to fill the network's input
MOST_PIXELS = 50_000_000
BLANK_SPREAD = 3.0  # standard deviation of the livelier colour channel, of 255


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
