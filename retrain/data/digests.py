"""Digests: the identity of a photo's bytes, computed once per file and remembered."""

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from retrain.data.folder import Index, Photo
from retrain.utils.files import Identity
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once

DIGEST_BYTES = 16
# A file that was modified or changed less than this before we read it may change once more unseen:
SETTLED_NS = 2_000_000_000  # the coarsest times of modification, those of FAT
TICK_NS = 20_000_000  # the coarsest clock of changes, twice
IDENTITY = np.dtype(
    [("device", "<u8"), ("inode", "<u8"), ("size", "<i8"), ("mtime_ns", "<i8"), ("ctime_ns", "<i8")]
)


def digest_of(content: bytes) -> bytes:
    """Compute BLAKE2b-128 of a file's bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def digest_of_file(file: BinaryIO) -> bytes:
    """Return the BLAKE2b-128 of an open file's bytes, which are never all in memory."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    file.seek(0)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.digest()


def digest_of_pairs(pairs: Iterable[tuple[bytes, str]]) -> str:
    """Return hex BLAKE2b-128 of photos' digests, each with a name, in ascending order."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for key, name in pairs:
        digest.update(key + name.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()


class DigestMemo:
    """The digests of an index's photos: those that earlier runs found out, and new ones.

    A photo whose path and identity are as remembered in `folder` need not be read.

    Attributes:
        known: Digests by path.
        fresh: Paths of the photos that have to be read.
    """

    def __init__(self, index: Index, folder: Path) -> None:
        self._index = index
        self._path = folder / f"{_tree_name(index.root)}{SUFFIX}"
        memo = _read_memo(self._path)
        self.known: dict[str, bytes] = {}
        self.fresh: set[str] = set()
        for photo in index.photos:
            identity, digest = memo.get(photo.path, (None, b""))
            if identity == photo.identity:
                self.known[photo.path] = digest
            else:
                self.fresh.add(photo.path)
        self._new = 0
        self._started = time.time_ns()

    def add(self, path: str, digest: bytes) -> None:
        """Note the digest of a photo that was read since the memo was made."""
        self._new += path not in self.known
        self.known[path] = digest

    def keep(self, after: int = 1) -> None:
        """Remember all digests for later runs, if `after` or more are new since the last time."""
        if self._new < after:
            return
        self._new = 0
        keep = [
            photo
            for photo in self._index.photos
            if photo.path in self.known
            and (photo.path not in self.fresh or _is_settled(photo, self._started))
        ]
        _write_memo(self._path, keep, [self.known[photo.path] for photo in keep])


def _is_settled(photo: Photo, now: int) -> bool:
    """Tell whether any later change will show in the identity that the photo had when indexed."""
    *_, modified, changed = photo.identity
    return modified < now - SETTLED_NS and changed < now - TICK_NS


def _tree_name(root: Path) -> str:
    return hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()


def _read_memo(path: Path) -> dict[str, tuple[Identity, bytes]]:
    """Return (identity, digest) by relative path; empty for a missing or damaged memo."""
    stored = read_kept(path, warn_once)
    if stored is None:
        return {}
    head, _, rest = stored.partition(b"\0")
    count = int(head)
    at = count * IDENTITY.itemsize
    identities: list[Identity] = np.frombuffer(rest[:at], IDENTITY).tolist()
    cuts = range(at, at + count * DIGEST_BYTES, DIGEST_BYTES)
    digests = [rest[cut : cut + DIGEST_BYTES] for cut in cuts]
    paths = os.fsdecode(rest[at + count * DIGEST_BYTES :]).split("\0")
    return dict(zip(paths, zip(identities, digests, strict=True), strict=True))


def _write_memo(path: Path, photos: Sequence[Photo], digests: Sequence[bytes]) -> None:
    """Keep how many photos there are, their identities (n,) IDENTITY, digests and paths."""
    if not photos:
        return
    parts = [
        f"{len(photos)}\0".encode(),
        np.array([p.identity for p in photos], IDENTITY).tobytes(),
        *digests,
        os.fsencode("\0".join(p.path for p in photos)),
    ]
    write_kept(path, b"".join(parts), warn_once)
