"""TIFF pages: which of them is the photo.

TIFF 6.0 and Adobe's Technical Note 1 and DNG specification name the tags.
"""

import io
from dataclasses import dataclass
from typing import Any

from PIL import TiffImagePlugin

from retrain.data.decoding.faults import BadPhoto
from retrain.data.decoding.foreign_formats import RAW
from retrain.data.decoding.tiff_layout import Layout

PAGES = 100  # that are read at most
SUB_PAGES = 330
THUMBNAIL_OF = 4  # the first page is a thumbnail if another has so many times its pixels
PREVIEW = 256  # pixels of the shorter side at least, for the preview in a camera's raw file
SENSOR = (32803, 34892)  # photometric interpretations: one colour a pixel; linear raw


@dataclass(frozen=True)
class Page:
    """A picture in the file.

    Attributes:
        offset: Of its directory.
        reduced: It says that it is a smaller copy of another.
        orientation: EXIF's number, 1 to 8.
        layout: How its samples lie in the file.
    """

    offset: int
    reduced: bool
    orientation: int
    layout: Layout

    @property
    def area(self) -> int:
        """The number of its pixels."""
        return self.layout.width * self.layout.height


def photo_page(content: bytes) -> tuple[Page, bool]:
    """Return the page that is the photo, and whether it is the first of the file.

    It is the first or, if that is a thumbnail, the largest. Raises BadPhoto if there is none.
    """
    pages = _pages(content)
    if not pages:
        raise BadPhoto("a TIFF without a picture")
    first = pages[0]
    sensor = max((page.area for page in pages if page.layout.photometric in SENSOR), default=0)
    seen = [page for page in pages if page.layout.photometric not in SENSOR]
    if not seen:
        raise BadPhoto(RAW)
    largest = max(seen, key=lambda page: page.area)  # the first of these
    if first in seen and not first.reduced and largest.area < THUMBNAIL_OF * first.area:
        largest = first
    if largest.area < sensor and min(largest.layout.width, largest.layout.height) < PREVIEW:
        raise BadPhoto(RAW)
    return largest, largest is first


def at_page(content: bytes, page: Page) -> bytes:
    """Return the file with that page as its first."""
    big = content[2:4] in (b"\x2b\0", b"\0\x2b")
    start, size = (8, 8) if big else (4, 4)
    offset = page.offset.to_bytes(size, "little" if content[:2] == b"II" else "big")
    return content[:start] + offset + content[start + size :]


def _pages(content: bytes) -> list[Page]:
    """List the pages in the order of the file, each before those that belong to it."""
    file = io.BytesIO(content)
    header = content[:16] if content[2:4] in (b"\x2b\0", b"\0\x2b") else content[:8]
    first = TiffImagePlugin.ImageFileDirectory_v2(header).next
    pages: list[Page] = []
    waiting, seen = [first], {0}
    while waiting and len(seen) <= PAGES:
        offset = waiting.pop(0)
        if offset in seen or offset >= len(content):
            continue
        seen.add(offset)
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(offset)
        try:
            tags.load(file)
            below = _numbers(tags.get(SUB_PAGES))
            page = _page(offset, tags)
        except Exception:  # skip a broken page, unless it is the only one
            if offset == first:
                raise
            continue
        waiting = [*below, *waiting, tags.next]
        if page is not None:
            pages.append(page)
    return pages


def _page(offset: int, tags: TiffImagePlugin.ImageFileDirectory_v2) -> Page | None:
    layout = Layout.of(tags)
    kind, older = tags.get(254, 0), tags.get(255, 1)
    reduced = bool(isinstance(kind, int) and kind & 1) or older == 2
    if layout.width < 1 or layout.height < 1:
        return None
    orientation = tags.get(274, 1)
    return Page(offset, reduced, orientation if orientation in range(1, 9) else 1, layout)


def _numbers(value: Any) -> list[int]:
    many = value if isinstance(value, tuple) else (value,)
    return [one for one in many if isinstance(one, int)]
