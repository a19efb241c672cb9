"""The layout of an image tree: its top folders are classes, or sets with classes in them.

Sets are known by their names. Folders that look like sets but are not called so are refused: as
classes they would give a classifier of nonsense.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrain.data.file_kinds import is_side_file
from retrain.data.name_matching import loose, match_names
from retrain.errors import RetrainError, counted, few

SET_WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "validate": "validation", "valid": "validation",
    "val": "validation", "dev": "validation", "devel": "validation", "development": "validation",
    "test": "test", "tests": "test", "testing": "test", "tst": "test", "eval": "test",
    "evaluation": "test", "holdout": "test",
}  # fmt: skip
# Words that may stand beside one of these: `train_images`, `testset`.
FILLERS = ("set", "dataset", "data", "images", "image", "imgs", "img", "photos", "pictures",
           "pics", "split", "samples")  # fmt: skip
MOST_SETS = 20  # more folders with the same sub-folders are classes, not sets


@dataclass(frozen=True)
class Shape:
    """What a top folder holds; files whose names say that they are no pictures do not count.

    Attributes:
        direct: Photos directly in it.
        inner: Names of its sub-folders that hold photos at any depth.
    """

    direct: int
    inner: tuple[str, ...]

    @property
    def nested(self) -> bool:
        """Whether it could be a set: nothing but folders, two or more."""
        return not self.direct and len(self.inner) > 1


@dataclass(frozen=True)
class Layout:
    """What the top folders are.

    Attributes:
        sets: The set of each top folder that is one; empty: the top folders are classes.
        left_out: Folders beside the sets that are left out.
        remarks: For the user.
    """

    sets: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def shape_of(paths: Iterable[str]) -> Shape:
    """Return the shape of a top folder by the paths of its files, which begin with its name."""
    direct, inner = 0, set()
    for path in paths:
        if not is_side_file(path):
            below = path.split("/", 2)
            if len(below) == 2:
                direct += 1
            else:
                inner.add(below[1])
    return Shape(direct, tuple(sorted(inner)))


def find_layout(root: Path, shapes: Mapping[str, Shape]) -> Layout:
    """Return what the top folders of `root` are, by their shapes; empty ones are ignored.

    Raises RetrainError for folders that look like sets and cannot be taken as such.
    """
    filled = {name: shape for name, shape in shapes.items() if shape.direct or shape.inner}
    named = set_names(list(filled))
    if _are_sets(named, filled):
        return _sets(root, named, filled)
    _refuse_unnamed_sets(root, filled)
    return Layout({}, remarks=tuple(_doubts(named, filled)))


def set_names(folders: Sequence[str]) -> dict[str, str]:
    """Return the set of each of these folders that is called like one.

    Such as `Training`, `test_images`; or `flowers_train` beside `flowers_test`.
    """
    words = {folder: _words(folder) for folder in folders}
    shared = set.intersection(*map(set, words.values())) if len(words) > 1 else set()
    found = {}
    for folder, said in words.items():
        telling = [word for word in said if word not in FILLERS and word not in shared]
        if len(telling) == 1 and telling[0] in SET_WORDS:
            found[folder] = SET_WORDS[telling[0]]
    return found


def _words(folder: str) -> list[str]:
    """Split `Training-Set 2` into training, set; `testset` into test, set."""
    glued = rf"({'|'.join(SET_WORDS)})({'|'.join(FILLERS)})"
    words = re.findall(r"[^\W\d_]+", loose(folder))
    parts = [(word, re.fullmatch(glued, word)) for word in words]
    return [part for word, both in parts for part in (both.groups() if both else (word,))]


def _are_sets(named: Mapping[str, str], filled: Mapping[str, Shape]) -> bool:
    training = [filled[folder] for folder, which in named.items() if which == "train"]
    others = [filled[folder] for folder, which in named.items() if which != "train"]
    if not training:  # enough to evaluate a graph
        return len(others) > 1 and all(shape.nested for shape in others)
    if not others or not any(shape.inner for shape in training):
        return False
    # With photos directly in all of them they are classes with such names.
    return any(shape.inner for shape in others) or not any(shape.direct for shape in training)


def _sets(root: Path, named: Mapping[str, str], filled: Mapping[str, Shape]) -> Layout:
    """Return the layout of folders of which some are sets for sure."""
    tested = _inner(filled[folder] for folder, which in named.items() if which != "train")
    classes = _inner(filled[folder] for folder, which in named.items() if which == "train")
    classes = classes or tested
    known = ", ".join(f"{folder!r}" for folder in named)
    remarks = []
    for folder in filled.keys() - named.keys():
        shape = filled[folder]
        if match_names(shape.inner, classes):
            raise RetrainError(
                f"{os.path.abspath(root)} has the sets {known}, and beside them {folder!r} with "
                f"folders of the same classes ({few(shape.inner)}): call it train, validation or "
                "test, or move it elsewhere"
            )
        if not match_names(tested, classes):
            raise RetrainError(
                f"{os.path.abspath(root)} has folders called like sets, {known}, and beside them "
                f"{folder!r}: if they are sets, move {folder!r} elsewhere; if they are classes, "
                "call them otherwise"
            )
        remarks.append(f"folder {folder!r} beside the sets {known} is none of them; it is left out")
    remarks += [
        f"set folder {folder!r} holds {counted(filled[folder].direct, 'picture')} and no folder "
        f"for each class, so it is no {which} set; it is left out"
        for folder, which in named.items()
        if not filled[folder].inner
    ]
    sets = {folder: which for folder, which in named.items() if filled[folder].inner}
    return Layout(sets, tuple(sorted(filled.keys() - sets.keys())), tuple(sorted(remarks)))


def _refuse_unnamed_sets(root: Path, filled: Mapping[str, Shape]) -> None:
    alike = _alike(filled)
    if len(alike) == len(filled) > 1:
        raise RetrainError(
            f"{os.path.abspath(root)}: {few(alike)} hold no photos but the same folders "
            f"({few(filled[alike[0]].inner)}), as sets do: call the sets train, validation and "
            "test; if the inner folders are the classes, put each class into one folder; if "
            "the outer ones are, put photos directly into them"
        )


def _alike(filled: Mapping[str, Shape]) -> list[str]:
    """List the folders that hold the same folders as the fullest of them, or some of these.

    Empty for more than MOST_SETS.
    """
    nested = sorted(
        (folder for folder, shape in filled.items() if shape.nested),
        key=lambda folder: -len(filled[folder].inner),
    )
    for number, largest in enumerate(nested if len(nested) <= MOST_SETS else ()):
        names = filled[largest].inner
        alike = [
            folder
            for folder in nested[number:]
            if len(match_names(filled[folder].inner, names)) == len(filled[folder].inner)
        ]
        if len(alike) > 1:
            return sorted(alike)
    return []


def _doubts(named: Mapping[str, str], filled: Mapping[str, Shape]) -> Iterator[str]:
    """Yield remarks on classes that may have been meant as sets."""
    if len(filled) > 1 and len(named) == len(filled):
        yield (
            f"{few(tuple(named))} are taken for classes: if they are sets, put into each a folder "
            "for each class"
        )
        return
    alike = _alike(filled)
    if alike:
        yield (
            f"{few(alike)} are taken for classes, though they hold the same folders "
            f"({few(filled[alike[0]].inner)}): if they are sets, call them train, validation and "
            "test, and move the other folders elsewhere"
        )
        return
    for folder in named:
        if filled[folder].nested:
            yield (
                f"{folder!r} is taken for a class, as the folders beside it are: if it is a set, "
                f"whose classes are {few(filled[folder].inner)}, move the others elsewhere"
            )


def _inner(shapes: Iterable[Shape]) -> list[str]:
    return sorted({name for shape in shapes for name in shape.inner})
