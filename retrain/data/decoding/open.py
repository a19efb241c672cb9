"""Opening photos: which files can be photos, and one reader for each image format."""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from retrain.data.decoding import memory
from retrain.data.decoding.faults import BadPhoto, TooLittleMemory
from retrain.data.decoding.foreign_formats import HEAD, JPEG_LS, foreign_kind
from retrain.data.decoding.jpeg import check_scans, read_frame
from retrain.data.decoding.picture import Picture, bytes_needed
from retrain.data.decoding.png import depth, has_odd_key, load_keyed, without_texts
from retrain.data.decoding.tiff import at_page, photo_page
from retrain.data.decoding.tiff_samples import bytes_of_samples, read_samples
from retrain.errors import one_line

# Pillow's readers, each with the first bytes that are its own. Phones' MPO is read as JPEG.
READERS: dict[str, tuple[type[ImageFile.ImageFile], tuple[bytes, ...]]] = {
    "JPEG": (JpegImagePlugin.JpegImageFile, (b"\xff\xd8\xff",)),
    "PNG": (PngImagePlugin.PngImageFile, (b"\x89PNG\r\n\x1a\n",)),
    "WEBP": (WebPImagePlugin.WebPImageFile, (b"RIFF",)),
    "BMP": (BmpImagePlugin.BmpImageFile, (b"BM",)),
    "GIF": (GifImagePlugin.GifImageFile, (b"GIF87a", b"GIF89a")),
    "TIFF": (TiffImagePlugin.TiffImageFile, tuple(TiffImagePlugin.PREFIXES)),
}
FORMATS = tuple(READERS)
NO_PHOTO = "not a JPEG, PNG, WebP, BMP, GIF or TIFF picture"

# Bytes that these readers hold for a pixel, besides the picture, while they decode it.
DECODERS = {"WEBP": 14, "GIF": 4}
ORIENTATION = 0x0112
PILLOWS_OWN = 89_478_485  # its default limit of pixels, which it doubles
BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes
Size = tuple[int, int]  # width, height


def format_of(head: bytes) -> str | None:
    """Return Pillow's name for the format, one of FORMATS, with these first bytes; or None."""
    if head.startswith(JPEG_LS):
        return None
    if head[:4] == b"RIFF" and head[8:12] != b"WEBP":
        return None
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") not in BITMAP_HEADERS:
        return None  # a text may begin so
    for name, (_, beginnings) in READERS.items():
        if head.startswith(beginnings):
            return name
    return None


def no_photo(head: bytes) -> str:
    """Say in words why a file that begins with these bytes is no photo for us."""
    kind = foreign_kind(head)
    return NO_PHOTO if kind is None else f"{NO_PHOTO}, but {kind}"


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
        with OPENERS.get(found, _plain)(content, found, (wide, high)) as picture:
            yield picture
    except (BadPhoto, TooLittleMemory):
        raise
    except Image.DecompressionBombError:  # Pillow checks TIFF and WebP itself
        raise BadPhoto("more than 178 megapixels: scale it down") from None
    except Exception as error:  # Pillow's plugins raise many kinds on broken content
        raise BadPhoto(f"broken: {one_line(error)}") from error


@contextmanager
def _plain(content: bytes, found: str, shown: Size) -> Iterator[Picture]:
    with READERS[found][0](io.BytesIO(content)) as image:
        size = image.size
        needed = bytes_needed(image, math.prod(size), _orientation(image))
        with _room(content, size, needed + DECODERS.get(found, 0) * math.prod(size)):
            image.load()
            yield from _closing(Picture(image, found, size, orientation=_orientation(image)))


@contextmanager
def _jpeg(content: bytes, found: str, shown: Size) -> Iterator[Picture]:
    frame = read_frame(content)
    if frame is not None and frame.bits != 8:
        raise BadPhoto(f"a JPEG of {frame.bits} bits a sample is not read: save it with 8")
    with JpegImagePlugin.JpegImageFile(io.BytesIO(content)) as image:
        size, orientation = image.size, _orientation(image)
        image.draft(None, shown[::-1] if orientation >= 5 else shown)
        needed = bytes_needed(image, math.prod(image.size), orientation)
        if frame is not None:
            check_scans(content, frame)
            needed += int(2 * frame.values * math.prod(size)) if frame.buffered else 0
        with _room(content, size, needed):
            image.load()
            reduction = image.decoderconfig[0] if image.decoderconfig else None
            yield from _closing(
                Picture(image, found, size, orientation=orientation, reduction=reduction)
            )


@contextmanager
def _png(content: bytes, found: str, shown: Size) -> Iterator[Picture]:
    content = without_texts(content)
    with PngImagePlugin.PngImageFile(io.BytesIO(content)) as image:
        size, odd = image.size, 12 if has_odd_key(content) else 0
        with _room(content, size, bytes_needed(image, math.prod(size)) + odd * math.prod(size)):
            loaded = load_keyed(image, content)
            deep = depth(content)[0] == 16
            yield from _closing(
                Picture(loaded, found, size, orientation=_orientation(image), deep=deep)
            )


@contextmanager
def _tiff(content: bytes, found: str, shown: Size) -> Iterator[Picture]:
    page, is_first = photo_page(content)
    content, layout = content if is_first else at_page(content, page), page.layout
    size = layout.width, layout.height
    if not layout.read_by_pillow:
        with _room(content, size, bytes_of_samples(layout)):
            image, least, most = read_samples(content, layout)
            span = (least, most) if layout.bits[0] == 16 else (0xFFFF, 0)
            yield from _closing(
                Picture(image, found, size, orientation=page.orientation, span=span)
            )
        return
    try:
        reader = TiffImagePlugin.TiffImageFile(io.BytesIO(content))
    except (SyntaxError, KeyError) as error:  # of layout, of compression
        raise BadPhoto(
            layout.unreadable() or f"a TIFF that is not read: {one_line(error)}"
        ) from error
    with reader as image:
        strip = layout.width * min(layout.block[1], layout.height) * len(layout.bits)
        needed = bytes_needed(image, math.prod(size), page.orientation)
        with _room(content, size, needed + strip * max(8, layout.bits[0]) // 8):
            image.load()  # turns it upright
            deep = layout.bits[0] == 16
            yield from _closing(
                Picture(image, found, size, orientation=_orientation(image), deep=deep)
            )


def _closing(picture: Picture) -> Iterator[Picture]:
    """Yield a picture, and give its memory back before it counts as free."""
    try:
        yield picture
    finally:
        picture.close()


OPENERS: dict[str, Callable[[bytes, str, Size], AbstractContextManager[Picture]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
}


@contextmanager
def _room(content: bytes, size: tuple[int, int], needed: int) -> Iterator[None]:
    """Hold memory for a file and its picture; raise BadPhoto if that is too much for one photo."""
    width, height = size
    needed += len(content)
    megapixels = f"{width * height / 1e6:,.0f} megapixels ({width} x {height})"
    lowered = Image.MAX_IMAGE_PIXELS
    if lowered is not None and lowered < PILLOWS_OWN and width * height > 2 * lowered:
        raise BadPhoto(f"{megapixels} are more than this program allows: scale it down")
    if needed > memory.ONE:
        raise BadPhoto(
            f"{megapixels} need "
            f"{needed / 1e9:.1f} GB of memory, and a photo gets {memory.ONE / 1e9:.1f}: "
            "scale it down"
        )
    with memory.decoding(needed):
        yield


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # odd metadata
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
