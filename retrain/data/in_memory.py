"""Photos that are in memory: the bytes of a file, a Pillow picture, an array of pixels."""

import numpy as np
from PIL import Image

from retrain.data.decoding.decode import Recipe, decode, pixels_of
from retrain.data.decoding.faults import BadPhoto, reason_of
from retrain.data.decoding.formats import orientation_of
from retrain.data.decoding.picture import Picture
from retrain.errors import UsageFault, one_line

InMemory = bytes | Image.Image | np.ndarray


def unreadable(photo: InMemory, name: str) -> str | None:
    """Return why a photo that is called `name` cannot be read, or None.

    A Pillow picture that is still in its file is read, which it allows to one thread only. Raises
    UsageFault for an array that is not (H, W, 3) uint8.
    """
    if isinstance(photo, Image.Image):
        try:
            photo.load()
        except Exception as error:  # Pillow's plugins raise many kinds on broken content
            return f"broken: {one_line(error)}"
    if isinstance(photo, np.ndarray) and (
        photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or not photo.size
    ):
        raise UsageFault(
            f"{name}: an array of {photo.dtype} {photo.shape}: give uint8 (height, width, 3), red, "
            "green and blue from 0 to 255"
        )
    return None


def read_in_memory(photo: InMemory, recipe: Recipe) -> np.ndarray | str:
    """Return its pixels (H, W, 3) uint8, or why there are none.

    Bytes give what a file of them would. A Pillow picture is turned upright by its EXIF data and
    put on white, as a file is; but a large JPEG comes as it is, where a file's is reduced while it
    is decoded, which may move a score a little.
    """
    try:
        if isinstance(photo, bytes):
            return decode(photo, recipe)
        image = Image.fromarray(photo) if isinstance(photo, np.ndarray) else photo
        return _pixels(image, recipe)
    except (BadPhoto, OSError) as fault:
        return reason_of(fault)


def _pixels(image: Image.Image, recipe: Recipe) -> np.ndarray:
    try:
        picture = Picture(image, image.format or "", image.size, orientation=orientation_of(image))
        return pixels_of(picture, recipe, b"")
    except BadPhoto:
        raise
    except Exception as error:  # Pillow's plugins raise many kinds on broken content
        raise BadPhoto(f"broken: {one_line(error)}") from error
