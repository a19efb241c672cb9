"""Rows of labels as text for people, and as CSV, TSV, JSON and JSON lines for programs.

    path,label,score,error,label_2,score_2,label_3,score_3
    a.jpg,daisy,0.89455,,dandelion,0.06111,tulips,0.03229
    b.jpg,,,the file is empty,,,,

    {"path": "a.jpg", "labels": [{"label": "daisy", "score": 0.89455}, ...], "error": null}

A table has the same columns in each row, the first four in any table. A photo that has no label
(it is broken, or no score reaches the threshold) has empty cells, or an empty list. TSV is quoted
as CSV is. JSON is one array of such objects, JSON lines is one object a line, both in ASCII: names
that are not UTF-8 come as lone surrogates, as Python's os.fsdecode has them. A workbook (xlsx) has
the table's columns, and every name in it is text, whatever a spreadsheet would make of it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.errors import UsageFault
from retrain.inference.workbook import Cell, check_workbook, save_workbook
from retrain.utils.suffixes import check_suffix, suffix_of
from retrain.utils.text import csv_row, printable

if TYPE_CHECKING:  # the command's help asks for FORMATS, and is not to load what labels
    from retrain.inference.answers import LabelledPhoto


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
        suffixes: Of its files.
        write: Yields the rows as pieces of text, each piece as soon as its row is there; None for a
            format that is no text.
        save: Writes a table's cells, header first, into a file; None for a text.
        check: Raises RetrainError if its files cannot be made here.
        has_errors: A row says why its photo has no labels; else the command does, on stderr.
        raw_names: Names that are not UTF-8 come as their bytes, so stdout must let them pass.
    """

    suffixes: tuple[str, ...]
    write: "Callable[[Iterable[LabelledPhoto], Layout], Iterator[str]] | None" = None
    save: Callable[[Iterable[Sequence[Cell]], Path], None] | None = None
    check: Callable[[], None] = lambda: None
    has_errors: bool = True
    raw_names: bool = False


def choose_format(output: Path | None, asked: str | None) -> str:
    """Return the name of the format that rows get, one of FORMATS.

    Args:
        output: The file for the rows, whose suffix decides; None is standard output.
        asked: The format that the user names, or None.

    Raises:
        UsageFault: The two contradict each other, or the suffix is that of no format.
    """
    suffix = suffix_of(output) if output is not None else ""
    name = _BY_SUFFIX.get(suffix, asked) or TEXT
    if output is None and FORMATS[name].write is None:
        raise UsageFault(f"--format {name} makes a file: name it, --output labels.{name}")
    if output is not None:
        check_suffix(output, "--output", tuple(_BY_SUFFIX), what="a list of labels")
        if asked is not None and asked != name:
            if name != TEXT or FORMATS[asked].write is None:
                raise UsageFault(
                    f"--output {output} ends in {suffix} and --format is {asked}: leave one of "
                    "them out"
                )
            name = asked  # of a .txt, which any text may be
    return name


def write_rows(rows: "Iterable[LabelledPhoto]", name: str, layout: Layout, *, path: Path) -> None:
    """Write all rows into a file, in one of FORMATS.

    Args:
        rows: The labelled photos.
        name: The format.
        layout: How rows are laid out.
        path: The file.

    Raises:
        RetrainError: The format cannot hold them.
        OSError: The disk refuses.
    """
    form = FORMATS[name]
    if form.write is not None:
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.writelines(form.write(rows, layout))
    elif form.save is not None:
        form.save(_cells(rows, layout.labels), path)


def formatted(
    rows: "Iterable[LabelledPhoto]",
    name: str,
    *,
    titled: bool,
    labels: int,
    csv_safe: bool = False,
) -> Iterator[str]:
    """Yield the rows in a text of FORMATS, each piece as soon as its row is there.

    Args:
        rows: The labelled photos.
        name: The format, one of FORMATS that is a text.
        titled: Text names each photo above its labels.
        labels: The most labels that a table has columns for.
        csv_safe: See `text.csv_row`.

    Returns:
        The pieces of text, to be written one after the other.
    """
    write = FORMATS[name].write
    if write is None:
        raise ValueError(f"{name} is no text")
    return write(rows, Layout(titled, labels, csv_safe))


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
    for cells in _cells(rows, layout.labels):
        texts = [f"{cell:.5f}" if isinstance(cell, float) else cell for cell in cells]
        yield csv_row(texts, delimiter=delimiter, safe=layout.csv_safe)


def _cells(rows: "Iterable[LabelledPhoto]", labels: int) -> Iterator[list[Cell]]:
    """Yield the cells of a table's header, then those of each row."""
    further = [f"{name}_{place}" for place in range(2, labels + 1) for name in ("label", "score")]
    yield ["path", "label", "score", "error", *further]
    for row in rows:
        cells: list[Cell] = [cell for pair in row.labels[:labels] for cell in pair]
        cells += [""] * (2 * labels - len(cells))
        yield [row.name, *cells[:2], row.problem or "", *cells[2:]]


TEXT, JSON, CSV = "text", "json", "csv"
FORMATS = {  # in the order of the command's help
    TEXT: LabelFormat((".txt",), _text, has_errors=False),
    JSON: LabelFormat((".json",), _json),
    "jsonl": LabelFormat((".jsonl", ".ndjson"), _json_lines),
    CSV: LabelFormat((".csv",), partial(_table, delimiter=","), raw_names=True),
    "tsv": LabelFormat((".tsv",), partial(_table, delimiter="\t"), raw_names=True),
    "xlsx": LabelFormat((".xlsx",), save=save_workbook, check=check_workbook),
}
_BY_SUFFIX = {suffix: name for name, form in FORMATS.items() for suffix in form.suffixes}
