"""Files of photos: opened in one place, each read once while it is open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from typing import BinaryIO

from retrain.data.decoding import memory
from retrain.data.decoding.faults import BadPhoto, Changed
from retrain.data.decoding.foreign_formats import HEAD
from retrain.data.decoding.formats import format_of
from retrain.data.decoding.open import no_photo
from retrain.data.decoding.png import has_odd_key, may_have_odd_key
from retrain.data.decoding.tiff import photo_page
from retrain.data.digests import digest_of, digest_of_file
from retrain.utils.files import open_regular

SMALL = 4_000_000  # bytes of a file whose reading waits for no other


@dataclass(frozen=True)
class PhotoFile:
    """A file that is open: its bytes, or why they cannot be a photo's."""

    content: bytes | BadPhoto
    file: BinaryIO

    def digest(self) -> bytes:
        """Return the digest of its bytes, which are read bit by bit where they are no photo's."""
        if isinstance(self.content, bytes):
            return digest_of(self.content)
        return digest_of_file(self.file)


@contextmanager
def open_photo(path: str | PathLike[str]) -> Iterator[PhotoFile]:
    """Open the file of a photo and read it once; this is where all photos are opened.

    The bytes of large files are held by a few threads at a time; those of a large file that is
    known by its first bytes to be no photo, or is too large for one, are not held. Raises OSError.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        fault = _no_photo(file, size) if size > SMALL else None
        if fault is not None:
            yield PhotoFile(fault, file)
            return
        with memory.FILES.taken(size) if size > SMALL else nullcontext():
            yield PhotoFile(file.read(), file)


def _no_photo(file: BinaryIO, size: int) -> BadPhoto | None:
    head = file.read(HEAD)
    file.seek(0)
    if format_of(head) is None:
        return BadPhoto(no_photo(head))
    if size > memory.ONE:
        return BadPhoto(f"a file of {size / 1e9:.1f} GB is too large for a photo")
    return None


@contextmanager
def content_of(path: str | PathLike[str], digest: bytes | None = None) -> Iterator[bytes]:
    """Yield the bytes of a photo's file, opened by `open_photo`.

    Raises BadPhoto for a file that can be none, and OSError, which is Changed for one whose bytes
    do not have the `digest` they had before.
    """
    with open_photo(path) as photo:
        if digest is not None and photo.digest() != digest:
            raise Changed
        if isinstance(photo.content, BadPhoto):
            raise photo.content
        yield photo.content


def read_otherwise_before(path: str | PathLike[str]) -> bool | None:
    """Return whether decoder 1 may have read other pixels from this photo; None if unreadable now.

    Most files are known by their first bytes.
    """
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
        if not _may_be_misread(head):
            return False
        with content_of(path) as content:
            return misread_before(content)
    except BadPhoto:
        return True
    except OSError:
        return None


def misread_before(content: bytes) -> bool:
    """Return whether decoder 1 may have read other pixels from the bytes of a photo.

    It took every TIFF for one of Pillow's layouts and its first page for the photo, and a
    transparent colour in a PNG for one of 8 bits. To be called with Pillow's warnings ignored.
    """
    try:
        if format_of(content[:HEAD]) == "TIFF":
            page, is_first = photo_page(content)
            return not (is_first and page.layout.read_by_pillow)
        return _may_be_misread(content[:HEAD]) and has_odd_key(content)
    except Exception:  # broken: there can be no feature of it
        return True


def _may_be_misread(head: bytes) -> bool:
    found = format_of(head)
    return found == "TIFF" or (found == "PNG" and may_have_odd_key(head))
