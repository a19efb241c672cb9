"""Sorting photos into folders by their labels. The photos themselves are only read."""

import filecmp
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from retrain.data.class_names import unknown_answer
from retrain.errors import RetrainError
from retrain.inference.answers import LabelledPhoto
from retrain.utils.files import cannot_write
from retrain.utils.new_folders import make_folder
from retrain.utils.temporary import temporary_name

LONGEST_FILE_NAME = 255  # bytes
LONGEST_NAME = 60  # characters, of up to four bytes; systems allow 255 bytes


class Sorter:
    """Puts photos into folders by their likeliest label.

    Attributes:
        unknown: The folder's name for photos without a label.
        folders: The folder of each label.
        link: Put symbolic links, not copies.
    """

    def __init__(self, folder: Path, labels: Iterable[str], *, link: bool) -> None:
        """Name a folder below `folder` for each of the labels that may come.

        Raises RetrainError if something else has the name of one of these folders.
        """
        classes = list(labels)
        self.unknown = unknown_answer(classes)
        names = folder_names([self.unknown, *classes])
        self.folders = {label: folder / name for label, name in names.items()}
        self.link = link
        for name in self.folders.values():
            if os.path.lexists(name) and not os.path.isdir(name):
                raise RetrainError(
                    f"--sort_into: {name} is no folder, but photos may have to go into it: "
                    "move it, or name another folder"
                )

    def place(self, row: LabelledPhoto) -> None:
        """Put the photo of a row without problem into its folder.

        No file there is touched: where one of this name has the same content, it is left; beside
        one with another content goes `NAME-2.jpg`, `NAME-3.jpg` and so on. Raises RetrainError when
        the disk refuses.
        """
        label = row.labels[0][0] if row.labels else self.unknown
        photo, first = row.path, self.folders[label] / row.path.name
        target, number = first, 1
        try:
            make_folder(target.parent)
            # Another process may put the same photo there between the first look and the attempt.
            while not (
                _is_same(photo, target) or self._put(photo, target) or _is_same(photo, target)
            ):
                number += 1
                target = first.with_name(_numbered(first.name, number))
        except OSError as error:
            raise cannot_write(target, error) from error

    def _put(self, photo: Path, target: Path) -> bool:
        """Put the photo there and tell whether that worked; False if something is there already."""
        if os.path.lexists(target):
            return False
        if not self.link:
            return _copy(photo, target)
        try:
            target.symlink_to(photo.absolute())
        except FileExistsError:
            return False
        return True


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a folder name for each label, no two alike: the label itself where possible.

    Slashes and control characters become `_`; names that would be hidden or empty begin with `_`.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in dict.fromkeys(labels):
        plain = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in label)
        plain = plain[:LONGEST_NAME]
        if not plain or plain.startswith("."):
            plain = f"_{plain}"
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name)
        names[label] = name
    return names


def _numbered(name: str, number: int) -> str:
    """Return `NAME-2.jpg` for `NAME.jpg`; NAME is cut at a character where it would be too long."""
    stem, suffix = os.path.splitext(name)
    end = f"-{number}{suffix}"
    while len(os.fsencode(stem + end)) > LONGEST_FILE_NAME and stem:
        stem = stem[:-1]
    return stem + end


def _is_same(photo: Path, target: Path) -> bool:
    try:
        return os.path.samefile(photo, target) or filecmp.cmp(photo, target, shallow=False)
    except OSError:  # nothing there, or a broken link
        return False


def _copy(photo: Path, target: Path) -> bool:
    """Copy a photo and tell whether that worked; False if the name is taken.

    The copy appears under its name when it is whole.
    """
    temporary = temporary_name(target)
    try:
        shutil.copy2(photo, temporary)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if os.path.lexists(target):
                return False
            temporary.rename(target)
        return True
    finally:
        with suppress(OSError):
            temporary.unlink()
