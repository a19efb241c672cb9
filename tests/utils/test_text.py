r"""Text from elsewhere: what editors write is read, what names hold moves no terminal."""

import codecs
import logging
from pathlib import Path

import click
import pytest

from retrain.cli.command import _run
from retrain.errors import RetrainError
from retrain.utils.logs import console, print_result
from retrain.utils.text import csv_row, decoded, lines_of, markdown, printable, read_text

TEXT = "blau\nMöwe\n茶"
WRITTEN = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 LE": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 BE": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32 LE": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32 BE": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
}
ODD = {
    "no UTF-8": (b"blau\nM\xf6we\n", r"is not UTF-8 \(the byte 0xf6 in line 2\): save it as UTF-8"),
    "CR LF": (b"blau\r\nrot\r\nM\xf6we\n", "line 3"),
    "Shift-JIS": ("茶".encode("shift-jis"), "is not UTF-8"),
    "cut off": ("a\n茶".encode()[:-1], "line 2"),
    "UTF-16, half": (codecs.BOM_UTF16_LE + b"a\0b", "is not UTF-16"),
    "UTF-16, no mark": ("blau\n".encode("utf-16-le"), "zero bytes"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "zero bytes"),
}
# What may stand in a folder's or file's name, and moves, hides or turns what a reader sees.
HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m", "title": "\x1b]0;owned\x07", "C1": "\x9b2J",
    "return": "good\rbad", "two lines": "good\nwarning: bad", "tab": "a\tb", "back": "abc\b\b\bx",
    "zero": "a\0b", "DEL": "a\x7f", "turned": "photo\u202egpj.exe", "isolate": "\u2066x\u2069",
    "mark": "\u200e\u200fx", "invisible": "re\u200bd", "BOM": "\ufeffred", "tags": "a\U000e0041",
    "separator": "a\u2028b\u2029", "no UTF-8": "caf\udce9", "half": "x\ud800", "NEL": "a\x85b",
}  # fmt: skip


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_marks_say_how_text_is_written(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    assert read_text(path, "labels") == TEXT


@pytest.mark.parametrize(("content", "fault"), ODD.values(), ids=ODD)
def test_other_encodings_are_refused_by_name(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(RetrainError, match=fault) as found:
        read_text(path, "labels")
    assert str(path) in str(found.value) and "\n" not in str(found.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(RetrainError, match="cannot read labels"):
            read_text(path, "labels")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(end: str) -> None:
    assert lines_of(end.join(["a", "", "b\x0b\x85\u2028c"])) == ["a", "", "b\x0b\x85\u2028c"]
    assert lines_of(f"a{end}") == ["a"] and lines_of("") == []
    assert decoded(b"", "nothing") == ""


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_what_is_shown_moves_nothing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = printable(name)
    assert shown.isprintable() and shown.encode() and shown != name
    assert printable(shown) == shown
    with console("DEBUG"):
        logging.getLogger("retrain").warning(f"class {name}")
        logging.getLogger("retrain").info(name)
    print_result(name)

    @click.command()
    def command() -> None:
        raise RetrainError(f"no photo in {name}")

    assert _run(command, [], debug=False) == 1
    said = capsys.readouterr()
    assert said.out == f"{shown}\n"
    *lines, fault = said.err.splitlines()
    assert lines == [f"warning: class {shown}", shown]
    assert fault.startswith("command: no photo in ") and fault.isprintable()


@pytest.mark.parametrize(
    "name", ["Löwenzahn 茶", "a b", "שלום", "می\u200cخواهم", "👩\u200d🌾", "'\"<&"]
)
def test_what_people_write_stays(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_safe_cell_is_no_formula(start: str) -> None:
    cell = f"{start}1+2"
    assert csv_row([cell, "a=b", ""], safe=True).lstrip('"').startswith("'" + start)
    assert "'" not in csv_row([cell, "a"])


def test_a_row_is_one_line_with_quotes_where_needed() -> None:
    assert csv_row(["a", "b,c", 'd"e']) == 'a,"b,c","d""e"\n'
    assert csv_row(["a", "b\rc"]) == 'a,"b\rc"\n'


INERT = ["<script>alert(1)</script>", "[a](https://evil.example)", "![x](http://e/x.png)",
         "https://evil.example", "www.evil.example", "a@evil.example", "*a*", "_a_", "# a", "- a",
         "1. a", "a`b", "``", "`", "&lt;", "\\", "$x$", "a\nb", "\x1b[1m", " ", "",
         "---"]  # fmt: skip


@pytest.mark.parametrize("name", INERT)
def test_markdown_shows_a_name_and_does_nothing_else(name: str) -> None:
    shown = markdown(name)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert fence and shown.endswith(fence) and printable(name) in shown
    inner = shown[len(fence) : -len(fence)]
    assert fence not in inner.replace("`" * (len(fence) - 1), "") and "\n" not in shown


@pytest.mark.parametrize(
    "name", ["daisy", "Löwenzahn 茶", "dark red", "a-b", "snake_case", "b|c", "7"]
)
def test_plain_words_stay_plain_in_markdown(name: str) -> None:
    assert markdown(name) == name
