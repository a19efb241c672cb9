"""Labels of a graph that does not carry them: in a file that is named, or lies beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrain.artifacts.manifest import labels_bytes
from retrain.errors import RetrainError, counted
from retrain.utils.text import decoded, lines_of, read_bytes

# What older tools called them.
USUAL_NAMES = (
    "retrained_labels.txt",
    "output_labels.txt",
    "labels.txt",
    "imagenet_slim_labels.txt",
)
# A line with its own number: marked off by a sign, before or after the name; by blanks only.
NUMBERED = re.compile(r"(?P<number>[0-9]{1,9})\s*[:,;\t]\s*(?P<name>\S.*)")
NUMBERED_AFTER = re.compile(r"(?P<name>.*\S)\s*[:,;\t]\s*(?P<number>[0-9]{1,9})")
NUMBERED_LOOSELY = re.compile(r"(?P<number>[0-9]{1,9})(?:[.)]\s+|\s+-\s+|\s+)(?P<name>\S.*)")
MOST_ALIKE = 0.01  # of the names; ImageNet has two cranes
INSIDE_SAVED_MODEL = ("assets.extra/labels.txt", "assets/labels.txt", *USUAL_NAMES)


@dataclass(frozen=True)
class Labels:
    """Names in class order; `source` says in words where they come from; `beside`: from a file
    that nobody named."""

    names: tuple[str, ...]
    source: str
    beside: Path | None = None


def labels_in(
    content: bytes, named: str, carried: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """The names in a labels file's content, in class order: one a line, whatever an editor or
    another tool made of the lines. `named`: the file, for a fault.

    Blanks around a name, empty lines, and the lines' own numbers are no part of the labels: numbers
    are those that run from 0, or from 1, line by line without a gap (`0 red`, `0: red`, `1,red`,
    `red,0`), so `3 of clubs` stays what it is. What says the same as the labels that the graph has
    `carried` is read as these. Raises RetrainError.
    """
    if carried is not None and content == labels_bytes(carried):
        return carried  # whatever stands in them: bytes that are no UTF-8, line ends, numbers
    text = decoded(content, named)
    if (text.strip()[:1], text.strip()[-1:]) in (("{", "}"), ("[", "]")):
        raise RetrainError(f"{named} is JSON or a program's dictionary: write one name a line")
    lines = [line for line in map(str.strip, lines_of(text)) if line]
    if carried is not None and lines == [label.strip() for label in carried]:
        return carried
    names = _unnumbered(lines)
    if names and all(re.fullmatch('".+"', name) for name in names):
        names = [_unquoted(name) for name in names]
    return tuple(names)


def _unnumbered(lines: list[str]) -> list[str]:
    """The lines without their own numbers, or as they are."""
    for pattern, tight in ((NUMBERED, True), (NUMBERED_AFTER, True), (NUMBERED_LOOSELY, False)):
        found = [match for match in map(pattern.fullmatch, lines) if match]
        if len(found) < max(len(lines), 2):
            continue
        numbers = [int(match["number"]) for match in found]
        names = [_unquoted(match["name"]) if tight else match["name"] for match in found]
        if len(names) - len(set(names)) > len(names) * MOST_ALIKE:
            continue  # `1 of clubs`, `2 of clubs`: the numbers tell them apart
        if numbers in (list(range(len(names))), list(range(1, len(names) + 1))):
            return names
    return lines


def _unquoted(name: str) -> str:
    """What a cell in quotation marks holds."""
    return name[1:-1].replace('""', '"') if re.fullmatch('".+"', name) else name


def read_labels(path: Path, carried: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The labels in a text file; see labels_in. Raises RetrainError."""
    return labels_in(read_bytes(path, "labels"), f"labels {path.absolute()}", carried)


def find_labels(
    graph: Path, carried: tuple[str, ...] | None, classes: int, *, given: Path | None
) -> Labels:
    """Those in the file that is `given`, else those that the graph carries, else those of the first
    of the usual files beside it that has one line for each class. Raises RetrainError."""
    if given is not None:
        found = Labels(read_labels(given, carried), f"--labels {given}")
        _check(found.names, classes, str(given.absolute()))
        return found
    if carried is not None:
        _check(carried, classes, f"the labels in {graph.absolute()}")
        return Labels(carried, "the graph")
    others = []
    for path in filter(Path.is_file, _beside(graph)):
        try:
            names = read_labels(path)
        except RetrainError as fault:  # nobody named it: another may be meant
            others.append(f"; {fault}")
            continue
        if len(names) == classes:
            return Labels(names, "the file beside the graph that has a line for each class", path)
        others.append(
            f"; {path.name} beside it has {counted(len(names), 'label')} for "
            f"{counted(classes, 'class', 'classes')}"
        )
    raise RetrainError(
        f"{graph.absolute()} does not carry its labels{''.join(others[:1])}: give --labels, the "
        "text file that was made with it"
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
