"""Opening photos by their content, and the words for what is no photo."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from retrain.data.decoding.faults import BadPhoto, TooLittleMemory
from retrain.data.decoding.foreign_formats import HEAD, foreign_kind
from retrain.data.decoding.formats import FORMATS, format_of
from retrain.data.decoding.picture import Picture
from retrain.errors import one_line


def no_photo(head: bytes) -> str:
    """Say in words why a file that begins with these bytes is no photo for us."""
    *most, last = (entry.label or entry.name for entry in FORMATS.values())
    text = f"not a {', '.join(most)} or {last} picture"
    kind = foreign_kind(head)
    return text if kind is None else f"{text}, but {kind}"


@contextmanager
def opened(content: bytes, wide: int, high: int) -> Iterator[Picture]:
    """Decode a photo and yield it within a `with` block.

    A JPEG is reduced while decoding as long as, upright, it stays as large as wide x high pixels.
    The memory it takes is asked for here, and counts as free after the block. Raises BadPhoto,
    also for what goes wrong in the block, and TooLittleMemory.
    """
    if not content:
        raise BadPhoto("the file is empty")
    found = format_of(content[:HEAD])
    if found is None:
        raise BadPhoto(no_photo(content[:HEAD]))
    try:
        with FORMATS[found].opener(content, FORMATS[found], (wide, high)) as picture:
            yield picture
    except (BadPhoto, TooLittleMemory):
        raise
    except Image.DecompressionBombError:  # Pillow checks TIFF and WebP itself
        raise BadPhoto("more than 178 megapixels: scale it down") from None
    except Exception as error:  # Pillow's plugins raise many kinds on broken content
        raise BadPhoto(f"broken: {one_line(error)}") from error
