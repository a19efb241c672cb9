"""Reading a list of paths from standard input, as programs and people's editors write it."""

import codecs
import os
import re
import select
from collections.abc import Iterator

from retrain.errors import RetrainError, one_line
from retrain.utils.text import MARKS, mark_of

READ_BYTES = 1 << 16  # of the list, at a time
# Zero bytes that end no path but belong to each character, a line end or a slash among these.
UTF16 = re.compile(rb"(?=.*[\n\r/])(?:(?:[^\0]\0){4,}|(?:\0[^\0]){4,})", re.DOTALL)
# How JPEG, PNG, GIF, WebP, HEIC and AVIF, TIFF and BMP begin; no path does.
PHOTO = re.compile(
    rb"(?:\A|[\n\0])(?:\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF.{4}WEBP|\0\0\0.ftyp"
    rb"|II\*\0|MM\0\*|BM.{4}\0\0\0\0)",
    re.DOTALL,
)


def read_paths(source: int) -> Iterator[str | None]:
    """Yield the paths that come from a file descriptor, and None before each wait for more.

    One path a line, or paths ended by NULs if there are any, which are exact. Lines may end in CR
    LF or CR, a byte order mark says how the list is encoded, and blanks and quotation marks around
    a path are dropped where no file has them in its name and one exists without them. Raises
    RetrainError for what cannot be read.
    """
    list_so_far = _List()
    try:
        while True:
            if not _has_more(source):
                yield None
            chunk = os.read(source, READ_BYTES)
            for path in list_so_far.paths(chunk, ended=not chunk):
                if path:
                    yield path
            if not chunk:
                return
    except OSError as error:
        raise _cannot_read(one_line(error)) from error
    except UnicodeDecodeError as error:
        raise _cannot_read(
            f"it is not {error.encoding}, as it begins: write it as UTF-8"
        ) from error


class _List:
    """Splits a list that comes in chunks of bytes into paths."""

    def __init__(self) -> None:
        """Start an empty list, with its encoding and separator not yet known."""
        self.held = b""  # what may be the beginning of a byte order mark
        self.encoding = ""  # not yet known
        self.decoder: codecs.IncrementalDecoder | None = None
        self.rest = b""
        self.separator: bytes | None = None  # not yet known: a path may come in pieces

    def paths(self, chunk: bytes, *, ended: bool) -> Iterator[str]:
        """Yield the paths that this chunk completes; `ended`: it is the last one."""
        self.rest += self._in_utf8(chunk, ended=ended)
        if PHOTO.search(self.rest):
            raise RetrainError(
                "standard input holds the bytes of a photo where paths are expected: "
                "save the photo as a file and name that"
            )
        if self.separator is None:
            self.separator = next((sign for sign in (b"\0", b"\n") if sign in self.rest), None)
            if self.separator == b"\0" and UTF16.match(self.rest):
                raise _cannot_read("it is UTF-16 without its mark: write it as UTF-8")
            if ended and self.separator is None and not os.path.lexists(self.rest):
                self.separator = b"\r"  # as Macs wrote lists long ago
        *whole, self.rest = self.rest.split(self.separator) if self.separator else [self.rest]
        for path in [*whole, self.rest] if ended else whole:
            yield os.fsdecode(path) if self.separator == b"\0" else _as_meant(os.fsdecode(path))

    def _in_utf8(self, chunk: bytes, *, ended: bool) -> bytes:
        """Return a chunk in UTF-8, without a byte order mark; unchanged if the list has none."""
        if not self.encoding:
            self.held += chunk
            if not ended and any(mark.startswith(self.held) for mark, _ in MARKS):
                return b""
            mark, self.encoding = mark_of(self.held)
            chunk = self.held[len(mark) :]
            if self.encoding != "utf-8":
                self.decoder = codecs.getincrementaldecoder(self.encoding)()
        return chunk if self.decoder is None else self.decoder.decode(chunk, ended).encode()


def _as_meant(line: str) -> str:
    """Return the path in a line, without what an editor put around it.

    The whole line, if there is a file with that name.
    """
    if os.path.lexists(line):
        return line
    path = line.removesuffix("\r")
    bare = path.strip("\ufeff \t\r\xa0")
    for shorter in (bare, bare.removeprefix('"').removesuffix('"')):
        if not shorter or os.path.lexists(shorter):
            return shorter
    return path


def _has_more(source: int) -> bool:
    try:
        return bool(select.select([source], [], [], 0)[0])
    except (OSError, ValueError):  # Windows can ask only sockets
        return False


def _cannot_read(reason: str) -> RetrainError:
    return RetrainError(f"cannot read the list on standard input: {reason}")
