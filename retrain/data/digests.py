"""The identity of a photo is a digest of its bytes, computed once per file and remembered."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.data.folder import Index, Photo
from retrain.data.walk import SetAside
from retrain.utils.files import Identity
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

DIGEST_BYTES = 16
CHUNK = 32  # files that one thread reads at a go: handing over each alone would cost more
# A file that was modified or changed less than this before we read it may change once more unseen:
SETTLED_NS = 2_000_000_000  # the coarsest times of modification, those of FAT
TICK_NS = 20_000_000  # the coarsest clock of changes, twice
IDENTITY = np.dtype(
    [("device", "<u8"), ("inode", "<u8"), ("size", "<i8"), ("mtime_ns", "<i8"), ("ctime_ns", "<i8")]
)


def digest_of(content: bytes) -> bytes:
    """BLAKE2b-128 of a file's bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def digest_photos(index: Index, memo_dir: Path) -> tuple[dict[str, bytes], list[SetAside], int]:
    """Digest of each photo by path, the unreadable files, and how many files were read.

    A file whose path and identity are as remembered in `memo_dir` is not read.
    """
    memo_path = memo_dir / f"{_tree_name(index.root)}{SUFFIX}"
    memo = _read_memo(memo_path)
    known: dict[str, bytes] = {}
    fresh: list[Photo] = []
    for photo in index.photos:
        identity, digest = memo.get(photo.path, (None, b""))
        if identity == photo.identity:
            known[photo.path] = digest
        else:
            fresh.append(photo)
    started = time.time_ns()
    read, aside = _read_digests(index, fresh) if fresh else ({}, [])
    if fresh:
        settled = {p.path for p in fresh if p.path in read and _is_settled(p, started)}
        keep = [p for p in index.photos if p.path in known or p.path in settled]
        _write_memo(memo_path, keep, [(known.get(p.path) or read[p.path]) for p in keep])
    return known | read, aside, len(fresh)


def _is_settled(photo: Photo, now: int) -> bool:
    """Whether any later change will show in the identity that the photo had when it was indexed."""
    *_, modified, changed = photo.identity
    return modified < now - SETTLED_NS and changed < now - TICK_NS


def _read_digests(index: Index, photos: Sequence[Photo]) -> tuple[dict[str, bytes], list[SetAside]]:
    def read(chunk: Sequence[Photo]) -> list[bytes | OSError]:
        return [_file_digest(index.full_path(photo)) for photo in chunk]

    digests: dict[str, bytes] = {}
    aside: list[SetAside] = []
    chunks = [photos[start : start + CHUNK] for start in range(0, len(photos), CHUNK)]
    with progress("Reading", len(photos), "photos") as meter:
        for chunk, results in map_ahead(read, chunks):
            for photo, result in zip(chunk, results, strict=True):
                if isinstance(result, bytes):
                    digests[photo.path] = result
                else:
                    aside.append(SetAside(photo.path, f"cannot be read: {result.strerror}"))
            failed = sum(isinstance(result, OSError) for result in results)
            meter.advance(len(chunk), aside=failed)
    return digests, aside


def _file_digest(path: str) -> bytes | OSError:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:  # not open(): on small files its objects cost more than the reading
            while block := os.read(file, 1 << 20):
                digest.update(block)
        finally:
            os.close(file)
    except OSError as error:
        return error
    return digest.digest()


def _tree_name(root: Path) -> str:
    return hashlib.blake2b(os.fsencode(root.resolve()), digest_size=8).hexdigest()


def _read_memo(path: Path) -> dict[str, tuple[Identity, bytes]]:
    """(identity, digest) by relative path; a missing or damaged memo is an empty one."""
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
    """Keeps how many photos there are, their identities (n,) IDENTITY, digests and paths."""
    if not photos:
        return
    parts = [
        f"{len(photos)}\0".encode(),
        np.array([p.identity for p in photos], IDENTITY).tobytes(),
        *digests,
        os.fsencode("\0".join(p.path for p in photos)),
    ]
    write_kept(path, b"".join(parts), warn_once)
