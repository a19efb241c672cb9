"""Rows as a workbook: read back by another library, where nothing that was a name is a formula."""

import zipfile
from importlib import util
from pathlib import Path

import pytest

from retrain.errors import RetrainError
from retrain.inference import workbook
from retrain.inference.answers import LabelledPhoto
from retrain.inference.workbook import check_workbook, save_workbook
from retrain.inference.writers import Layout, write_rows

pytest.importorskip("xlsxwriter")

ODD = ("=1+2", "+1", "-1", "@SUM(A1)", "{=1}", "http://a.b/c.jpg", "0012", "a\nb\x1b", "\udcff.jpg",
       "<b>&\"'", "ö ☃")  # fmt: skip
ROWS = [
    *(LabelledPhoto(name, [(name, 0.25), ("daisy", 0.123456)]) for name in ODD),
    LabelledPhoto("bad.jpg", [], "=cmd|' /C calc'!A0"),
]


def write(path: Path) -> Path:
    write_rows(ROWS, "xlsx", Layout(titled=True, labels=2, csv_safe=False), path=path)
    return path


def test_names_are_text_and_scores_are_numbers(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(write(tmp_path / "l.xlsx")).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("path", "label", "score", "error", "label_2", "score_2")
    shown = [*ODD[:7], "a\\nb\\x1b", "\\udcff.jpg", *ODD[9:]]
    assert rows[1:-1] == [(name, name, 0.25, None, "daisy", 0.123456) for name in shown]
    assert rows[-1] == ("bad.jpg", None, None, "=cmd|' /C calc'!A0", None, None)
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None}
    assert kinds == {"s", "n"}  # and no "f"


def test_the_file_holds_no_formula_and_no_link(tmp_path: Path) -> None:
    with zipfile.ZipFile(write(tmp_path / "l.xlsx")) as parts:
        text = parts.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in text and "hyperlink" not in text
        assert not [name for name in parts.namelist() if "rels/sheet" in name]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.xlsx").read_bytes() == write(tmp_path / "b.xlsx").read_bytes()


def test_more_rows_than_a_workbook_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 2)
    with pytest.raises(RetrainError, match=r"2 rows of 16,384 cells .* \.csv"):
        save_workbook([["a"], ["b"], ["c"]], tmp_path / "l.xlsx")


def test_without_the_package_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = util.find_spec
    monkeypatch.setattr(
        "retrain.utils.optional.find_spec",
        lambda name: None if name == "xlsxwriter" else found(name),
    )
    with pytest.raises(RetrainError, match=r'pip install "retrain\[xlsx\]"'):
        check_workbook()
