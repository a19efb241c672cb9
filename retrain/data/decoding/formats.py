"""Image formats that are read: one entry each, with the opener of its files.

A new format is an entry of FORMATS. One that Pillow reads needs no opener of its own.
"""

import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

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
from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.jpeg import check_scans, read_frame
from retrain.data.decoding.picture import Picture, bytes_needed
from retrain.data.decoding.png import depth, has_odd_key, load_keyed, without_texts
from retrain.data.decoding.tiff import at_page, photo_page
from retrain.data.decoding.tiff_samples import bytes_of_samples, read_samples
from retrain.errors import one_line

ORIENTATION = 0x0112
PILLOWS_OWN = 89_478_485  # its default limit of pixels, which it doubles
Size = tuple[int, int]  # width, height


@contextmanager
def _plain(content: bytes, kind: "ImageFormat", shown: Size) -> Iterator[Picture]:
    with kind.reader(io.BytesIO(content)) as image:
        size = image.size
        needed = bytes_needed(image, math.prod(size), orientation_of(image))
        with room(content, size, needed + kind.held * math.prod(size)):
            image.load()
            yield from closing(Picture(image, kind.name, size, orientation=orientation_of(image)))


@contextmanager
def _jpeg(content: bytes, kind: "ImageFormat", shown: Size) -> Iterator[Picture]:
    frame = read_frame(content)
    if frame is not None and frame.bits != 8:
        raise BadPhoto(f"a JPEG of {frame.bits} bits a sample is not read: save it with 8")
    with JpegImagePlugin.JpegImageFile(io.BytesIO(content)) as image:
        size, orientation = image.size, orientation_of(image)
        image.draft(None, shown[::-1] if orientation >= 5 else shown)
        needed = bytes_needed(image, math.prod(image.size), orientation)
        if frame is not None:
            check_scans(content, frame)
            needed += int(2 * frame.values * math.prod(size)) if frame.buffered else 0
        with room(content, size, needed):
            image.load()
            reduction = image.decoderconfig[0] if image.decoderconfig else None
            yield from closing(
                Picture(image, kind.name, size, orientation=orientation, reduction=reduction)
            )


@contextmanager
def _png(content: bytes, kind: "ImageFormat", shown: Size) -> Iterator[Picture]:
    content = without_texts(content)
    with PngImagePlugin.PngImageFile(io.BytesIO(content)) as image:
        size, odd = image.size, 12 if has_odd_key(content) else 0
        with room(content, size, bytes_needed(image, math.prod(size)) + odd * math.prod(size)):
            loaded = load_keyed(image, content)
            deep = depth(content)[0] == 16
            yield from closing(
                Picture(loaded, kind.name, size, orientation=orientation_of(image), deep=deep)
            )


@contextmanager
def _tiff(content: bytes, kind: "ImageFormat", shown: Size) -> Iterator[Picture]:
    page, is_first = photo_page(content)
    content, layout = content if is_first else at_page(content, page), page.layout
    size = layout.width, layout.height
    if not layout.read_by_pillow:
        with room(content, size, bytes_of_samples(layout)):
            image, least, most = read_samples(content, layout)
            span = (least, most) if layout.bits[0] == 16 else (0xFFFF, 0)
            yield from closing(
                Picture(image, kind.name, size, orientation=page.orientation, span=span)
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
        with room(content, size, needed + strip * max(8, layout.bits[0]) // 8):
            image.load()  # turns it upright
            deep = layout.bits[0] == 16
            yield from closing(
                Picture(image, kind.name, size, orientation=orientation_of(image), deep=deep)
            )


def closing(picture: Picture) -> Iterator[Picture]:
    """Yield a picture, and give its memory back before it counts as free."""
    try:
        yield picture
    finally:
        picture.close()


@contextmanager
def room(content: bytes, size: tuple[int, int], needed: int) -> Iterator[None]:
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


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of a picture, 1 to 8; 1 where it has none or an odd one."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # odd metadata
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


Opener = Callable[[bytes, "ImageFormat", Size], AbstractContextManager[Picture]]


@dataclass(frozen=True)
class ImageFormat:
    """An image format that is read.

    Attributes:
        name: Pillow's name for it.
        begins: Matches the first `foreign_formats.HEAD` bytes of its files, and of no others.
        suffixes: Of its files' names, in lower case with the dot.
        reader: Pillow's class of its files.
        opener: Decodes a file's bytes within a `with` block, given this entry and the width and
            height that are asked for. Raises BadPhoto.
        held: Bytes that the reader holds for a pixel, besides the picture, while it decodes.
        decoder: A decoder of its own and that decoder's version, such as `libheif 1.19`; empty for
            formats that only Pillow and this package decode.
        label: Its name in messages, where that is not `name`.
    """

    name: str
    begins: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    reader: type[ImageFile.ImageFile]
    opener: Opener = _plain
    held: int = 0
    decoder: str = ""
    label: str = ""


def _pattern(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.DOTALL)


# By Pillow's name. Phones' MPO is read as JPEG; what begins with ff d8 ff f7 is JPEG-LS. A text may
# begin with BM: the length of a BMP's header, one of eight, tells them apart.
FORMATS: dict[str, ImageFormat] = {
    entry.name: entry
    for entry in (
        ImageFormat(
            "JPEG",
            _pattern(rb"\xff\xd8\xff(?!\xf7)"),
            (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jps"),
            JpegImagePlugin.JpegImageFile,
            _jpeg,
        ),
        ImageFormat(
            "PNG",
            _pattern(rb"\x89PNG\r\n\x1a\n"),
            (".png", ".apng"),
            PngImagePlugin.PngImageFile,
            _png,
        ),
        ImageFormat(
            "WEBP",
            _pattern(rb"RIFF.{4}WEBP"),
            (".webp",),
            WebPImagePlugin.WebPImageFile,
            held=14,
            label="WebP",
        ),
        ImageFormat(
            "BMP",
            _pattern(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
            (".bmp", ".dib", ".rle"),
            BmpImagePlugin.BmpImageFile,
        ),
        ImageFormat(
            "GIF",
            _pattern(rb"GIF8[79]a"),
            (".gif", ".giff"),
            GifImagePlugin.GifImageFile,
            held=4,
        ),
        ImageFormat(
            "TIFF",
            _pattern(b"|".join(re.escape(prefix) for prefix in TiffImagePlugin.PREFIXES)),
            (
                ".tif", ".tiff", ".gtiff", ".btf", ".dng", ".nef", ".nrw", ".cr2", ".arw", ".pef",
            ),
            TiffImagePlugin.TiffImageFile,
            _tiff,
        ),
    )
}  # fmt: skip
# Formats of the time before records of failures named their decoders.
FIRST = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def format_of(head: bytes) -> str | None:
    """Return Pillow's name for the format, one of FORMATS, with these first bytes; or None."""
    return next((name for name, entry in FORMATS.items() if entry.begins.match(head)), None)


def has_suffix_of_format(suffix: str) -> bool:
    """Tell whether files of a format that is read are named with this suffix (`.jpg`)."""
    return any(suffix in entry.suffixes for entry in FORMATS.values())


def decoder_identities(pillow: str, ours: int) -> dict[str, str]:
    """Return what decides whether files can be decoded: by format, its decoders' versions.

    Such as `{"JPEG": "Pillow 12.0.0 + decoder 2"}`. Other identities mean that a file which failed
    is worth another try.

    Args:
        pillow: Pillow's version.
        ours: `decode.DECODER`.
    """
    return {
        name: _identity(pillow, ours) + (f" + {entry.decoder}" if entry.decoder else "")
        for name, entry in FORMATS.items()
    }


def first_identities(pillow: str, ours: int) -> dict[str, str]:
    """Return `decoder_identities` as they were for records that name none."""
    return dict.fromkeys(FIRST, _identity(pillow, ours))


def _identity(pillow: str, ours: int) -> str:
    return f"Pillow {pillow} + decoder {ours}"
