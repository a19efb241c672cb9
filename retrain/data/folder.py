"""The image tree: which photos there are, and of which class. Looks at names only.

What is a photo is told later, by content: until then each file is one, but for what systems and
programs leave in folders (`file_kinds`).
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from retrain.data.file_kinds import is_picture, is_picture_name
from retrain.data.layout import Layout, find_layout, shape_of
from retrain.data.name_matching import composed, loose, match_names
from retrain.data.packed import WANTED, unpacked
from retrain.data.walk import SetAside, Walker
from retrain.errors import RetrainError, counted, few
from retrain.utils.files import Identity
from retrain.utils.nearest import nearest_folder


class Photo(NamedTuple):
    """A photo of the tree.

    Attributes:
        path: Relative to the root, with `/`.
        label: The number of its class.
        identity: As of files.identity_of.
        given_set: The set that its folder names, if any.
    """

    path: str
    label: int
    identity: Identity
    given_set: str | None = None


@dataclass(frozen=True)
class Index:
    """Classes in code-point order of their folder names; photos in order of class, then path.

    Attributes:
        root: The image folder.
        typed: The root as the user wrote it (the legacy split hashes that text).
        classes: Their folder names.
        photos: Of all classes.
        aside: Files that cannot be used, with reasons.
        remarks: What is odd about the tree.
        litter: Paths of what systems left there.
        others: Paths of files that are no pictures.
    """

    root: Path
    typed: str
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    aside: tuple[SetAside, ...] = ()
    remarks: tuple[str, ...] = ()
    litter: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def full_path(self, photo: Photo) -> str:
        """Return where a photo lies."""
        return f"{self.root}/{photo.path}"

    def counts(self) -> list[int]:
        """Count the photos of each class, in class order."""
        found = Counter(photo.label for photo in self.photos)
        return [found[label] for label in range(len(self.classes))]


def read_tree(image_dir: str, ignore: Iterable[Path] = (), least_classes: int = 2) -> Index:
    """Walk `image_dir`, one folder per class with photos anywhere below it, and return the index.

    Left out are hidden files and folders, what systems leave there, and the folders in `ignore`
    (the run's own outputs). Links are followed, each folder once. An archive or a URL is unpacked
    first (`packed`). Top folders that are sets by their names (`train`, `validation`, `test` and
    the like) hold the classes in their sub-folders.
    Folders of different sets, or of one written in two ways of Unicode, whose names mean the same
    are one class (`name_matching`).
    Raises RetrainError for fewer than `least_classes` classes with files in them, and for folders
    that look like sets and are not called so.
    """
    typed = os.path.expanduser(unpacked(image_dir))
    root = Path(typed)
    _check_root(root)
    walker = Walker(root, {path.resolve() for path in ignore})
    folders, loose_files = walker.children(root, "")
    below = {name: walker.files_below(name) for name in folders}
    layout = find_layout(root, {name: shape_of(f[0] for f in below[name]) for name in folders})
    if layout.sets:
        classes = _Classes()
        for folder, given in _training_first(layout):
            inner, more_loose = walker.children(root / folder, folder)
            loose_files += more_loose
            files = below[folder]
            if folder in walker.met_again:  # each class may have the linked folder
                files = [file for name in inner for file in walker.files_below(f"{folder}/{name}")]
            classes.add(folder, inner, given=given, files=files)
        empty_tops = [name for name in folders if name not in (*layout.sets, *layout.left_out)]
    else:
        classes = _Classes()
        classes.add("", folders, given=None, files=[f for files in below.values() for f in files])
        empty_tops = []
    names = tuple(sorted(name for name, found in classes.files.items() if found))
    empty = sorted({*(name for name, found in classes.files.items() if not found), *empty_tops})
    _check_classes(root, names, loose_files, walker=walker, least=least_classes)
    photos = [
        Photo(path, label, identity, given)
        for label, name in enumerate(names)
        for path, identity, given in sorted(classes.files[name])
    ]
    remarks = (
        *layout.remarks,
        *classes.remarks,
        *_remarks(root, names, empty, loose_files=loose_files),
    )
    if len(names) < 2:
        remarks += tuple(_nested_hint(root, names[0], walker))
    aside = tuple(sorted(walker.aside.values(), key=lambda file: file.path))
    litter, others = tuple(walker.litter), tuple(walker.others)
    return Index(root, typed, names, tuple(photos), aside, remarks, litter, others)


def with_photos(index: Index, photos: Sequence[Photo]) -> Index:
    """Return the index with these of its photos only; classes without any are gone from it."""
    left = sorted({photo.label for photo in photos})
    renumbered = {label: position for position, label in enumerate(left)}
    return replace(
        index,
        classes=tuple(index.classes[label] for label in left),
        photos=tuple(photo._replace(label=renumbered[photo.label]) for photo in photos),
    )


def without_unusable(index: Index, reasons: Mapping[str, str]) -> Index:
    """Return the index without the photos that cannot be used for `reasons`, by path.

    Pictures among them are set aside, the other files left out. Classes that lost all of theirs are
    gone from it.
    """
    if not reasons:
        return index
    usable = with_photos(index, [p for p in index.photos if p.path not in reasons])
    gone = [photo.path for photo in index.photos if photo.path in reasons]
    pictures = {path for path in gone if is_picture(f"{index.root}/{path}")}
    aside = [*index.aside, *(SetAside(path, reasons[path]) for path in pictures)]
    lost = [name for name in index.classes if name not in set(usable.classes)]
    remarks = []
    if len(lost) > 1:
        remarks = [
            f"{len(lost)} class folders hold no usable photo; they are left out: {few(lost)}"
        ]
    elif lost:
        remarks = [f"class folder {lost[0]!r} holds no usable photo; it is left out"]
    return replace(
        usable,
        aside=tuple(sorted(aside, key=lambda file: file.path)),
        others=tuple(sorted({*index.others, *(path for path in gone if path not in pictures)})),
        remarks=(*index.remarks, *remarks),
    )


_File = tuple[str, Identity, str | None]


def _training_first(layout: Layout) -> list[tuple[str, str]]:
    """List (folder, set), training first: classes are called as they are in train/."""
    order = ("train", "validation", "test")
    return sorted(layout.sets.items(), key=lambda pair: (order.index(pair[1]), pair[0]))


class _Classes:
    """The files of each class, gathered folder by folder."""

    def __init__(self) -> None:
        self.files: dict[str, list[_File]] = {}
        self.remarks: list[str] = []
        self._first: dict[str, str] = {}  # the folder that gave a class its name

    def add(
        self, parent: str, names: list[str], *, given: str | None, files: list[tuple[str, Identity]]
    ) -> None:
        """Add the folders `names` in `parent`, and all files at any depth below them.

        Args:
            parent: The folder of a set, or "".
            names: Of the class folders.
            given: The set, if the folder names one.
            files: (path, identity) of all files below.
        """
        twins: dict[str, str] = {}
        for name in names:
            twins.setdefault(composed(name), name)
        heads = list(twins.values())
        known = list(self.files)
        alike = {heads[number]: known[place] for number, place in match_names(heads, known).items()}
        depth = 1 if parent else 0
        class_of = {}
        for name in names:
            head = twins[composed(name)]
            label = class_of[name] = alike.get(head, head)
            place = f"{parent}/{name}" if parent else name
            self.files.setdefault(label, [])
            if (other := self._first.get(label)) is not None:
                if composed(label) != composed(name):
                    self.remarks.append(
                        f"{other!r} and {place!r} are taken for one class, {label!r}"
                    )
                elif not parent or other.startswith(f"{parent}/"):
                    self.remarks.append(
                        f"two folders are called {name!r}, written in two ways of Unicode (NFC and "
                        "NFD): they are taken for one class"
                    )
            self._first.setdefault(label, place)
        for path, identity in files:
            parts = path.split("/", depth + 1)
            if len(parts) > depth + 1:
                self.files[class_of[parts[depth]]].append((path, identity, given))


def _check_root(root: Path) -> None:
    if root.is_dir():
        return
    place = os.path.abspath(root)
    what = f"is a file, neither a folder nor {WANTED}" if root.exists() else "does not exist"
    near = None if root.exists() else nearest_folder(Path(place))
    raise RetrainError(
        f"image folder {place} {what}: "
        + (f"did you mean {near}? " if near else "")
        + "give --image_dir the folder that holds one folder per class"
    )


def _check_classes(
    root: Path, classes: tuple[str, ...], loose_files: list[str], *, walker: Walker, least: int
) -> None:
    if len(classes) >= least:
        return
    place = os.path.abspath(root)
    if not classes and loose_files:
        raise RetrainError(
            f"{place} holds {counted(len(loose_files), 'file')} but no folder with photos: "
            f"if this is one class, give its parent, --image_dir {os.path.dirname(place)}"
        )
    if not classes:
        raise RetrainError(
            f"{place} holds no folder with photos: make one folder per class and put photos in it"
        )
    for hint in _nested_hint(root, classes[0], walker):
        raise RetrainError(f"{place} has {hint}")
    raise RetrainError(
        f"{place} has one class only, {classes[0]!r}: a classifier needs two or more folders "
        "with photos (for 'is it X or not', add a folder of other pictures)"
    )


def _nested_hint(root: Path, name: str, walker: Walker) -> Iterator[str]:
    """Yield what to try where the only class holds folders that may be the classes."""
    inner = walker.children(root / name, name)[0]
    if len(inner) >= 2:
        yield (
            f"one class only, {name!r}, which holds {counted(len(inner), 'folder')}: if those are "
            f"the classes, give --image_dir {os.path.join(os.path.abspath(root), name)}"
        )


def _remarks(
    root: Path, classes: Sequence[str], empty: list[str], *, loose_files: list[str]
) -> Iterator[str]:
    if len(empty) > 1:
        yield f"{len(empty)} class folders hold no photo; they are left out: {few(empty)}"
    elif empty:
        yield f"class folder {empty[0]!r} holds no photo; it is left out"
    pictures = [path for path in loose_files if is_picture_name(path)]
    if pictures:
        yield (
            f"{counted(len(pictures), 'picture')} outside the class folders left out "
            f"(the first: {os.path.join(os.path.abspath(root), pictures[0])})"
        )
    blank = [name for name in classes if name != name.strip()]
    if blank:
        yield (
            f"{counted(len(blank), 'class folder')} with a blank at the beginning or end of the "
            f"name, which the label has, too: {few(blank)}"
        )
    first: dict[str, str] = {}
    for name in classes:
        other = first.setdefault(loose(name), name)
        if other != name:
            yield (
                f"{other!r} and {name!r} are two classes, though only case or blanks tell their "
                "names apart"
            )
            return
