"""Temporary names, and removing what killed processes left under such names.

A name says who made it: the machine since its last start (and the process namespace on it), the
process, and when that process started. So another run on this machine knows whether its maker
still lives. What another machine or container made beside us is removed when it is old.
"""

import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

OLD_S = 2 * 24 * 3600  # litter of any maker if unchanged for so long; runs write more often
SHOWN_BYTES = 100  # of a name in its temporary name; systems allow 255
NAME = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)
FORMER_NAME = re.compile(r"\..*[.-]\d+-[0-9a-f]{8}\.tmp", re.DOTALL)  # of earlier versions
_swept: set[str] = set()


def temporary_name(path: Path) -> Path:
    """Return a free name beside `path`, hidden, so that nobody takes it for a result.

    The first in a folder also removes what killed processes left in that folder.
    """
    folder = path.parent.absolute()
    if str(folder) not in _swept and os.path.isdir(folder):
        _swept.add(str(folder))
        remove_litter(folder)
    shown = os.fsencode(path.name)[:SHOWN_BYTES].decode("utf-8", "ignore")
    pid = os.getpid()
    maker = f"{_place()}-{pid}-{_start_of(pid) or 0}"
    return path.with_name(f".{shown}.{maker}-{secrets.token_hex(4)}.tmp")


def remove_litter(folder: Path) -> None:
    """Remove the temporary files and folders in `folder` whose makers are dead.

    Never those of a process that lives, of another user, or of another machine within two days.
    """
    try:
        with os.scandir(folder) as entries:
            hidden = [e for e in entries if e.name[0] == "." and e.name.endswith(".tmp")]
    except OSError:
        return
    for entry in hidden:
        with suppress(OSError):
            if _is_litter(entry):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def _is_litter(entry: "os.DirEntry[str]") -> bool:
    made = NAME.fullmatch(entry.name)
    if made is None and not FORMER_NAME.fullmatch(entry.name):
        return False
    facts = entry.stat(follow_symlinks=False)
    if hasattr(os, "geteuid") and facts.st_uid != os.geteuid():
        return False
    if made is not None and made[1] == _place() and made[3] != "0":
        return _start_of(int(made[2])) != int(made[3])
    return time.time() - _last_change(Path(entry.path)) > OLD_S


def _last_change(path: Path) -> float:
    """Return the newest modification time in a file or folder."""
    newest = path.lstat().st_mtime
    if path.is_dir() and not path.is_symlink():
        for inner in path.rglob("*"):
            with suppress(OSError):
                newest = max(newest, inner.lstat().st_mtime)
    return newest


@functools.cache
def _place() -> str:
    """Return eight hex digits for this machine since its last start and this process namespace."""
    facts = [socket.gethostname()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(facts).encode(), digest_size=4).hexdigest()


def _start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since the machine did.

    None if there is no such process, or on a system that does not say.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return int(facts.rpartition(")")[2].split()[19])  # field 22; the name before may hold anything
