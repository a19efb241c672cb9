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
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from retrain.utils.text import csv_row, printable

if TYPE_CHECKING:  # the command's help asks for FORMATS, and is not to load what labels
    from retrain.inference.labeller import LabelledPhoto

TEXT, JSON, JSON_LINES, CSV, TSV = "text", "json", "jsonl", "csv", "tsv"
FORMATS = (TEXT, JSON, JSON_LINES, CSV, TSV)
DELIMITERS = {CSV: ",", TSV: "\t"}


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
    if name == TEXT:
        return _text(rows, titled=titled)
    if name == JSON:
        return _json(rows)
    if name == JSON_LINES:
        return (f"{json.dumps(_facts(row))}\n" for row in rows)
    return _table(rows, DELIMITERS[name], labels, safe=csv_safe)


def _text(rows: "Iterable[LabelledPhoto]", *, titled: bool) -> Iterator[str]:
    for number, row in enumerate(rows):
        gap = "\n" if number else ""
        title = f"{gap}{printable(row.name)}:\n" if titled else ""
        lines = (f"{printable(label)} (score={score:.5f})\n" for label, score in row.labels)
        yield title + "".join(lines)


def _json(rows: "Iterable[LabelledPhoto]") -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(_facts(row))
    yield "\n]\n"


def _facts(row: "LabelledPhoto") -> dict[str, Any]:
    labels = [{"label": label, "score": round(score, 5)} for label, score in row.labels]
    return {"path": row.name, "labels": labels, "error": row.problem}


def _table(
    rows: "Iterable[LabelledPhoto]", delimiter: str, labels: int, *, safe: bool
) -> Iterator[str]:
    further = [f"{name}_{place}" for place in range(2, labels + 1) for name in ("label", "score")]
    yield csv_row(["path", "label", "score", "error", *further], delimiter=delimiter)
    for row in rows:
        cells = [cell for label, score in row.labels[:labels] for cell in (label, f"{score:.5f}")]
        cells += [""] * (2 * labels - len(cells))
        whole = [row.name, *cells[:2], row.problem or "", *cells[2:]]
        yield csv_row(whole, delimiter=delimiter, safe=safe)
