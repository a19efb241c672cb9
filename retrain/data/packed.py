"""Photos in an archive, here or behind a URL: unpacked once, into the user's cache.

    <cache>/photos/<digest of the archive>/flowers/    what flowers.zip held
    <cache>/photos/<digest of the archive>.kept        which files that was
    <cache>/photos/<digest of the URL>.url.kept        the archive's digest

So an archive is unpacked once, whatever its name and place, and a URL is fetched once. If a file
was removed, added or changed in the folder, it is unpacked anew. Files whose identity is as it was
are not read to find that out.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from retrain.data.file_kinds import is_litter
from retrain.errors import RetrainError, UsageFault, counted
from retrain.utils.files import (
    cannot_read,
    cannot_write,
    check_folder_can_be_written,
    identity_of,
    open_regular,
    scratch_folder,
    user_cache_dir,
)
from retrain.utils.handles import Handle, lacks_secret, whole
from retrain.utils.kept import DIGEST_BYTES, SUFFIX, damaged, read_kept, write_kept
from retrain.utils.lock import folder_lock
from retrain.utils.logs import warn_once

log = logging.getLogger(__name__)

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_PACKED, MOST_UNPACKED, MOST_FILES = 64 << 30, 64 << 30, 2_000_000
WANTED = "a .zip or .tar.gz of one folder of photos for each class"
ADVICE = "download and unpack it by other means, and give the folder"


def is_packed(image_dir: str) -> bool:
    """Tell whether this names an archive or a URL, and no folder."""
    if "://" in image_dir:
        return True
    return image_dir.lower().endswith(SUFFIXES) and os.path.isfile(os.path.expanduser(image_dir))


def unpacked(image_dir: str) -> str:
    """Return the folder of the photos in an archive or behind a URL; any other name as it is.

    That is the folder which holds the classes: the archive's own, or the only one in it. Raises
    RetrainError if the archive cannot be had or unpacked, and UsageFault for a URL that is neither
    http:// nor https://.
    """
    if not is_packed(image_dir):
        return image_dir
    cache = user_cache_dir() / "photos"
    folder = _of_url(image_dir, cache) if "://" in image_dir else None
    if folder is None:
        path = Path(os.path.expanduser(image_dir))
        folder = _of_archive(path, cache, name=path.name, origin=str(path.absolute()))
    return str(_classes_in(folder))


def _of_url(url: str, cache: Path) -> Path:
    """Return the folder of what is behind a URL, fetched unless it is kept."""
    url = Handle(url)
    if not url.lower().startswith(("http://", "https://")):
        raise UsageFault(f"photos at {url}: only http:// and https:// can be fetched; {ADVICE}")
    name = os.path.basename(urlsplit(url).path) or "photos"
    memo = cache / f"{hashlib.blake2b(whole(url).encode(), digest_size=16).hexdigest()}.url{SUFFIX}"
    digest = read_kept(memo, warn_once)
    if digest is not None:
        folder = cache / digest.hex() / _stem(name)
        if _is_whole(folder):
            log.info(f"Photos of {url}: fetched before, in {folder} (without it: fetched again)")
            return folder
    if lacks_secret(url):
        raise RetrainError(
            f"the photos of {url} are not kept here, and its query was left out where this was "
            "written: give the whole URL"
        )
    from retrain.utils.archive import Limits
    from retrain.utils.download import download  # a tenth of a second

    _check_cache(cache)
    log.info(f"Fetching photos from {url} (once; kept in {cache})")
    try:
        with scratch_folder(cache, name) as scratch:
            limits = Limits(MOST_PACKED, MOST_UNPACKED, MOST_FILES, WANTED, one_by_one=False)
            download(url, scratch / "archive", ADVICE, limits=limits)
            folder = _of_archive(scratch / "archive", cache, name=name, origin=url)
    except OSError as error:
        raise cannot_write(cache, error) from error
    write_kept(memo, bytes.fromhex(folder.parent.name), warn_once)
    return folder


def _of_archive(archive: Path, cache: Path, *, name: str, origin: str) -> Path:
    """Return the folder of what an archive holds, unpacked unless it is kept.

    Args:
        archive: The file.
        cache: The folder of unpacked photos.
        name: What the archive is called.
        origin: Where it comes from, for messages.

    Returns:
        The folder, called as the archive.

    Raises:
        RetrainError: The archive cannot be read or unpacked.
    """
    from retrain.data.digests import digest_of_file  # which knows the index, and so this

    try:
        with open_regular(archive) as file:
            digest = digest_of_file(file).hex()
    except OSError as error:
        raise cannot_read("photos", archive, error) from error
    folder = cache / digest / _stem(name)
    if _is_whole(folder):
        log.info(f"Photos of {origin}: unpacked before, in {folder}")
        return folder
    from retrain.utils.archive import Limits, unpack

    _check_cache(cache)
    with folder_lock(folder.parent, origin):
        if not _is_whole(folder):  # another process may have been faster
            with suppress(OSError):
                shutil.rmtree(folder)  # what is not whole; the cache is ours
            limits = Limits(MOST_PACKED, MOST_UNPACKED, MOST_FILES, WANTED, one_by_one=False)
            unpack(archive, folder, origin, limits=limits)
            files = _files_in(folder)
            _note(folder, files)
            count = counted(len(files), "file")
            log.info(f"Photos of {origin}: {count} unpacked into {folder} (once)")
    return folder


def _check_cache(cache: Path) -> None:
    check_folder_can_be_written(cache, "RETRAIN_CACHE_DIR")


def _stem(name: str) -> str:
    """Return an archive's name without its suffix."""
    end = next((one for one in SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(end)].strip(".") or "photos"


def _facts_file(folder: Path) -> Path:
    return folder.parent.with_name(f"{folder.parent.name}.{folder.name}{SUFFIX}")


def _is_whole(folder: Path) -> bool:
    """Tell whether a folder holds what was unpacked into it, and nothing else; damage is said."""
    if not folder.is_dir():
        return False
    facts = read_kept(_facts_file(folder), warn_once)
    if facts is None:
        return False
    files = _files_in(folder)
    if facts[DIGEST_BYTES:] == _identities(folder, files):
        return True
    if facts[:DIGEST_BYTES] == _contents(folder, files):  # copied here, or only touched
        _note(folder, files)
        return True
    warn_once(damaged(folder, "not what was unpacked"))
    return False


def _note(folder: Path, files: Sequence[str]) -> None:
    """Keep what these files of a folder hold, and their identities."""
    facts = _contents(folder, files) + _identities(folder, files)
    write_kept(_facts_file(folder), facts, warn_once)


def _files_in(folder: Path) -> list[str]:
    """List the paths of all files in a folder, relative to it, sorted."""
    walked = os.walk(folder)
    found = [os.path.join(place, name) for place, _, names in walked for name in names]
    return sorted(os.path.relpath(path, folder) for path in found)


def _identities(folder: Path, files: Sequence[str]) -> bytes:
    """Return a digest of the files' names and identities."""
    return _digest((name, repr(identity_of(os.lstat(folder / name))).encode()) for name in files)


def _contents(folder: Path, files: Sequence[str]) -> bytes:
    """Return a digest of the files' names and contents."""
    return _digest((name, _content_digest(folder / name)) for name in files)


def _content_digest(path: Path) -> bytes:
    from retrain.data.digests import digest_of_file  # which knows the index, and so this

    try:
        with open_regular(path) as file:
            return digest_of_file(file)
    except OSError:  # nothing that was unpacked
        return b""


def _digest(facts: Iterable[tuple[str, bytes]]) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name, fact in facts:
        digest.update(os.fsencode(name) + b"\0" + fact + b"\0")
    return digest.digest()


def _classes_in(folder: Path) -> Path:
    """Return the folder that holds the classes: this one, or the only one in it that has folders.

    Archives often hold one folder with all the rest.
    """
    while True:
        inner = _folders_in(folder)
        if len(inner) != 1 or not _folders_in(inner[0]):
            return folder
        folder = inner[0]


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        shown = [one for one in entries if one.is_dir() and one.name[0] != "."]
    return [Path(one.path) for one in shown if not is_litter(one.name)]
