"""Labels files: read one that is named, or find the one that lies beside a graph."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrain.artifacts.manifest import labels_bytes
from retrain.errors import RetrainError, counted
from retrain.utils.text import decoded, lines_of, read_bytes

# The names that older tools gave to labels files.
USUAL_NAMES = (
    "retrained_labels.txt",
    "output_labels.txt",
    "labels.txt",
    "imagenet_slim_labels.txt",
)
# A line with its number: before or after the name, set off by a sign; before it, by blanks only.
NUMBERED = re.compile(r"(?P<number>[0-9]{1,9})\s*[:,;\t]\s*(?P<name>\S.*)")
NUMBERED_AFTER = re.compile(r"(?P<name>.*\S)\s*[:,;\t]\s*(?P<number>[0-9]{1,9})")
NUMBERED_LOOSELY = re.compile(r"(?P<number>[0-9]{1,9})(?:[.)]\s+|\s+-\s+|\s+)(?P<name>\S.*)")
MOST_ALIKE = 0.01  # of the names may occur twice; ImageNet has two cranes
INSIDE_SAVED_MODEL = ("assets.extra/labels.txt", "assets/labels.txt", *USUAL_NAMES)


@dataclass(frozen=True)
class Labels:
    """The labels of a classifier, and where they come from.

    Attributes:
        names: In class order.
        source: In words, where they come from.
        beside: The file, if it was found beside the graph and nobody named it.
    """

    names: tuple[str, ...]
    source: str
    beside: Path | None = None


def labels_in(
    content: bytes, named: str, carried: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Parse a labels file's content and return its names in class order.

    One name a line, in any encoding and line ends that `decoded` knows. Blanks around a name, empty
    lines and the lines' own numbers are dropped. Numbers are those that run from 0, or from 1, line
    by line without a gap (`0 red`, `0: red`, `1,red`, `red,0`), so `3 of clubs` stays as it is. A
    file that says the same as the labels `carried` by the graph gives these. `named` is the file's
    name for error messages. Raises RetrainError.
    """
    if carried is not None and content == labels_bytes(carried):
        return carried  # even with bytes that are no UTF-8, line ends or numbers in them
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
    """Remove the lines' own numbers, if they have any, and return the names."""
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
    """Remove the quotation marks of a cell, if it has any."""
    return name[1:-1].replace('""', '"') if re.fullmatch('".+"', name) else name


def read_labels(path: Path, carried: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Read a labels file and return its names in class order, as `labels_in` does."""
    return labels_in(read_bytes(path, "labels"), f"labels {path.absolute()}", carried)


def find_labels(
    graph: Path, carried: tuple[str, ...] | None, classes: int, *, given: Path | None
) -> Labels:
    """Find the labels of a graph: given, carried by the graph, or in a file beside it.

    Args:
        graph: The graph's file, or a SavedModel's folder.
        carried: The labels that the graph itself carries, or None.
        classes: How many classes the graph has.
        given: The file that the user named, which comes first, or None.

    Returns:
        The labels. A file beside the graph is the first of the usual names that has one line for
        each class.

    Raises:
        RetrainError: There are none, or their number is not that of the classes.
    """
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
        except RetrainError as fault:  # the user did not name it, so try the next one
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
    """Yield the paths where labels may lie, the likeliest first."""
    whole = graph.absolute()
    if whole.is_dir():
        yield from (whole / name for name in INSIDE_SAVED_MODEL)
    for name in (f"{whole.stem}.txt", f"{whole.stem}_labels.txt", *USUAL_NAMES):
        yield whole.parent / name
