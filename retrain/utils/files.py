"""Writing files so that no reader sees half of one; checking beforehand that it can be done."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_path

from retrain.errors import RetrainError, UsageFault, one_line
from retrain.utils.new_folders import make_folder
from retrain.utils.temporary import temporary_name

DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # or the user's share of it
NOT_REGULAR = "not a regular file"  # but a pipe, socket or device

Identity = tuple[int, int, int, int, int]


def identity_of(facts: os.stat_result) -> Identity:
    """Return device, inode, size, and times of modification and change in ns.

    A file in which all five are as they were holds what it held (git's index trusts the same).
    """
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Make a folder of this process's own in `parent`, and remove it at the end of the block.

    After a kill a later run removes it. Raises OSError.
    """
    folder = temporary_name(parent / name)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name in `path`'s folder; what is written there becomes `path` at the end.

    After an exception `path` is as it was. Raises RetrainError when the disk refuses.
    """
    temporary = temporary_name(path)
    try:
        if not _may_be_replaced(path):  # os.replace would replace it without asking
            raise OSError(errno.EINVAL, NOT_REGULAR)
        make_folder(path.parent)
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Yield a place for a file or folder of the same name, hidden beside `path`.

    `publish` gives it its name; what was not published is removed at the end of the block. Raises
    RetrainError when the disk refuses.
    """
    with ExitStack() as stack:
        try:
            make_folder(path.parent)
            hidden = stack.enter_context(scratch_folder(path.parent, path.name))
        except OSError as error:
            raise cannot_write(path, error) from error
        yield hidden / path.name


def publish(draft: Path, path: Path) -> None:
    """Rename what was `drafted` to `path`, in one step; raise RetrainError when the disk refuses.

    `path` may be another name than the draft was made for.
    """
    try:
        if not _may_be_replaced(path):
            raise OSError(errno.EINVAL, NOT_REGULAR)
        make_folder(path.parent)
        if draft.is_file():
            with open(draft, "rb") as written:
                os.fsync(written.fileno())
        try:
            os.replace(draft, path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.move(draft, path)  # onto another disk: not in one step
    except OSError as error:
        raise cannot_write(path, error) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raise RetrainError when the disk refuses."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def open_regular(path: "str | os.PathLike[str]") -> BinaryIO:
    """Open a file for reading its bytes; raise OSError, also if it is a pipe, socket or device.

    Such a one may keep its reader waiting for ever, and is not opened.
    """
    if _is_special(path):
        raise OSError(errno.EINVAL, NOT_REGULAR, os.fspath(path))
    return open(path, "rb")


def _is_special(path: "str | os.PathLike[str]") -> bool:
    """Tell whether there is a pipe, socket or device under this name."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # nothing there, or nothing that can be seen
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _may_be_replaced(path: Path) -> bool:
    """Tell whether a file may take this name.

    Not that of a pipe, socket or device, nor the system's for a stream (`/dev/stdout`), which may
    lead to an ordinary file.
    """
    return not _is_special(path) and not (
        os.path.islink(path) and path.parent.resolve() == Path(os.devnull).parent
    )


def cannot_read(what: str, path: Path, error: OSError) -> RetrainError:
    """Return the error for a file `path`, a `what`, that could not be read."""
    return RetrainError(
        f"cannot read {what} {path.absolute()}: {error.strerror or one_line(error)}; "
        "give another, or make it readable"
    )


def cannot_write(path: Path, error: OSError) -> RetrainError:
    """Return the error for a file that could not be written, with its remedy."""
    if error.errno in DISK_FULL:
        return RetrainError(
            f"the disk is full: could not write {path.absolute()}; "
            "free some space and run the same command again, finished work is kept"
        )
    reason = error.strerror or one_line(error)
    return RetrainError(f"cannot write {path.absolute()}: {reason}; choose another place")


def check_file_can_be_written(path: Path, flag: str) -> None:
    """Raise RetrainError unless the output file of `flag` can be made.

    Creates missing parent folders; leaves nothing else behind.
    """
    if os.path.isdir(path):  # unlike Path.is_dir, also below a folder that is closed to us
        raise RetrainError(f"{flag} {path.absolute()} is a folder: give the name of a file")
    if not _may_be_replaced(path):
        raise UsageFault(
            f"{flag} {path} is no ordinary file but a pipe, socket or device: "
            "give the name of a file"
        )
    check_folder_can_be_written(path.parent, flag)


def check_folder_can_be_written(folder: Path, flag: str) -> None:
    """Make the folder; raise RetrainError unless a file can be created in it."""
    probe = temporary_name(folder / "probe")
    try:
        make_folder(folder)
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RetrainError(
            f"{flag}: cannot write into {folder.absolute()}: {reason}; choose another place"
        ) from error


def open_files_allowed(wanted: int) -> int:
    """Ask the system for `wanted` open files, and return how many this process may have.

    A memory-mapped file counts as open.
    """
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (ValueError, OSError):
        return soft
    return most


def user_cache_dir() -> Path:
    """Return the folder of features and frozen modules when no flag says otherwise.

    `RETRAIN_CACHE_DIR`, else the system's cache folder for this user: on Linux
    `$XDG_CACHE_HOME/retrain` or `~/.cache/retrain`. A user without a home folder, as in a container
    that runs under a bare number, has a folder in the system's folder for temporary files. Raises
    RetrainError if that folder is another's.
    """
    if chosen := os.environ.get("RETRAIN_CACHE_DIR"):
        return home_expanded(chosen)
    with suppress(RuntimeError):  # platformdirs' for no home folder; older ones leave the "~"
        folder = user_cache_path("retrain", appauthor=False)
        if folder.is_absolute():
            return folder
    return _homeless_cache_dir()


def home_expanded(path: str) -> Path:
    """Return the path with `~` as the home folder; raise RetrainError if there is none."""
    expanded = os.path.expanduser(path)
    if expanded == path and path.split(os.sep)[0] == "~":
        raise RetrainError(f"{path}: this user has no home folder: give the whole path")
    return Path(expanded)


def _homeless_cache_dir() -> Path:
    """Return a cache folder among the system's temporary files.

    Anybody can guess its name, so it is used only if nobody else can write into it.
    """
    number = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"retrain-cache-{number}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
    except OSError as error:
        raise cannot_write(folder, error) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != number or facts.st_mode & 0o022:
        raise RetrainError(
            f"{folder} is not this user's alone: set RETRAIN_CACHE_DIR to a folder that is"
        )
    return folder


@contextmanager
def run_folder(beside: Path) -> Iterator[Path]:
    """Make a folder for the files of one run, and remove it at the end of the block.

    Among the system's temporary files, or `beside` the file of that name where the system has no
    place for them. Raises RetrainError.
    """
    with ExitStack() as stack:
        try:
            try:
                parent = Path(tempfile.gettempdir())
            except OSError:
                parent = beside.parent
                make_folder(parent)
            folder = stack.enter_context(scratch_folder(parent, "retrain"))
        except OSError as error:
            raise cannot_write(beside, error) from error
        yield folder
