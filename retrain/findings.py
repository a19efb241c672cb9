"""What a run says about the photos it found: counts, warnings, files set aside."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.config import TrainSettings
from retrain.errors import RetrainError, counted
from retrain.files import write_bytes
from retrain.images.split import SETS, TEST, TRAIN, VALIDATION, Split
from retrain.images.tree import Index, SetAside
from retrain.progress import Talk
from retrain.text import printable

FEW_PHOTOS = 20  # the ancestor's limit for a warning


def aside_csv(settings: TrainSettings) -> Path:
    """Where the files that could not be used are listed: beside the graph."""
    return settings.output_graph.parent / "set_aside.csv"


def say_found(index: Index, talk: Talk) -> None:
    counts = [f"{name} {count}" for name, count in zip(index.classes, index.counts(), strict=True)]
    named = ", ".join(counts[:10]) + (", ..." if len(counts) > 10 else "")
    files, classes = counted(len(index.photos), "file"), counted(len(counts), "class", "classes")
    talk.info(f"{files} in {classes}: {named}")


def report_aside(aside: Sequence[SetAside], settings: TrainSettings, talk: Talk) -> None:
    path = aside_csv(settings)
    if aside or path.exists():
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("file", "reason"))
        writer.writerows((file.path, file.reason) for file in aside)
        write_bytes(path, table.getvalue().encode("utf-8", "surrogateescape"))
    if aside and settings.strict:
        raise RetrainError(
            f"--strict: {counted(len(aside), 'file')} cannot be used, the first: {aside[0].path} "
            f"({aside[0].reason}); all are listed in {path.absolute()}; repair or remove them"
        )
    for file in aside[:10]:
        talk.warn(f"set aside {file.path}: {file.reason}")
    if len(aside) > 10:
        talk.warn(f"{counted(len(aside) - 10, 'more file')} set aside: see {path.absolute()}")


def say_split(
    index: Index, labels: np.ndarray, split: Split, settings: TrainSettings, talk: Talk
) -> None:
    table = split.counts(labels, len(index.classes))
    names = [printable(name) for name in index.classes]
    width = max(len(name) for name in (*names, "class", "total"))
    talk.result(f"{'class':<{width}}" + "".join(f"{name:>12}" for name in SETS))
    for name, row in [
        *zip(names, table.tolist(), strict=True),
        ("total", table.sum(0).tolist()),
    ]:
        talk.result(f"{name:<{width}}" + "".join(f"{count:>12}" for count in row))
    for remark in (*index.remarks, *split.remarks):
        talk.warn(remark)
    counts = Counter(labels.tolist())
    for label, name in enumerate(index.classes):
        if counts[label] < FEW_PHOTOS:
            talk.warn(
                f"class {name!r} has {counted(counts[label], 'photo')}, fewer than {FEW_PHOTOS}: "
                "its results will be unsure"
            )
    shares = {VALIDATION: settings.validation_percentage, TEST: settings.testing_percentage}
    for which, share in shares.items():
        empty = [index.classes[label] for label in np.flatnonzero(table[:, which] == 0)]
        if share and empty:
            classes = counted(len(empty), "class", "classes")
            talk.warn(f"no {SETS[which]} photo in {classes} ({', '.join(empty[:5])})")
    untrained = [index.classes[label] for label in np.flatnonzero(table[:, TRAIN] == 0)]
    if untrained:
        raise RetrainError(
            f"class {untrained[0]!r} has no photo to train on: add photos to it, or remove it"
        )
