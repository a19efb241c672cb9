"""TIFF samples of any depth up to 16 bits, read with NumPy where Pillow reads them wrongly.

Pillow still undoes the compression: it is given the rows as 8-bit grey ones of as many bytes.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin

from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.tiff_layout import ASSOCIATED, CMYK, PALETTE, WHITE_IS_ZERO, Layout

BAND = 1 << 21  # samples worked on at a time


def bytes_of_samples(layout: Layout) -> int:
    """Return the bytes that `read_samples` needs, besides the file."""
    samples = layout.width * min(layout.height, _rows_at_once(layout)) * len(layout.bits)
    rows, picture = samples * layout.bits[0] // 8, 4 * layout.width * layout.height
    return 2 * rows + picture + sum(layout.lengths) + 32 * min(BAND, samples)


def read_samples(content: bytes, layout: Layout) -> tuple[Image.Image, int, int]:
    """Read the picture and return it with the least and the largest colour sample.

    The mode is L, LA, RGB, RGBA or CMYK. Samples of more than 8 bits keep the highest 8. Raises
    BadPhoto, and what Pillow does for broken content.
    """
    reason = layout.unreadable()
    if reason is not None:
        raise BadPhoto(reason)
    alpha = layout.alpha
    wanted = [*range(layout.channels), *([alpha[0]] if alpha else [])]
    mode = "CMYK" if layout.photometric == CMYK else "L" if layout.channels == 1 else "RGB"
    if layout.photometric == PALETTE:
        mode = "RGB"
    mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode) if alpha else mode
    picture = Image.new(mode, (layout.width, layout.height))
    least, most = 0xFFFF, 0
    for top, samples in _bands(content, layout, wanted):
        colours = samples[..., : layout.channels]
        least, most = min(least, int(colours.min())), max(most, int(colours.max()))
        pixels = _eight_bits(samples, layout)
        if mode == "CMYK":
            pixels = pixels[..., :4]
        size = pixels.shape[1], pixels.shape[0]
        picture.paste(Image.frombytes(mode, size, pixels.tobytes()), (0, top))
    return picture, least, most


def _eight_bits(samples: np.ndarray, layout: Layout) -> np.ndarray:
    """Convert samples (n, w, wanted) uint16 to (n, w, bands) uint8: colours, then alpha if any."""
    bits = layout.bits[0]
    most = (1 << bits) - 1
    colours, alpha = samples[..., : layout.channels], samples[..., layout.channels :]
    if layout.photometric == WHITE_IS_ZERO:
        colours = most - colours
    if layout.photometric == PALETTE:
        table = np.array(layout.colormap, np.uint16).reshape(3, -1).T
        colours = (table if layout.narrow_colormap else table >> 8)[colours[..., 0]]
        shown = colours
    else:
        if alpha.size and layout.alpha is not None and layout.alpha[1] == ASSOCIATED:
            divided = colours.astype(np.uint32) * most // np.maximum(alpha, 1)
            colours = divided.clip(0, most).astype(np.uint16)
        shown = _scaled(colours, bits)
    return np.concatenate([shown, _scaled(alpha, bits)], axis=-1).astype(np.uint8)


def _scaled(values: np.ndarray, bits: int) -> np.ndarray:
    if bits >= 8:
        return values >> (bits - 8)
    return values.astype(np.uint16) * 255 // ((1 << bits) - 1)


def _bands(content: bytes, layout: Layout, wanted: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row of some rows, and their samples (n, width, wanted) uint16."""
    count = len(layout.bits)
    numbers, each, wanted_here = (wanted, 1, [0]) if layout.planar else ([0], count, wanted)
    at_once = _rows_at_once(layout)
    rows = max(1, BAND // (layout.width * count))
    for first in range(0, layout.height, at_once):
        last = min(first + at_once, layout.height)
        planes = [_plane(content, layout, number, top=first, below=last) for number in numbers]
        for top in range(first, last, rows):
            below = min(top + rows, last)
            parts = []
            for plane in planes:
                raw = np.asarray(plane.crop((0, top - first, plane.width, below - first)))
                row = _unpacked(raw, layout)[:, : layout.width * each]
                samples = row.reshape(below - top, layout.width, each)
                parts.append(_summed(samples, layout)[..., wanted_here])
            yield top, np.concatenate(parts, axis=-1)


def _block_height(layout: Layout) -> int:
    across, down = layout.block
    return max(1, down if across else min(down, layout.height))


def _rows_at_once(layout: Layout) -> int:
    """Return how many rows of whole strips or tiles Pillow unpacks at once.

    Pillow refuses too many bytes as it refuses too many pixels.
    """
    down = _block_height(layout)
    return max(1, BAND // (layout.width * len(layout.bits) * down)) * down


def _unpacked(raw: np.ndarray, layout: Layout) -> np.ndarray:
    """Unpack rows of bytes (n, bytes) into (n, samples) uint16; the highest bit comes first."""
    bits = layout.bits[0]
    if bits == 8:
        return raw.astype(np.uint16)
    if bits == 16:
        raw = np.ascontiguousarray(raw)
        return raw.view("<u2" if layout.little else ">u2").astype(np.uint16)
    row = np.unpackbits(raw, axis=1)
    whole = row.shape[1] // bits
    digits: np.ndarray = row[:, : whole * bits].reshape(len(raw), whole, bits)
    samples = np.zeros((len(raw), whole), np.uint16)
    for bit in range(bits):
        samples = samples << 1 | digits[..., bit]
    return samples


def _summed(samples: np.ndarray, layout: Layout) -> np.ndarray:
    """Add up samples that are stored as differences to the left pixel of their tile.

    Samples that are not stored so are returned as they are.
    """
    if layout.predictor != 2:
        return samples
    across = layout.block[0] or layout.width
    parts = [
        np.cumsum(samples[:, left : left + across], axis=1, dtype=np.uint16)
        for left in range(0, layout.width, across)
    ]
    return np.concatenate(parts, axis=1) & np.uint16((1 << layout.bits[0]) - 1)


def _plane(content: bytes, layout: Layout, number: int, *, top: int, below: int) -> Image.Image:
    """Unpack some rows of one plane with Pillow into an "L" picture of width x height bytes."""
    bits, each = layout.bits[0], 1 if layout.planar else len(layout.bits)
    tile_width, block_height = layout.block[0], _block_height(layout)
    beside = -(-layout.width // tile_width) if tile_width else 1
    start = (number * -(-layout.height // block_height) + top // block_height) * beside
    blocks = -(-(below - top) // block_height) * beside
    offsets = layout.offsets[start : start + blocks]
    lengths = layout.lengths[start : start + blocks]
    row = -(-layout.width * each * bits // 8)
    across = tile_width * each * bits // 8
    if len(lengths) < len(offsets) and layout.compression == 1:
        lengths = ((across or row) * block_height,) * len(offsets)
    if len(offsets) < blocks or len(lengths) < blocks:
        raise BadPhoto("broken: the TIFF does not name all parts of its picture")
    parts = [content[at : at + size] for at, size in zip(offsets, lengths, strict=True)]
    file = _grey_file(
        row, below - top, layout, across=across, block_height=block_height, parts=parts
    )
    with TiffImagePlugin.TiffImageFile(io.BytesIO(file)) as image:
        image.load()
        return image


def _grey_file(
    width: int, height: int, layout: Layout, *, across: int, block_height: int, parts: list[bytes]
) -> bytes:
    """Return a TIFF of 8-bit grey pixels with these strips or tiles."""
    tags: list[tuple[int, list[int]]] = [
        (256, [width]),
        (257, [height]),
        (258, [8]),
        (259, [layout.compression]),
        (262, [1]),
        (266, [layout.fill_order]),
        (277, [1]),
    ]
    where, size = (324, 325) if across else (273, 279)
    tags += [(322, [across]), (323, [block_height])] if across else [(278, [block_height])]
    tags += [(where, [0] * len(parts)), (size, [len(part) for part in parts])]
    tags.sort()
    start = 8 + 2 + 12 * len(tags) + 4
    at = start + sum(4 * len(values) for _, values in tags if len(values) > 1)
    offsets = []
    for part in parts:
        offsets.append(at)
        at += len(part)
    directory, behind = struct.pack("<H", len(tags)), b""
    for tag, values in tags:
        values = offsets if tag == where else values
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            behind, packed = behind + packed, struct.pack("<I", start + len(behind))
        directory += struct.pack("<HHI", tag, 4, len(values)) + packed
    return b"".join([b"II*\0\x08\0\0\0", directory, bytes(4), behind, *parts])
