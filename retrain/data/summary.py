"""The summary of a run's photos for the user: counts, warnings, files set aside."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from retrain.data.config import DataConfig
from retrain.data.file_kinds import is_side_file
from retrain.data.folder import Index
from retrain.data.split import SETS, TEST, TRAIN, VALIDATION, Split
from retrain.data.walk import SetAside
from retrain.errors import RetrainError, counted, few
from retrain.utils.files import write_bytes
from retrain.utils.logs import print_result
from retrain.utils.text import csv_row, printable

log = logging.getLogger(__name__)

ASIDE_CSV = "set_aside.csv"  # the list of files that could not be used, beside the graph
FEW_PHOTOS = 20  # as in retrain.py: the limit for a warning
FEW_CLASSES = 5  # that get a warning each; more share one


def say_found(index: Index) -> None:
    """Log what the tree holds by the names of its files, before any is opened."""
    counts = Counter(photo.label for photo in index.photos if not is_side_file(photo.path))
    each = [f"{name} {counts[label]}" for label, name in enumerate(index.classes)]
    named = ", ".join(each[:10]) + (", ..." if len(each) > 10 else "")
    files, classes = counted(counts.total(), "file"), counted(len(each), "class", "classes")
    log.info(f"{files} in {classes}: {named}")
    if index.litter:
        what = _by_kind(PurePosixPath(path).name for path in index.litter)
        log.info(
            f"{counted(len(index.litter), 'file or folder', 'files and folders')} of systems and "
            f"programs left out: {what}"
        )


def say_left_out(index: Index) -> None:
    """Log what is odd about the tree, and which files in it are no pictures."""
    for remark in index.remarks:
        log.warning(remark)
    if index.others:
        suffixes = (PurePosixPath(path).suffix.lower() for path in index.others)
        what = _by_kind(suffix or "without a suffix" for suffix in suffixes)
        log.info(f"{counted(len(index.others), 'other file')} left out: {what}")


def _by_kind(kinds: Iterable[str]) -> str:
    """Return `.json (12), .xml (3)`, the most frequent first."""
    counts = Counter(kinds)
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    return ", ".join(f"{kind} ({counts[kind]})" for kind in ordered[:10]) + (
        ", ..." if len(ordered) > 10 else ""
    )


def report_aside(aside: Sequence[SetAside], path: Path, *, strict: bool, csv_safe: bool) -> None:
    """List the files that cannot be used in a CSV file, and name the first.

    Args:
        aside: The files; if there are none, an old list is emptied.
        path: The CSV file.
        strict: Files that cannot be used are an error.
        csv_safe: See `text.csv_row`.

    Raises:
        RetrainError: There are such files and `strict`, or the list cannot be written.
    """
    if aside or path.exists():
        rows = [("file", "reason"), *((file.path, file.reason) for file in aside)]
        table = "".join(csv_row(row, safe=csv_safe) for row in rows)
        write_bytes(path, table.encode("utf-8", "surrogateescape"))
    if aside and strict:
        raise RetrainError(
            f"--strict: {counted(len(aside), 'file')} cannot be used, the first: {aside[0].path} "
            f"({aside[0].reason}); all are listed in {path.absolute()}; repair or remove them"
        )
    say_aside(aside, f": see {path.absolute()}")


def say_aside(aside: Sequence[SetAside], where: str = "") -> None:
    """Name the first files that cannot be used; `where` all are listed."""
    for file in aside[:10]:
        log.warning(f"set aside {file.path}: {file.reason}")
    if len(aside) > 10:
        log.warning(f"{counted(len(aside) - 10, 'more file')} set aside{where}")


def say_narrow(paths: Sequence[str]) -> None:
    """Warn of 16-bit photos at `paths` whose values fill little of their range."""
    if paths:
        log.warning(
            f"{counted(len(paths), '16-bit photo')} whose values fill less than a quarter of the "
            f"range (the first: {printable(paths[0])}): the network sees them nearly of one "
            "brightness; if they have 10, 12 or 14 bits of data, stretch them to the whole range"
        )


def say_split(index: Index, labels: np.ndarray, split: Split, *, config: DataConfig) -> None:
    """Print the photos of each class and set, and warn of classes with few photos.

    Args:
        index: The photos.
        labels: (N,) classes.
        split: The set of each photo.
        config: How the photos are divided.

    Raises:
        RetrainError: A class has no photo to train on.
    """
    table = split.counts(labels, len(index.classes))
    names = [printable(name) for name in index.classes]
    width = max(len(name) for name in (*names, "class", "total"))
    print_result(f"{'class':<{width}}" + "".join(f"{name:>12}" for name in SETS))
    for name, row in [
        *zip(names, table.tolist(), strict=True),
        ("total", table.sum(0).tolist()),
    ]:
        print_result(f"{name:<{width}}" + "".join(f"{count:>12}" for count in row))
    for remark in split.remarks:
        log.warning(remark)
    _warn_of_few(index, table.sum(1).tolist())
    shares = {VALIDATION: config.validation_percentage, TEST: config.testing_percentage}
    for which, share in shares.items():
        empty = [index.classes[label] for label in np.flatnonzero(table[:, which] == 0)]
        if share and empty:
            classes = counted(len(empty), "class", "classes")
            log.warning(f"no {SETS[which]} photo in {classes} ({few(empty)})")
    untrained = [index.classes[label] for label in np.flatnonzero(table[:, TRAIN] == 0)]
    if untrained:
        more = f" (nor have {few(untrained[1:])})" if len(untrained) > 1 else ""
        raise RetrainError(
            f"class {untrained[0]!r} has no photo to train on{more}: add photos to it, or remove it"
        )


def _warn_of_few(index: Index, counts: list[int]) -> None:
    small = [label for label, count in enumerate(counts) if count < FEW_PHOTOS]
    if len(small) <= FEW_CLASSES:
        for label in small:
            log.warning(
                f"class {index.classes[label]!r} has {counted(counts[label], 'photo')}, fewer than "
                f"{FEW_PHOTOS}: its results will be unsure"
            )
    else:
        small.sort(key=lambda label: counts[label])
        each = [f"{index.classes[label]!r} {counts[label]}" for label in small[:5]]
        named = ", ".join(each) + ", ..."
        log.warning(
            f"{len(small)} classes have fewer than {FEW_PHOTOS} photos, and their results will be "
            f"unsure: {named}"
        )
