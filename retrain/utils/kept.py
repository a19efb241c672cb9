"""Files kept for later runs: given back only if they are, byte for byte, what was written.

A kept file is its content and behind it a seal, the digest of its name and content. A kept folder
holds the digests of its files in `retrain-digests.json`. Disks, copies and other programs damage
files in silence, and a wrong feature looks like any other. So a file that does not fit its seal
counts as missing: that is said, and it is made anew. Where nothing can be written the run goes on,
too.
"""

import hashlib
import json
import mmap
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

from retrain.errors import RetrainError, one_line
from retrain.utils.files import DISK_FULL, atomic_path

SUFFIX = ".kept"
SEALS = "retrain-digests.json"
MARK = b"retrain1"
DIGEST_BYTES = 16
SEAL_BYTES = DIGEST_BYTES + len(MARK)
BLOCK_BYTES = 1 << 20
ALONE_BYTES = 4 << 20  # for less, starting threads takes longer than it saves

FULL = "the disk is full"
MADE_ANEW = "made anew"
Say = Callable[[str], object]


def digest(content: "bytes | memoryview | mmap.mmap", name: str = "") -> bytes:
    """Compute BLAKE2b-128 of a name and of the BLAKE2b-128s of the content's blocks of 1 MiB.

    In blocks, so that all cores work on a large one: a compiled graph is read for each photo that
    is labelled alone.
    """
    with memoryview(content) as whole:

        def of_block(start: int) -> bytes:
            block = whole[start : start + BLOCK_BYTES]
            return hashlib.blake2b(block, digest_size=DIGEST_BYTES).digest()

        starts = range(0, len(whole), BLOCK_BYTES)
        if len(whole) < ALONE_BYTES:
            parts = [of_block(start) for start in starts]
        else:
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                parts = list(pool.map(of_block, starts))
    head = os.fsencode(name) + b"\0"
    return hashlib.blake2b(head + b"".join(parts), digest_size=DIGEST_BYTES).digest()


def write_kept(path: Path, content: bytes, say: Say) -> None:
    """Keep a content for `read_kept`; tell `say` in one line if that cannot be done."""

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            file.write(content)
            file.write(digest(content, path.name) + MARK)

    _replace(path, write, say)


def read_kept(path: Path, say: Say, then: str = MADE_ANEW) -> bytes | None:
    """Return the content that `write_kept` kept, or None if there is none or it is damaged.

    Damage is told to `say`, with what is done `then`.
    """
    try:
        stored = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        say(damaged(path, error.strerror or one_line(error), then))
        return None
    whole = memoryview(stored)
    if stored[-len(MARK) :] != MARK or len(stored) < SEAL_BYTES:
        say(damaged(path, "its end is missing", then))
        return None
    content = whole[:-SEAL_BYTES]
    if digest(content, path.name) != stored[-SEAL_BYTES : -len(MARK)]:
        say(damaged(path, "not what was written", then))
        return None
    return bytes(content)


def remove_least_recently_used(folder: Path, limit: int) -> None:
    """Remove files until a folder of them is below `limit` bytes; other processes may, too."""
    entries = []
    with suppress(OSError):
        for path in folder.iterdir():  # files of earlier versions, too
            with suppress(OSError):
                facts = path.stat()
                if stat.S_ISREG(facts.st_mode) and not path.name.startswith("."):
                    entries.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            return
        with suppress(OSError):
            path.unlink()
        total -= size


def seal_file(path: Path, name: str) -> None:
    """Append the seal to a file that is going to be called `name`."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        file.seek(0, os.SEEK_END)
        file.write(digest(content, name) + MARK)


def has_broken_seal(path: Path) -> bool:
    """Tell whether the file has a seal that its content does not fit; raise OSError."""
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) <= SEAL_BYTES:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stored:
            if stored[-len(MARK) :] != MARK:
                return False
            with memoryview(stored) as whole, whole[:-SEAL_BYTES] as content:
                found = digest(content, path.name)
            return found != stored[-SEAL_BYTES : -len(MARK)]


def seal_folder(folder: Path, name: str) -> None:
    """Write the digests of all files in a folder that is going to be called `name`.

    Raises OSError.
    """
    digests = {file: _digest_of(folder / file, file).hex() for file in _files_in(folder)}
    facts = json.dumps({"name": name, "files": digests}, sort_keys=True)
    sealed = {"digest": digest(facts.encode()).hex(), "facts": facts}
    with open(folder / SEALS, "w", encoding="utf-8") as written:
        json.dump(sealed, written, indent=1)
        written.flush()
        os.fsync(written.fileno())


def is_sealed(folder: Path) -> bool:
    """Tell whether a folder was sealed by `seal_folder`."""
    return os.path.lexists(folder / SEALS)


def damage_in(folder: Path) -> str | None:
    """Say what is wrong with a sealed folder; None if it is what was sealed."""
    try:
        sealed = json.loads((folder / SEALS).read_text(encoding="utf-8"))
        text = sealed["facts"]
        if digest(text.encode()).hex() != sealed["digest"]:
            return f"{SEALS} is not what was written"
        facts = json.loads(text)
        if facts["name"] != folder.name:
            return f"it was written as {facts['name']}"
        for file, expected in facts["files"].items():
            if _digest_of(folder / file, file).hex() != expected:
                return f"{file} is not what was written"
    except OSError as error:
        return f"{Path(error.filename or folder).name}: {error.strerror or one_line(error)}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{SEALS} cannot be read"
    return None


def make_way(path: Path) -> None:
    """Rename a folder that lies where a file is to be written; raise OSError.

    Nobody but this program should have made one there; it may be a user's all the same, so it is
    kept under another name beside it.
    """
    if path.is_dir():
        names = (path.with_name(f"{path.name}.aside-{number}") for number in count(1))
        path.rename(next(name for name in names if not os.path.lexists(name)))


def damaged(path: Path, why: str, then: str = MADE_ANEW) -> str:
    """Return the line that says that what was kept is not used."""
    return f"what was kept in {path.absolute()} is damaged ({why}) and {then}"


def _replace(path: Path, write: Callable[[Path], None], say: Say) -> None:
    try:
        make_way(path)
        with atomic_path(path) as temporary:
            write(temporary)
    except (RetrainError, OSError) as fault:
        error = fault if isinstance(fault, OSError) else fault.__cause__
        reason = getattr(error, "strerror", None) or one_line(error or fault)
        if getattr(error, "errno", None) in DISK_FULL:
            say(
                f"{FULL}: nothing more is kept in {path.parent.absolute()} for later "
                "runs, which will take longer; free some space"
            )
        else:
            say(
                f"nothing can be kept in {path.parent.absolute()} for later runs, which will take "
                f"longer: {reason}; make it writable or choose another place"
            )


def _files_in(folder: Path) -> list[str]:
    """List the relative paths, with `/`, of all files but the seals."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files if path.name != SEALS)


def _digest_of(path: Path, name: str) -> bytes:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return digest(b"", name)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return digest(content, name)
