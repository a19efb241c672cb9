"""PNG: dropping texts that a photo does not need, and single transparent colours of every depth."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, PngImagePlugin

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_TEXT = 500_000  # bytes of unpacked text that are kept
# Texts that may hold the orientation. Others do not change the pixels.
WITH_ORIENTATION = (b"Raw profile type exif", b"XML:com.adobe.xmp", b"exif")
TEXTS = {b"tEXt", b"zTXt", b"iTXt"}


def without_texts(content: bytes) -> bytes:
    """Return the file without its colour profile and texts: Pillow refuses large ones.

    Pillow also unpacks all of them. Texts that may tell the orientation stay, up to MOST_TEXT
    bytes.
    """
    parts, room, done = [], MOST_TEXT, 0
    for name, start, end in _chunks(content):
        if name in TEXTS or name == b"iCCP":
            text = _with_orientation(name, content[start + 8 : end - 4], room)
            room -= len(text)
            parts += [content[done:start], text]
            done = end
    return b"".join([*parts, content[done:]]) if parts else content


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each whole chunk; name and checksum lie between."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            return
        yield content[at + 4 : at + 8], at, end
        at = end


def _with_orientation(name: bytes, data: bytes, room: int) -> bytes:
    """Return a text as an unpacked chunk, if it may tell the orientation; else nothing."""
    keyword, _, rest = data.partition(b"\0")
    if keyword not in WITH_ORIENTATION:
        return b""
    packed = False
    if name == b"zTXt":
        packed, rest = True, rest[1:]
    elif name == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    try:
        text = zlib.decompressobj().decompress(rest, max(room, 1)) if packed else rest
    except zlib.error:
        return b""
    text = text[:room]
    if name == b"iTXt":
        text = text.decode("utf-8", "ignore").encode()
    kind = b"iTXt" if name == b"iTXt" else b"tEXt"
    body = keyword + (b"\0\0\0\0\0" if kind == b"iTXt" else b"\0") + text
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def depth(content: bytes) -> tuple[int, int]:
    """Return the bits of a sample, and the colour type.

    The types: 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha.
    """
    return content[24], content[25]


def may_have_odd_key(head: bytes) -> bool:
    """Tell whether a file with these first bytes (26 or more) may be as `has_odd_key` says."""
    return len(head) > 25 and depth(head) in ((2, 0), (4, 0), (16, 0), (16, 2))


def has_odd_key(content: bytes) -> bool:
    """Tell whether a file makes one colour transparent that Pillow takes for another."""
    if not may_have_odd_key(content):
        return False
    for name, _, _ in _chunks(content):
        if name in (b"tRNS", b"IDAT"):
            return name == b"tRNS"
    return False


def load_keyed(image: Image.Image, content: bytes) -> Image.Image:
    """Decode the picture and return it, transparent where the file says so.

    Pillow compares the key, which has the file's depth, with samples of 8 bits. So the picture gets
    alpha, or the key that Pillow expects.
    """
    bits, colour = depth(content)
    key = image.info.get("transparency")
    if key is None or colour not in (0, 2):
        image.load()
        return image
    if bits == 16 and colour == 2:
        return _deep_rgb(image, content, key)
    image.load()
    if bits == 16:
        return _deep_grey(image, int(key))
    most = (1 << bits) - 1
    if colour == 2:
        image.info["transparency"] = tuple(one & most for one in key)
    elif bits > 1:
        image.info["transparency"] = (key & most) * (255 // most)
    return image


def _deep_grey(image: Image.Image, key: int) -> Image.Image:
    values = np.asarray(image)
    alpha = np.where(values == key, 0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([(values >> 8).astype(np.uint8), alpha], axis=2))


def _deep_rgb(image: Image.Image, content: bytes, key: tuple[int, ...]) -> Image.Image:
    """Decode 16-bit RGB and return the high bytes, transparent where all 16 bits are the key's.

    Pillow gives the high bytes. Read as if little-endian, the same samples give the low ones.
    """
    with PngImagePlugin.PngImageFile(io.BytesIO(content)) as low:
        low.tile = [part._replace(args="RGB;16L") for part in low.tile]
        low.load()
    image.load()
    same = np.ones((image.height, image.width), bool)
    for band, value in enumerate(key):
        same &= np.asarray(image.getchannel(band)) == value >> 8
        same &= np.asarray(low.getchannel(band)) == value & 255
    del image.info["transparency"]
    image.putalpha(Image.fromarray(np.where(same, 0, 255).astype(np.uint8)))
    return image
