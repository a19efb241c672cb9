"""Rows as a workbook (.xlsx), for spreadsheets: names stay text, scores are numbers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from retrain.errors import RetrainError
from retrain.utils.optional import require
from retrain.utils.text import printable

Cell = str | float
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767  # the format's own limits
WRITTEN = datetime(2000, 1, 1)  # the same rows are the same bytes


def check_workbook() -> None:
    """Raise RetrainError, with the line that installs it, without the package that writes it."""
    require("xlsxwriter", "xlsx", "writing .xlsx")


def save_workbook(rows: Iterable[Sequence[Cell]], path: Path) -> None:
    """Write rows of cells into a workbook of one sheet; raise RetrainError for more than it holds.

    Texts are never formulas, links or numbers, whatever they begin with. One row at a time is in
    memory.
    """
    import xlsxwriter

    # One that is not closed leaves its files of rows behind.
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        book.set_properties({"created": WRITTEN})
        sheet = book.add_worksheet("labels")
        sheet.freeze_panes(1, 1)
        score = book.add_format({"num_format": "0.00000"})
        for number, cells in enumerate(rows):
            if number >= MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise RetrainError(
                    f"a workbook holds {MOST_ROWS:,} rows of {MOST_COLUMNS:,} cells and this is "
                    "more: give a name that ends in .csv, or label fewer photos at once"
                )
            for column, cell in enumerate(cells):
                if isinstance(cell, float):
                    sheet.write_number(number, column, cell, score)
                elif cell:
                    sheet.write_string(number, column, printable(cell)[:MOST_CHARACTERS])
