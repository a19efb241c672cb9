"""TIFF files of any layout, written sample by sample: what no library at hand can write."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np

RAW, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773


def directory(
    samples: np.ndarray,
    bits: int,
    photometric: int,
    *,
    little: bool = True,
    planar: bool = False,
    compression: int = RAW,
    predictor: bool = False,
    tile: tuple[int, int] | None = None,
    rows: int = 3,
    extra: Sequence[int] = (),
    colormap: Sequence[int] = (),
    fill_order: int = 1,
    sample_format: int = 1,
    more: Sequence[tuple[int, int, Sequence[int]]] = (),
) -> tuple[list[tuple[int, int, list[int]]], list[bytes], bool]:
    """Tags and parts of the picture (h, w, samples); `tile`: width and height, else strips."""
    height, width, count = samples.shape
    across, down = tile or (width, rows)
    parts = []
    for plane in np.split(samples, count, axis=2) if planar else [samples]:
        for top in range(0, height, down):
            for left in range(0, width, across):
                block = plane[top : top + down, left : left + across].astype(np.int64)
                if tile:
                    short = down - block.shape[0], across - block.shape[1]
                    block = np.pad(block, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
                if predictor:
                    before = np.concatenate([np.zeros_like(block[:, :1]), block[:, :-1]], axis=1)
                    block = (block - before) % (1 << bits)
                packed = b"".join(_row(row.ravel(), bits, little) for row in block)
                packed = _compressed(packed, compression)
                if fill_order == 2:
                    packed = bytes(int(f"{one:08b}"[::-1], 2) for one in packed)
                parts.append(packed)
    tags = [
        (256, 4, [width]),
        (257, 4, [height]),
        (258, 3, [bits] * count),
        (259, 3, [compression]),
        (262, 3, [photometric]),
        (266, 3, [fill_order]),
        (277, 3, [count]),
        (284, 3, [2 if planar else 1]),
        (317, 3, [2 if predictor else 1]),
        (339, 3, [sample_format] * count),
        (324 if tile else 273, 4, [0] * len(parts)),
        (325 if tile else 279, 4, [len(part) for part in parts]),
        *([(322, 3, [across]), (323, 3, [down])] if tile else [(278, 4, [rows])]),
        *([(338, 3, list(extra))] if extra else []),
        *([(320, 3, list(colormap))] if len(colormap) else []),
        *((tag, kind, list(values)) for tag, kind, values in more),
    ]
    return sorted(tags), parts, little


def tiff(samples: np.ndarray, bits: int, photometric: int, **how: object) -> bytes:
    """A file with this one picture; `how` as for `directory`."""
    return tiff_of([directory(samples, bits, photometric, **how)])  # type: ignore[arg-type]


def tiff_of(
    pages: Sequence[tuple[list[tuple[int, int, list[int]]], list[bytes], bool]],
    below_first: Sequence[tuple[list[tuple[int, int, list[int]]], list[bytes], bool]] = (),
) -> bytes:
    """A file with these pages, `below_first` as SubIFDs of the first."""
    little = pages[0][2]
    order = "<" if little else ">"
    content = (b"II*\0" if little else b"MM\0*") + bytes(4)
    link = 4  # where the offset of the next page is to be written
    subs = []
    for tags, parts, _ in below_first:
        content, offset, _ = _appended(content, tags, parts, order)
        subs.append(offset)
    for number, (tags, parts, _) in enumerate(pages):
        if subs and number == 0:
            tags = sorted([*tags, (330, 4, subs)])
        content, offset, after = _appended(content, tags, parts, order)
        content = content[:link] + struct.pack(order + "I", offset) + content[link + 4 :]
        link = after
    return content


def _appended(
    content: bytes, tags: list[tuple[int, int, list[int]]], parts: list[bytes], order: str
) -> tuple[bytes, int, int]:
    offsets = []
    for part in parts:
        offsets.append(len(content))
        content += part + bytes(len(part) % 2)
    entries = b""
    for tag, kind, values in tags:
        values = offsets if tag in (273, 324) else values
        packed = struct.pack(f"{order}{len(values)}{'I' if kind == 4 else 'H'}", *values)
        if len(packed) > 4:
            content, packed = content + packed, struct.pack(order + "I", len(content))
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    offset = len(content)
    content += struct.pack(order + "H", len(tags)) + entries + bytes(4)
    return content, offset, len(content) - 4


def _row(values: np.ndarray, bits: int, little: bool) -> bytes:
    if bits == 16:
        return values.astype("<u2" if little else ">u2").tobytes()
    if bits == 32:
        return values.astype("<u4" if little else ">u4").tobytes()
    digits = "".join(f"{value:0{bits}b}" for value in values.tolist())
    digits += "0" * (-len(digits) % 8)
    return int(digits, 2).to_bytes(len(digits) // 8, "big")


def _compressed(packed: bytes, compression: int) -> bytes:
    if compression == DEFLATE:
        return zlib.compress(packed)
    if compression == PACKBITS:
        runs = (packed[at : at + 128] for at in range(0, len(packed), 128))
        return b"".join(bytes([len(run) - 1]) + run for run in runs)
    if compression == LZW:  # only literals, the table cleared before codes become longer
        codes = []
        for at in range(0, len(packed), 250):
            codes += [256, *packed[at : at + 250]]
        digits = "".join(f"{code:09b}" for code in [*codes, 257])
        digits += "0" * (-len(digits) % 8)
        return int(digits, 2).to_bytes(len(digits) // 8, "big")
    return packed
