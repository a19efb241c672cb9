"""Decoded photos on their way to RGB: turned upright, transparent parts on white, shrunk.

Large photos are worked on in bands, because copies of them would fill the memory.
"""

import numpy as np
from PIL import Image

from retrain.data.decoding.faults import BadPhoto

BAND = 2_000_000  # pixels of a large photo that are worked on at a time
WHOLE = 8_000_000  # pixels up to which a photo is worked on as one
NARROW = 1 << 14  # of 65,536: a 16-bit photo whose values span less looks almost uniform

Box = tuple[int, int, int, int]

# The turn that makes a photo upright, by EXIF's number.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


# Bytes that Pillow holds for a pixel of these modes; 4 for one of any other.
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
WORK = 12  # bytes for a pixel that is turned and put on white


def bytes_needed(image: Image.Image, pixels: int, orientation: int = 1) -> int:
    """Return the bytes for so many pixels in an image's mode, and for `Picture`'s work on them."""
    needed = BYTES.get(image.mode, 4) * pixels
    if _is_plain(image, orientation):
        return needed
    return needed + WORK * min(pixels, WHOLE) + (pixels if pixels > WHOLE else 0)


def reduction_of(size: tuple[int, int], shown: tuple[int, int]) -> int:
    """Return how many times Pillow's `draft` reduces a JPEG of this width and height: 1, 2, 4 or 8.

    `shown`: the width and height that it is to stay as large as.
    """
    least = min(size[0] // shown[0], size[1] // shown[1])
    return next(times for times in (8, 4, 2, 1) if times <= max(least, 1))


def _is_plain(image: Image.Image, orientation: int) -> bool:
    return image.mode == "RGB" and orientation == 1 and "transparency" not in image.info


class Picture:
    """A photo as it was decoded.

    Attributes:
        image: Pillow's image.
        format: The file's format, by Pillow's name.
        stored: Width and height in the file, before it was reduced or turned.
        orientation: EXIF's number, 1 to 8.
        deep: Its samples had 16 bits, of which `image` may have the high 8.
        span: The least and the largest 16-bit sample that were seen so far.
        reduction: How many times it was reduced while decoding; None if it cannot be reduced.
    """

    def __init__(
        self,
        image: Image.Image,
        file_format: str,
        stored: tuple[int, int],
        *,
        orientation: int = 1,
        deep: bool = False,
        span: tuple[int, int] = (0xFFFF, 0),
        reduction: int | None = None,
    ) -> None:
        """Take a decoded image; raise BadPhoto if its values have no known range."""
        self.image, self.format, self.stored = image, file_format, stored
        self.orientation, self.deep, self.span = orientation, deep, span
        self.reduction = reduction
        if image.mode == "I":
            least, most = image.getextrema()
            if int(least) < 0 or int(most) > 0xFFFF:  # type: ignore[arg-type]
                raise BadPhoto("32-bit pixels have no known range: save it with 8 or 16 bits")
        if image.mode == "F":
            raise BadPhoto("floating-point pixels have no known range: save it with 8 or 16 bits")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright photo."""
        width, height = self.image.size
        return (height, width) if self.orientation >= 5 else (width, height)

    def serves(self, wide: int, high: int) -> bool:
        """Return whether `opened`, asked for wide x high pixels, gives this very picture."""
        shown = (high, wide) if self.orientation >= 5 else (wide, high)
        return self.reduction is None or self.reduction == reduction_of(self.stored, shown)

    @property
    def narrow(self) -> bool:
        """Whether it has 16-bit samples, and they fill less than a quarter of their range."""
        return 0 <= self.span[1] - self.span[0] < NARROW

    def close(self) -> None:
        """Give the memory back at once."""
        self.image.close()

    def rgb(self) -> Image.Image:
        """Return the whole photo, upright, in 8-bit RGB by the rules of `decode.Recipe`."""
        shown = self._rgb(self._turned(self.image))
        return shown.copy() if shown is self.image else shown

    def resize(self, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
        """Return the upright photo in RGB in another (width, height).

        For a large one that is not yet RGB and upright, the channels are made and shrunk one after
        the other, so that there is never a second whole photo; the result is the same.
        """
        width, height = self.size
        if _is_plain(self.image, self.orientation) or width * height <= WHOLE:
            return self._rgb(self._turned(self.image)).resize(size, resample)
        clear = "transparency" not in self.image.info
        grey = self.image.mode in ("1", "L") or self.image.mode.startswith("I")
        channels = [
            self._channel(number).resize(size, resample)
            for number in range(1 if grey and clear else 3)
        ]
        return Image.merge("RGB", channels if len(channels) == 3 else 3 * channels)

    def _channel(self, number: int) -> Image.Image:
        """Return red, green or blue of the upright photo, in mode L."""
        width, height = self.size
        channel = Image.new("L", (width, height))
        rows = max(1, BAND // width)
        for top in range(0, height, rows):
            box = self._stored_box(top, min(top + rows, height))
            band = self._rgb(self._turned(self.image.crop(box)))
            channel.paste(band.getchannel(number), (0, top))
        return channel

    def _stored_box(self, top: int, below: int) -> Box:
        """Return where the upright rows from `top` to `below` lie in the stored photo."""
        width, height = self.image.size
        if self.orientation in (3, 4):
            return 0, height - below, width, height - top
        if self.orientation in (5, 6):
            return top, 0, below, height
        if self.orientation in (7, 8):
            return width - below, 0, width - top, height
        return 0, top, width, below

    def _turned(self, image: Image.Image) -> Image.Image:
        turn = TURNS.get(self.orientation)
        return image if turn is None else image.transpose(turn)

    def _rgb(self, image: Image.Image) -> Image.Image:
        if image.mode.startswith("I"):
            values = np.asarray(image)
            self._seen(int(values.min()), int(values.max()))
            image = Image.fromarray((values >> 8).astype(np.uint8))
        elif self.deep and self.image.mode in ("L", "LA", "RGB", "RGBA"):
            colours = image.getbands()[: 1 if image.mode in ("L", "LA") else 3]
            for band in colours:
                least, most = image.getchannel(band).getextrema()
                self._seen(256 * int(least), 256 * int(most) + 255)  # type: ignore[arg-type]
        if image.has_transparency_data:
            rgba = image if image.mode == "RGBA" else image.convert("RGBA")
            page = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
            image = Image.alpha_composite(page, rgba)
            del rgba, page  # each is as large as the photo
        return image if image.mode == "RGB" else image.convert("RGB")

    def _seen(self, least: int, most: int) -> None:
        self.span = min(self.span[0], least), max(self.span[1], most)
