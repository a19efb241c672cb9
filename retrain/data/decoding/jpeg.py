"""What decoding a JPEG costs, from its headers before the pixels."""

import re
from dataclasses import dataclass

from retrain.data.decoding.faults import BadPhoto

SCANS = 20  # allowed for any photo; programs write about 10
COST = 1_000_000_000  # pixels times scans, about 4 seconds, beyond SCANS

FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
STANDALONE = {0x01, *range(0xD0, 0xD8)}
NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # after a scan and its restarts


@dataclass(frozen=True)
class Frame:
    """The size and cost of a JPEG.

    Attributes:
        width: In pixels.
        height: In pixels.
        bits: Of a sample.
        values: Decoded numbers for each pixel, by how its channels are thinned out.
        buffered: All values are held until the last scan is read.
        first_scan: Where the first scan begins in the file.
    """

    width: int
    height: int
    bits: int
    values: float
    buffered: bool
    first_scan: int


def read_frame(content: bytes) -> Frame | None:
    """Read a JPEG's headers and return its frame.

    None for a file that ends before its first scan, or begins oddly.
    """
    at, found = 2, None
    while 0 <= (at := content.find(b"\xff", at)) < len(content) - 9:
        marker = content[at + 1]
        if marker == 0xFF or marker == 0 or marker in STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in FRAMES:
            found = marker, content[at + 4 : at + 10 + 3 * content[at + 9]]
        elif marker == 0xDA:
            return _frame(*found, content[at + 4], first_scan=at) if found else None
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def _frame(marker: int, header: bytes, in_scan: int, *, first_scan: int) -> Frame | None:
    height, width = int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")
    channels = header[7::3][: header[5]]  # each channel's sampling factors, across and down
    areas = [(one >> 4) * (one & 15) for one in channels]
    if not areas or not max(areas):
        return None
    progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
    values = sum(areas) / max(areas)
    buffered = progressive or in_scan < len(areas)
    return Frame(width, height, header[0], values, buffered, first_scan)


def check_scans(content: bytes, frame: Frame) -> None:
    """Raise BadPhoto for so many scans over so many pixels that decoding would take very long."""
    if not frame.buffered or content.count(b"\xff\xda") <= SCANS:
        return  # the count includes previews and films behind the photo
    scans, at = 0, frame.first_scan
    while content[at : at + 2] != b"\xff\xd9":
        scans += content[at + 1] == 0xDA
        after = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        found = NEXT_MARKER.search(content, after)
        if found is None:
            break
        at = found.start()
    if scans > SCANS and scans * frame.width * frame.height > COST:
        megapixels = frame.width * frame.height / 1e6
        raise BadPhoto(
            f"a JPEG of {scans:,} scans over {megapixels:.1f} megapixels, which would take very "
            "long: save it anew"
        )
