"""The photos to label, from what the user names: files, folders, patterns, a list on stdin.

Only the names of one folder at a time, and those that a pattern matches, are held in memory.
"""

import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from retrain.data.decoding.foreign_formats import HEAD
from retrain.data.decoding.formats import format_of
from retrain.data.file_kinds import is_litter, is_picture_name, litter_among
from retrain.data.in_memory import InMemory
from retrain.data.walk import is_folder
from retrain.errors import one_line
from retrain.inference.path_list import read_paths

LIST = "-"  # stands for the list of paths on standard input
MAGIC = "*?["  # a name with one of these is a pattern, unless a file has that name


class Input(NamedTuple):
    """The path of a photo as it was given or found; or why there is no photo to try.

    `photo`: the photo itself, where it is in memory and `name` only stands for it.
    """

    name: str
    problem: str | None = None
    photo: InMemory | None = None


def list_inputs(names: Sequence[str], left_out: Path | None = None) -> Iterator[Input | None]:
    """Yield the photos that `names` stand for, in that order.

    - A folder: files that may be photos at any depth below it, by suffix or else by their first
      bytes, in code-point order of the paths. Hidden files and folders, litter of operating systems
      and the folder `left_out` are left out; links are followed, each folder once.
    - A pattern (`*`, `?`, `[...]`, `**` for any depth), unless a file has that name: each match in
      order, as if it were named. What lies in a folder that matched as well comes once.
    - `-`: each path of the list on standard input, as path_list.read_paths reads it. Each is one
      photo, whatever characters it has. A None says that nothing more is there for now.
    - Anything else is a photo, to be tried.

    A folder or pattern without photos comes as one input with its problem.
    Raises RetrainError if standard input cannot be read.
    """
    for name in names:
        if name == LIST:
            for listed in read_paths(sys.stdin.fileno() if sys.stdin else -1):  # there may be none
                yield None if listed is None else _listed(listed)
        elif os.path.isdir(name):
            yield from _in_folder(name, left_out)
        elif is_pattern(name):
            yield from _matches(name, left_out)
        else:
            yield Input(name)


def count_inputs(names: Sequence[str], left_out: Path | None = None) -> int | None:
    """Count the inputs; None if a list on standard input is among them."""
    return None if LIST in names else sum(1 for _ in list_inputs(names, left_out))


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern, which no file has as its name."""
    return not os.path.lexists(name) and any(sign in name for sign in MAGIC)


def may_be_photo(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file has the suffix or the first bytes of a photo."""
    if is_picture_name(os.fspath(path)):
        return True
    try:
        with open(path, "rb") as file:
            return format_of(file.read(HEAD)) is not None
    except OSError:
        return False


def _in_folder(folder: str, left_out: Path | None) -> Iterator[Input]:
    if left_out is not None and os.path.samefile(folder, left_out):
        return
    found = _below(folder, set() if left_out is None else {_identity(left_out)})
    yield next(found, Input(folder, "holds no photo"))
    yield from found


def _below(folder: str, visited: set[tuple[int, int]]) -> Iterator[Input]:
    try:
        identity = _identity(folder)
        if identity in visited:
            return
        visited.add(identity)
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            litter = litter_among(visible)
            shown = [(is_folder(e), e) for e in visible if e.name not in litter]
    except OSError as error:
        yield Input(folder, f"folder cannot be read: {error.strerror or one_line(error)}")
        return
    # With the slash, sorting folder by folder gives the order of whole paths.
    for inner, entry in sorted(shown, key=lambda one: one[1].name + "/" * one[0]):
        path = os.path.join(folder, entry.name)
        if inner:
            yield from _below(path, visited)
        elif _can_be_opened(entry) and may_be_photo(path):
            yield Input(path)


def _can_be_opened(entry: "os.DirEntry[str]") -> bool:
    """Tell whether an entry of a folder may be opened.

    False for pipes and devices, which may never end. True for broken links, so that the reading
    reports them.
    """
    try:
        return stat.S_ISREG(entry.stat().st_mode) if entry.is_symlink() else entry.is_file()
    except OSError:
        return True


def _identity(folder: str | Path) -> tuple[int, int]:
    facts = os.stat(folder)
    return facts.st_dev, facts.st_ino


def _matches(pattern: str, left_out: Path | None) -> Iterator[Input]:
    folders: set[str] = set()
    found = {name for form in _readings(pattern) for name in glob.iglob(form, recursive=True)}
    names = sorted(name for name in found if not _strays(name, pattern))
    if not names:
        yield Input(pattern, "no file matches this pattern")
    for name in names:
        if any(parent in folders for parent in _parents(name)):
            continue
        if os.path.isdir(name):
            folders.add(os.path.normpath(name))
            yield from _in_folder(name, left_out)
        else:
            yield Input(name)


def _readings(pattern: str) -> Iterator[str]:
    """Yield the pattern as it is, and with its brackets as characters of folder and file names."""
    yield pattern
    if "[" in pattern:
        yield pattern.replace("[", "[[]")
        literal = ""  # the part that names existing folders; the rest is a pattern
        parts = pattern.split(os.sep)
        while parts and os.path.isdir(literal + parts[0] + os.sep):
            literal += parts.pop(0) + os.sep
        yield glob.escape(literal) + os.sep.join(parts)


def _strays(name: str, pattern: str) -> bool:
    """Tell whether a match lies in a system's litter that the pattern does not name."""
    return any(is_litter(part) and part not in pattern for part in name.split(os.sep))


def _parents(name: str) -> Iterator[str]:
    path = os.path.normpath(name)
    while (above := os.path.dirname(path)) != path:
        yield above or os.curdir
        path = above


def _listed(path: str) -> Input:
    problem = "is a folder: name it as an argument, or list its photos"
    return Input(path, problem if os.path.isdir(path) else None)
