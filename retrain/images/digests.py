"""The identity of a photo is a digest of its bytes, computed once per file and remembered."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.files import atomic_path
from retrain.images.ahead import map_ahead
from retrain.images.tree import Index, Photo, SetAside
from retrain.progress import Talk

DIGEST_BYTES = 16
CHUNK = 32  # files that one thread reads at a go: handing over each alone would cost more
SETTLED_NS = 2_000_000_000  # a file changed later than this before we read it may change unseen


def digest_of(content: bytes) -> bytes:
    """BLAKE2b-128 of a file's bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def digest_photos(
    index: Index, memo_dir: Path, talk: Talk
) -> tuple[dict[str, bytes], list[SetAside], int]:
    """Digest of each photo by path, the unreadable files, and how many files were read.

    A file whose path, size and modification time are as remembered in `memo_dir` is not read.
    """
    memo_path = memo_dir / f"{_tree_name(index.root)}.npz"
    memo = _read_memo(memo_path)
    known: dict[str, bytes] = {}
    fresh: list[Photo] = []
    for photo in index.photos:
        size, mtime_ns, digest = memo.get(photo.path, (-1, -1, b""))
        if size == photo.size and mtime_ns == photo.mtime_ns:
            known[photo.path] = digest
        else:
            fresh.append(photo)
    started = time.time_ns()
    read, aside = _read_digests(index, fresh, talk) if fresh else ({}, [])
    if fresh:
        settled = {p.path for p in fresh if p.mtime_ns < started - SETTLED_NS and p.path in read}
        keep = [p for p in index.photos if p.path in known or p.path in settled]
        _write_memo(memo_path, keep, [(known.get(p.path) or read[p.path]) for p in keep])
    return known | read, aside, len(fresh)


def _read_digests(
    index: Index, photos: Sequence[Photo], talk: Talk
) -> tuple[dict[str, bytes], list[SetAside]]:
    def read(chunk: Sequence[Photo]) -> list[bytes | OSError]:
        return [_file_digest(index.full_path(photo)) for photo in chunk]

    digests: dict[str, bytes] = {}
    aside: list[SetAside] = []
    chunks = [photos[start : start + CHUNK] for start in range(0, len(photos), CHUNK)]
    with talk.progress("Reading", len(photos), "photos") as meter:
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


def _read_memo(path: Path) -> dict[str, tuple[int, int, bytes]]:
    """(size, mtime_ns, digest) by relative path; a missing or damaged memo is an empty one."""
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            names = os.fsdecode(stored["names"].tobytes()).split("\0")
            sizes, times = stored["sizes"].tolist(), stored["mtimes_ns"].tolist()
            raw = stored["digests"].tobytes()
    except Exception:  # np.load raises many kinds; the photos are then simply read again
        return {}
    if not len(names) == len(sizes) == len(times) == len(raw) // DIGEST_BYTES:
        return {}
    cuts = range(0, len(raw), DIGEST_BYTES)
    digests = [raw[cut : cut + DIGEST_BYTES] for cut in cuts]
    return dict(zip(names, zip(sizes, times, digests, strict=True), strict=True))


def _write_memo(path: Path, photos: Sequence[Photo], digests: Sequence[bytes]) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            names=np.frombuffer(os.fsencode("\0".join(p.path for p in photos)), np.uint8),
            sizes=np.array([p.size for p in photos], np.int64),
            mtimes_ns=np.array([p.mtime_ns for p in photos], np.int64),
            digests=np.frombuffer(b"".join(digests), np.uint8),
        )
