"""The image tree: which photos there are, and of which class. Looks at names only."""

import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from retrain.errors import RetrainError, counted

SET_FOLDERS = {
    "train": "train", "validation": "validation", "val": "validation", "valid": "validation",
    "test": "test",
}  # fmt: skip

# Only for the remark on files that lie where no class is; what is in a class is told by content.
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class Photo(NamedTuple):
    """`path` is relative to the root, with `/`; `given_set` is the set its folder names, if any."""

    path: str
    label: int
    size: int
    mtime_ns: int
    given_set: str | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Index:
    """Classes in code-point order of their folder names; photos in order of class, then path.

    `typed` is the root as the user wrote it (the legacy split hashes that text).
    """

    root: Path
    typed: str
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    aside: tuple[SetAside, ...] = ()
    remarks: tuple[str, ...] = ()

    def full_path(self, photo: Photo) -> str:
        return f"{self.root}/{photo.path}"

    def counts(self) -> list[int]:
        """Photos of each class, in class order."""
        found = Counter(photo.label for photo in self.photos)
        return [found[label] for label in range(len(self.classes))]


def read_tree(image_dir: str, ignore: Iterable[Path] = ()) -> Index:
    """Walks `image_dir`: one folder per class, photos anywhere below it.

    Hidden files and folders are left out, and so are the folders in `ignore` (the run's own
    outputs). Links are followed, each folder once. If all top folders are named `train`,
    `validation` (`val`, `valid`) and `test`, their sub-folders are the classes.
    Raises RetrainError if there are fewer than two classes with files in them.
    """
    typed = os.path.expanduser(image_dir)
    root = Path(typed)
    _check_root(root)
    walker = _Walker(root, {path.resolve() for path in ignore})
    folders, loose = walker.children(root, "")
    sets = _given_sets(walker, folders)
    files: dict[str, list[_File]] = {}
    if sets:
        for set_name, set_folder in sets:
            inner, more_loose = walker.children(root / set_folder, set_folder)
            loose += more_loose
            for name in inner:
                found = walker.files_below(f"{set_folder}/{name}")
                files.setdefault(name, []).extend((*file, set_name) for file in found)
    else:
        for name in folders:
            files[name] = [(*file, None) for file in walker.files_below(name)]
    empty = sorted(name for name, found in files.items() if not found)
    classes = tuple(sorted(name for name, found in files.items() if found))
    _check_classes(root, classes, loose, walker)
    photos = [
        Photo(path, label, size, mtime_ns, given)
        for label, name in enumerate(classes)
        for path, size, mtime_ns, given in sorted(files[name])
    ]
    remarks = _remarks(root, empty, loose)
    return Index(root, typed, classes, tuple(photos), tuple(walker.aside), remarks)


_File = tuple[str, int, int, str | None]


class _Walker:
    def __init__(self, root: Path, ignore: set[Path]) -> None:
        self.root = root
        self.ignore = ignore
        self.aside: list[SetAside] = []

    def children(self, folder: Path, prefix: str) -> tuple[list[str], list[str]]:
        """Names of the visible sub-folders, and paths of the visible files, directly inside."""
        folders, files = [], []
        for entry in self._entries(folder, prefix):
            if _is_folder(entry):
                if Path(entry.path).resolve() not in self.ignore:
                    folders.append(entry.name)
            else:
                files.append(f"{prefix}/{entry.name}" if prefix else entry.name)
        return sorted(folders), sorted(files)

    def files_below(self, top: str) -> list[tuple[str, int, int]]:
        """(path relative to the root, size, mtime in ns) of each regular file below `top`."""
        found: list[tuple[str, int, int]] = []
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
                    self.aside.append(SetAside(path, broken))
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    if not self.ignore or Path(entry.path).resolve() not in self.ignore:
                        stack.append(path)
                elif stat.S_ISREG(facts.st_mode):
                    found.append((path, facts.st_size, facts.st_mtime_ns))
                else:
                    self.aside.append(SetAside(path, "not a regular file"))
        return found

    def _entries(
        self, folder: Path, prefix: str, visited: set[tuple[int, int]] | None = None
    ) -> list["os.DirEntry[str]"]:
        try:
            if visited is not None:
                facts = os.stat(folder)
                identity = (facts.st_dev, facts.st_ino)
                if identity in visited:
                    return []
                visited.add(identity)
            with os.scandir(folder) as entries:
                shown = [entry for entry in entries if not entry.name.startswith(".")]
            return sorted(shown, key=lambda entry: entry.name)
        except OSError as error:
            self.aside.append(SetAside(prefix or ".", f"folder not readable: {error.strerror}"))
            return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _given_sets(walker: _Walker, folders: list[str]) -> list[tuple[str, str]]:
    """(set, folder) pairs if the top folders are sets rather than classes, else none."""
    named = [(SET_FOLDERS.get(folder.lower()), folder) for folder in folders]
    sets = [(set_name, folder) for set_name, folder in named if set_name is not None]
    if len(sets) != len(folders) or len(sets) < 2 or "train" not in dict(sets):
        return []
    if not all(walker.children(walker.root / folder, folder)[0] for _, folder in sets):
        return []  # photos lie directly in them, so these are classes that happen to be named so
    return sets


def _check_root(root: Path) -> None:
    if root.is_dir():
        return
    place = os.path.abspath(root)
    what = "is a file, not a folder" if root.exists() else "does not exist"
    raise RetrainError(
        f"image folder {place} {what}: give --image_dir the folder that holds one folder per class"
    )


def _check_classes(root: Path, classes: tuple[str, ...], loose: list[str], walker: _Walker) -> None:
    if len(classes) >= 2:
        return
    place = os.path.abspath(root)
    if not classes and loose:
        raise RetrainError(
            f"{place} holds {counted(len(loose), 'file')} but no folder with photos: "
            f"if this is one class, give its parent, --image_dir {os.path.dirname(place)}"
        )
    if not classes:
        raise RetrainError(
            f"{place} holds no folder with photos: make one folder per class and put photos in it"
        )
    inner = walker.children(root / classes[0], classes[0])[0]
    if len(inner) >= 2:
        raise RetrainError(
            f"{place} has one class only, {classes[0]!r}, which holds "
            f"{counted(len(inner), 'folder')}: if those are the classes, give "
            f"--image_dir {os.path.join(place, classes[0])}"
        )
    raise RetrainError(
        f"{place} has one class only, {classes[0]!r}: a classifier needs two or more folders "
        "with photos (for 'is it X or not', add a folder of other pictures)"
    )


def _remarks(root: Path, empty: list[str], loose: list[str]) -> tuple[str, ...]:
    remarks = [f"class folder {name!r} holds no photo; it is left out" for name in empty]
    pictures = [path for path in loose if path.lower().endswith(PICTURE_SUFFIXES)]
    if pictures:
        remarks.append(
            f"{counted(len(pictures), 'picture')} outside the class folders left out "
            f"(the first: {os.path.join(os.path.abspath(root), pictures[0])})"
        )
    return tuple(remarks)
