"""Writing to disk so that no reader sees half a file; checking beforehand that it can be done."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrain.errors import RetrainError, one_line
from retrain.litter import temporary_name

DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # or the user's share of it


Identity = tuple[int, int, int, int, int]


def identity_of(facts: os.stat_result) -> Identity:
    """Device, inode, size, and times of modification and change in ns: a file in which all five
    are as they were holds what it held (git's index trusts the same)."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Makes a folder of this process's own in `parent`, which is removed at the end; after a kill
    by a later run. Raises OSError."""
    folder = temporary_name(parent / name)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary name in `path`'s folder; what was written there becomes `path` at the end.

    After an exception `path` is as it was. Raises RetrainError when the disk refuses.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes the file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def cannot_read(what: str, path: Path, error: OSError) -> RetrainError:
    """The fault to raise when the file `path`, a `what`, could not be read."""
    return RetrainError(
        f"cannot read {what} {path.absolute()}: {error.strerror or one_line(error)}; "
        "give another, or make it readable"
    )


def cannot_write(path: Path, error: OSError) -> RetrainError:
    """The fault to raise when `path` could not be written, with its remedy."""
    if error.errno in DISK_FULL:
        return RetrainError(
            f"the disk is full: could not write {path.absolute()}; "
            "free some space and run the same command again, finished work is kept"
        )
    reason = error.strerror or one_line(error)
    return RetrainError(f"cannot write {path.absolute()}: {reason}; choose another place")


def check_file_can_be_written(path: Path, flag: str) -> None:
    """Proves, before the work starts, that the output file of `flag` can be made.

    Creates missing parent folders; leaves nothing else behind. Raises RetrainError.
    """
    if path.is_dir():
        raise RetrainError(f"{flag} {path.absolute()} is a folder: give the name of a file")
    check_folder_can_be_written(path.parent, flag)


def check_folder_can_be_written(folder: Path, flag: str) -> None:
    """Makes the folder and proves that a file can be created in it. Raises RetrainError."""
    probe = temporary_name(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RetrainError(
            f"{flag}: cannot write into {folder.absolute()}: {reason}; choose another place"
        ) from error


def allow_open_files(wanted: int) -> None:
    """Raises this process's limit of open files to `wanted` where the system has one.

    Each memory-mapped file counts. Raises RetrainError if the system forbids it.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError) as error:
        raise RetrainError(
            f"this run needs {wanted} open files and the system allows {hard}: "
            f"raise the limit (ulimit -Hn {wanted}) or name another --bottleneck_dir"
        ) from error


def user_cache_dir() -> Path:
    """Where features and frozen modules are kept when no flag says otherwise.

    `RETRAIN_CACHE_DIR`, else the system's cache folder for this user (XDG on Linux).
    """
    if chosen := os.environ.get("RETRAIN_CACHE_DIR"):
        return Path(chosen).expanduser()
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "retrain"
