"""Labels of a graph that does not carry them: in a file that is named, or lies beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrain.errors import RetrainError, counted
from retrain.files import cannot_read

# What older tools called them.
USUAL_NAMES = (
    "retrained_labels.txt",
    "output_labels.txt",
    "labels.txt",
    "imagenet_slim_labels.txt",
)
INSIDE_SAVED_MODEL = ("assets.extra/labels.txt", "assets/labels.txt", *USUAL_NAMES)


@dataclass(frozen=True)
class Labels:
    """Names in class order; `source` says in words where they come from; `beside`: from a file
    that nobody named."""

    names: tuple[str, ...]
    source: str
    beside: Path | None = None


def labels_in(text: str) -> tuple[str, ...]:
    """One a line, in class order. Where each line begins with its own number and a colon, as in
    `0:background`, these are no part of the labels."""
    lines = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
    numbered = [re.match(rf"{number}: ?(.+)", line) for number, line in enumerate(lines)]
    return tuple(found[1] for found in numbered if found) if all(numbered) else tuple(lines)


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a text file. Raises RetrainError."""
    try:
        return labels_in(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        raise cannot_read("labels", path, error) from error


def find_labels(
    graph: Path, carried: tuple[str, ...] | None, classes: int, given: Path | None
) -> Labels:
    """Those in the file that is `given`, else those that the graph carries, else those of the first
    of the usual files beside it that has one line for each class. Raises RetrainError."""
    if given is not None:
        found = Labels(read_labels(given), f"--labels {given}")
        _check(found.names, classes, str(given.absolute()))
        return found
    if carried is not None:
        _check(carried, classes, f"the labels in {graph.absolute()}")
        return Labels(carried, "the graph")
    near = {path: read_labels(path) for path in _beside(graph) if path.is_file()}
    for path, names in near.items():
        if len(names) == classes:
            return Labels(names, "the file beside the graph that has a line for each class", path)
    others = "".join(
        f"; {path.name} beside it has {counted(len(names), 'label')} for "
        f"{counted(classes, 'class', 'classes')}"
        for path, names in list(near.items())[:1]
    )
    raise RetrainError(
        f"{graph.absolute()} does not carry its labels{others}: give --labels, the text file that "
        "was made with it"
    )


def _check(names: tuple[str, ...], classes: int, where: str) -> None:
    if len(names) != classes:
        raise RetrainError(
            f"{where}: {counted(len(names), 'label')} for a graph with "
            f"{counted(classes, 'class', 'classes')}: give the labels file that was made with "
            "this graph"
        )


def _beside(graph: Path) -> Iterator[Path]:
    """Where labels are looked for, in this order."""
    whole = graph.absolute()
    if whole.is_dir():
        yield from (whole / name for name in INSIDE_SAVED_MODEL)
    for name in (f"{whole.stem}.txt", f"{whole.stem}_labels.txt", *USUAL_NAMES):
        yield whole.parent / name
