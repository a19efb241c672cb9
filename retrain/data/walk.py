"""Walking through folders of photos, as the file system has them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from retrain.data.file_kinds import is_side_file, litter_among
from retrain.utils.files import Identity, identity_of


@dataclass(frozen=True, slots=True)
class SetAside:
    """A picture, or what may hold some, that cannot be used, and why."""

    path: str
    reason: str


class Walker:
    """Lists folders, and gathers what it finds there beside photos, each path once."""

    def __init__(self, root: Path, ignore: set[Path]) -> None:
        self.root = root
        self.ignore = ignore
        self.aside: dict[str, SetAside] = {}
        self.litter: dict[str, None] = {}
        self.others: dict[str, None] = {}
        self.met_again: set[str] = set()  # top folders with a link to a folder seen before

    def children(self, folder: Path, prefix: str) -> tuple[list[str], list[str]]:
        """Return names of visible sub-folders, and paths of visible files, directly inside."""
        folders, files = [], []
        for entry in self._entries(folder, prefix):
            if is_folder(entry):
                if Path(entry.path).resolve() not in self.ignore:
                    folders.append(entry.name)
            else:
                files.append(f"{prefix}/{entry.name}" if prefix else entry.name)
        return sorted(folders), sorted(files)

    def files_below(self, top: str) -> list[tuple[str, Identity]]:
        """List (path relative to the root, identity) of each regular file below `top`."""
        found: list[tuple[str, Identity]] = []
        visited: set[tuple[int, int]] = set()
        stack = [top]
        while stack:
            prefix = stack.pop()
            for entry in self._entries(self.root / prefix, prefix, visited):
                path = f"{prefix}/{entry.name}"
                try:
                    facts = entry.stat()
                except OSError as error:
                    broken = "a broken link" if entry.is_symlink() else str(error.strerror)
                    self._set_aside(path, broken)
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    if not self.ignore or Path(entry.path).resolve() not in self.ignore:
                        stack.append(path)
                elif stat.S_ISREG(facts.st_mode):
                    found.append((path, identity_of(facts)))
                else:
                    self._set_aside(path, "not a regular file")
        return found

    def _set_aside(self, path: str, reason: str) -> None:
        if is_side_file(path):
            self.others[path] = None
        else:
            self.aside[path] = SetAside(path, reason)

    def _entries(
        self, folder: Path, prefix: str, visited: set[tuple[int, int]] | None = None
    ) -> list["os.DirEntry[str]"]:
        """List what is in a folder, by name, without hidden files and litter."""
        try:
            if visited is not None:
                facts = os.stat(folder)
                identity = (facts.st_dev, facts.st_ino)
                if identity in visited:
                    self.met_again.add(prefix.split("/")[0])
                    return []
                visited.add(identity)
            with os.scandir(folder) as entries:
                shown = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            place = prefix or "."
            self.aside[place] = SetAside(place, f"folder not readable: {error.strerror}")
            return []
        litter = litter_among(shown)
        for name in sorted(litter):
            self.litter[f"{prefix}/{name}" if prefix else name] = None
        left = [entry for entry in shown if entry.name not in litter]
        return sorted(left, key=lambda entry: entry.name)


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Tell whether the entry is a folder, or a link to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
