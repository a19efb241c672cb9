"""Rows of labels as text for people, and as CSV, TSV, JSON and JSON lines for programs.

    path,label,score,error,label_2,score_2,label_3,score_3
    a.jpg,daisy,0.89455,,dandelion,0.06111,tulips,0.03229
    b.jpg,,,the file is empty,,,,

    {"path": "a.jpg", "labels": [{"label": "daisy", "score": 0.89455}, ...], "error": null}

A table has the same columns in each row, the first four in any table. A photo that has no label
(it is broken, or no score reaches the threshold) has empty cells, or an empty list. TSV is quoted
as CSV is. JSON is one array of such objects, JSON lines is one object a line, both in ASCII: names
that are not UTF-8 come as lone surrogates, as Python's os.fsdecode has them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from retrain.utils.text import csv_row, printable

if TYPE_CHECKING:  # the command's help asks for FORMATS, and is not to load what labels
    from retrain.inference.labeller import LabelledPhoto


@dataclass(frozen=True)
class Layout:
    """How rows are laid out.

    Attributes:
        titled: Text names each photo above its labels.
        labels: The most labels that a table has columns for.
        csv_safe: See `text.csv_row`.
    """

    titled: bool
    labels: int
    csv_safe: bool


@dataclass(frozen=True)
class LabelFormat:
    """A format of rows: all that the command needs to know of it.

    Attributes:
        write: Yields the rows as pieces of text, each piece as soon as its row is there.
        has_errors: A row says why its photo has no labels; else the command does, on stderr.
        raw_names: Names that are not UTF-8 come as their bytes, so stdout must let them pass.
    """

    write: "Callable[[Iterable[LabelledPhoto], Layout], Iterator[str]]"
    has_errors: bool = True
    raw_names: bool = False


def formatted(
    rows: "Iterable[LabelledPhoto]",
    name: str,
    *,
    titled: bool,
    labels: int,
    csv_safe: bool = False,
) -> Iterator[str]:
    """Yield the rows in one of FORMATS, each piece as soon as its row is there.

    Args:
        rows: The labelled photos.
        name: The format, one of FORMATS.
        titled: Text names each photo above its labels.
        labels: The most labels that a table has columns for.
        csv_safe: See `text.csv_row`.

    Returns:
        The pieces of text, to be written one after the other.
    """
    return FORMATS[name].write(rows, Layout(titled, labels, csv_safe))


def _text(rows: "Iterable[LabelledPhoto]", layout: Layout) -> Iterator[str]:
    for number, row in enumerate(rows):
        gap = "\n" if number else ""
        title = f"{gap}{printable(row.name)}:\n" if layout.titled else ""
        lines = (f"{printable(label)} (score={score:.5f})\n" for label, score in row.labels)
        yield title + "".join(lines)


def _json(rows: "Iterable[LabelledPhoto]", _: Layout) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(_facts(row))
    yield "\n]\n"


def _json_lines(rows: "Iterable[LabelledPhoto]", _: Layout) -> Iterator[str]:
    return (f"{json.dumps(_facts(row))}\n" for row in rows)


def _facts(row: "LabelledPhoto") -> dict[str, Any]:
    labels = [{"label": label, "score": round(score, 5)} for label, score in row.labels]
    return {"path": row.name, "labels": labels, "error": row.problem}


def _table(rows: "Iterable[LabelledPhoto]", layout: Layout, *, delimiter: str) -> Iterator[str]:
    labels = layout.labels
    further = [f"{name}_{place}" for place in range(2, labels + 1) for name in ("label", "score")]
    yield csv_row(["path", "label", "score", "error", *further], delimiter=delimiter)
    for row in rows:
        cells = [cell for label, score in row.labels[:labels] for cell in (label, f"{score:.5f}")]
        cells += [""] * (2 * labels - len(cells))
        whole = [row.name, *cells[:2], row.problem or "", *cells[2:]]
        yield csv_row(whole, delimiter=delimiter, safe=layout.csv_safe)


TEXT, JSON, CSV = "text", "json", "csv"
FORMATS = {  # in the order of the command's help
    TEXT: LabelFormat(_text, has_errors=False),
    JSON: LabelFormat(_json),
    "jsonl": LabelFormat(_json_lines),
    CSV: LabelFormat(partial(_table, delimiter=","), raw_names=True),
    "tsv": LabelFormat(partial(_table, delimiter="\t"), raw_names=True),
}
