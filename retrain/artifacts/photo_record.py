"""The record of a classifier's photos: the digest of each, and the set in which it was.

A CSV file with a row for each photo, in the order of the digests, which are those that
`b2sum -l 128` prints: a photo is known whatever its name, and nothing else of it is told. The
classifier's manifest has the digest of just these pairs. By that its record is found beside the
graph or an export, under any name, or in the user's cache where the graph was moved alone; and the
record of another classifier is never believed. 1,000,000 photos make 40 MB.
"""

import io
import logging
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from retrain.artifacts.detect import Artefact, Format
from retrain.artifacts.manifest import Manifest
from retrain.data.digests import digest_of_pairs
from retrain.data.split import SETS
from retrain.utils.files import open_regular, user_cache_dir, write_bytes
from retrain.utils.kept import SUFFIX, read_kept, remove_least_recently_used, write_kept
from retrain.utils.logs import warn_once

log = logging.getLogger(__name__)

NAME = "digests.csv"
HEADER = b"blake2b_128,set\n"
CACHE = "digests"  # folder in the user's cache
LIMIT_BYTES = 256 << 20  # of the records there


def write_record(path: Path, keys: Sequence[bytes], sets: Iterable[str]) -> None:
    """Write the record of photos with these digests and sets, and keep it in the user's cache.

    Raises RetrainError if the file cannot be written; the cache may be closed.
    """
    pairs = sorted(zip(keys, sets, strict=True))
    rows = b"".join(b"%s,%s\n" % (key.hex().encode(), name.encode()) for key, name in pairs)
    write_bytes(path, HEADER + rows)
    _keep(digest_of_pairs(pairs), HEADER + rows)


def find_sets(
    artefact: Artefact, manifest: Manifest, digests: Container[bytes]
) -> dict[bytes, str] | None:
    """Return the set of each of these photos that the classifier was made of.

    Args:
        artefact: The classifier.
        manifest: What it says of itself.
        digests: Of photos.

    Returns:
        The sets, by digest: train, where a photo was in several. None where no record of this
        classifier is found.
    """
    wanted = manifest.data.get("split_digest")
    if not isinstance(wanted, str):
        return None
    kept = read_kept(_kept(wanted), warn_once, then="not used")
    for content in chain([kept] if kept else [], _records_beside(artefact)):
        sets: dict[bytes, str] = {}
        if digest_of_pairs(_noted(_pairs(content), digests, sets)) == wanted:
            if kept is None:
                _keep(wanted, content)
            return sets
    return None


def _records_beside(artefact: Artefact) -> Iterator[bytes]:
    """Yield what may be the record beside an artefact, the likeliest first."""
    path = artefact.path.absolute()
    folders = [path.parent]
    if artefact.format is Format.SAVED_MODEL:  # perhaps a version in the folder of its model
        folders = [path, path.parent, path.parent.parent]
    for folder in folders:
        found = sorted(folder.glob(f"*{Path(NAME).stem}*{Path(NAME).suffix}"))
        for file in sorted(found, key=lambda file: not file.name.startswith(path.stem)):
            with suppress(OSError), open_regular(file) as record:
                yield record.read()


def _pairs(content: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield digest and set of each row, up to one that no record has."""
    with io.BytesIO(content) as rows:
        if rows.readline() != HEADER:
            return
        for row in rows:
            digest, _, name = row.decode("ascii", "replace").rstrip("\n").partition(",")
            try:
                yield bytes.fromhex(digest), name
            except ValueError:
                return


def _noted(
    pairs: Iterable[tuple[bytes, str]], digests: Container[bytes], sets: dict[bytes, str]
) -> Iterator[tuple[bytes, str]]:
    """Pass the pairs on, and note the sets of those photos that are asked for."""
    for digest, name in pairs:
        if digest in digests and name in SETS:
            known = sets.setdefault(digest, name)
            sets[digest] = min(known, name, key=SETS.index)
        yield digest, name


def _keep(split_digest: str, content: bytes) -> None:
    path = _kept(split_digest)
    write_kept(path, content, log.debug)
    remove_least_recently_used(path.parent, LIMIT_BYTES)


def _kept(split_digest: str) -> Path:
    return user_cache_dir() / CACHE / f"{split_digest}{SUFFIX}"
