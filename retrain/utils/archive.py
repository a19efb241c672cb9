"""Unpacking an archive without trusting it."""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from retrain.errors import RetrainError, one_line
from retrain.utils.files import cannot_write
from retrain.utils.temporary import temporary_name

MAX_RATIO = 200  # unpacked to packed bytes; weights and photos hardly shrink at all
SMALL_BYTES = 64 << 20  # below it no ratio is refused
MAX_HEADER_BYTES = 1 << 20  # of one tar header with its extensions
BLOCK_BYTES = 1 << 20

_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError,
    RuntimeError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What an honest archive of a kind has at most.

    Attributes:
        packed: Bytes of the archive, where it is downloaded.
        unpacked: Bytes of all that it holds.
        files: How many it holds.
        wanted: What it should be, for an error.
        one_by_one: Each file is on the disk before the next is written; of many small ones, all
            are at the end.
    """

    packed: int
    unpacked: int
    files: int
    wanted: str
    one_by_one: bool = True


MODULE = Limits(16 << 30, 8 << 30, 10_000, "a .tar.gz of a TF2 SavedModel")


@dataclass(frozen=True)
class _Member:
    """A regular file of the archive, or a folder, which has no content."""

    name: str
    size: int
    content: IO[bytes] | None


class _Untrusted(Exception):
    """The archive holds what an honest one would not; the message says what."""


def unpack(archive: Path, folder: Path, origin: str, *, limits: Limits = MODULE) -> None:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive as `folder`, whole or not at all.

    Only regular files and folders are made, with this process's own rights. If `folder` has
    appeared meanwhile, it stays as it is. `origin` names the archive to the user. Raises
    RetrainError for what is no archive, is damaged or truncated, leads out of its folder, holds
    links or devices, or is far larger than it looks or the `limits` allow.
    """
    temporary = temporary_name(folder)
    try:
        temporary.mkdir(parents=True)
        _write_members(archive, temporary, limits)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    except _Untrusted as reason:
        raise RetrainError(
            f"{origin} is not unpacked, because it {reason}: ask for a sound archive where it "
            "comes from"
        ) from reason
    except _DAMAGED as error:
        raise _damaged(origin, error, limits) from error
    except OSError as error:
        if error.errno is None:  # raised by gzip and bz2 for wrong content
            raise _damaged(origin, error, limits) from error
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _damaged(origin: str, error: Exception, limits: Limits) -> RetrainError:
    return RetrainError(
        f"{origin} is no archive that can be unpacked, or is damaged or cut off "
        f"({one_line(error)}): {limits.wanted} is wanted; fetch it again"
    )


def _write_members(archive: Path, folder: Path, limits: Limits) -> None:
    packed = archive.stat().st_size
    limit = min(limits.unpacked, max(SMALL_BYTES, MAX_RATIO * packed))
    unpacked = 0
    with open(archive, "rb") as file:
        magic = file.read(6)
    members = _zip_members(archive) if magic[:2] == b"PK" else _tar_members(archive, magic)
    for count, member in enumerate(members, 1):
        if count > limits.files:
            raise _Untrusted(f"holds more than {limits.files} files")
        unpacked += member.size
        if unpacked > limit:
            raise _Untrusted(
                f"would grow from {packed / 1e6:.1f} MB to more than {limit / 1e6:.0f} MB"
            )
        target = folder / _safe(member.name)
        if member.content is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            shutil.copyfileobj(member.content, file, BLOCK_BYTES)
            if file.tell() != member.size:
                raise EOFError(f"{member.name} is cut off")
            if limits.one_by_one:
                file.flush()
                os.fsync(file.fileno())
    if not limits.one_by_one and hasattr(os, "sync"):  # Windows has none
        os.sync()


def _safe(name: str) -> PurePosixPath:
    """Return a member's name as a path below the folder, on any system; raise _Untrusted."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.anchor or ".." in (*posix.parts, *windows.parts):
        raise _Untrusted(f"holds {name!r}, which lies outside of its folder")
    return posix


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _Untrusted(f"holds {entry.filename!r}, a link or a device")
            if entry.is_dir():
                yield _Member(entry.filename, 0, None)
            else:
                with opened.open(entry) as content:
                    yield _Member(entry.filename, entry.file_size, content)


def _tar_members(archive: Path, magic: bytes) -> Iterator[_Member]:
    with _decompressed(archive, magic) as stream:
        guarded = cast(IO[bytes], _Guarded(stream))
        with tarfile.TarFile(fileobj=guarded) as opened:
            for entry in opened:
                if entry.size < 0:
                    raise EOFError(f"{entry.name} has no possible size")
                if entry.isdir():
                    yield _Member(entry.name, 0, None)
                elif entry.isreg():
                    yield _Member(entry.name, entry.size, opened.extractfile(entry))
                else:
                    raise _Untrusted(f"holds {entry.name!r}, a link or a device")
            end = opened.offset
        _check_end(stream, end)


def _decompressed(archive: Path, magic: bytes) -> IO[bytes]:
    """Open the tar inside the archive; tarfile would not let its reads be guarded."""
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(archive))
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(archive))
    if magic == b"\xfd7zXZ\0":
        return cast(IO[bytes], lzma.open(archive))
    return open(archive, "rb")


class _Guarded:
    """A stream that refuses headers whose declared length would fill the memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.seek, self.tell, self._read = stream.seek, stream.tell, stream.read

    def read(self, size: int) -> bytes:
        if size > max(MAX_HEADER_BYTES, BLOCK_BYTES):
            raise _Untrusted(f"has a header of {size / 1e6:.0f} MB")
        return self._read(size)


def _check_end(stream: IO[bytes], end: int) -> None:
    """Raise EOFError or _Untrusted unless the tar ends as it should.

    tarfile stops without an error at a header it cannot read, and before gzip's checksum.
    """
    stream.seek(end)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError("its end is missing")
    rest = 0
    while block := stream.read(BLOCK_BYTES):
        rest += len(block)
        if rest > SMALL_BYTES:
            raise _Untrusted(f"goes on for more than {SMALL_BYTES / 1e6:.0f} MB after its end")
