"""Labels files as people's editors and other tools write them."""

import codecs
import os
from pathlib import Path

import pytest

from retrain.artifacts.labels import find_labels, labels_in, read_labels
from retrain.artifacts.manifest import labels_bytes
from retrain.errors import RetrainError

NAMES = ("blue", "green", "dark red")
# Each means NAMES.
WRITTEN = {
    "plain": "blue\ngreen\ndark red\n",
    "no last end": "blue\ngreen\ndark red",
    "CR LF": "blue\r\ngreen\r\ndark red\r\n",
    "CR": "blue\rgreen\rdark red\r",
    "mixed ends": "blue\r\ngreen\ndark red\r",
    "an empty last line": "blue\ngreen\ndark red\n\n",
    "empty last lines": "blue\ngreen\ndark red\r\n \n\t\n\n",
    "every other line empty": "blue\n\ngreen\n\ndark red\n\n",
    "an empty first line": "\nblue\ngreen\ndark red\n",
    "blanks after": "blue \ngreen\t\ndark red  \n",
    "blanks before": "  blue\n\tgreen\n dark red\n",
    "Teachable Machine": "0 blue\n1 green\n2 dark red\n",
    "from 1": "1 blue\n2 green\n3 dark red\n",
    "zeros before": "00 blue\n01 green\n02 dark red\n",
    "to the right": " 0 blue\n 1 green\n 2 dark red\n",
    "tabs": "0\tblue\n1\tgreen\n2\tdark red\n",
    "commas": "0,blue\n1,green\n2,dark red\n",
    "commas and blanks": "0, blue\n1, green\n2, dark red\n",
    "semicolons": "1;blue\n2;green\n3;dark red\n",
    "colons": "0:blue\n1:green\n2:dark red\n",
    "colons and blanks": "0: blue\n1: green\n2: dark red\n",
    "blanks and colons": "0 : blue\n1 : green\n2 : dark red\n",
    "points": "1. blue\n2. green\n3. dark red\n",
    "brackets": "1) blue\n2) green\n3) dark red\n",
    "dashes": "0 - blue\n1 - green\n2 - dark red\n",
    "after": "blue,0\ngreen,1\ndark red,2\n",
    "tabs, after": "blue\t1\ngreen\t2\ndark red\t3\n",
    "cells in quotes": '0,"blue"\n1,green\n2,"dark red"\n',
    "all in quotes": '"blue"\n"green"\n"dark red"\n',
    "numbers and empty lines": "0 blue\r\n\r\n1 green\r\n\r\n2 dark red\r\n\r\n",
}
# Names that look like lines with numbers, and are none.
NAMES_THEMSELVES = [
    ("3 of clubs", "4 of clubs", "5 of hearts"),
    ("7up", "8up", "9up"),
    ("0up", "1up", "2up"),
    ("1 of clubs", "2 of clubs", "3 of clubs"),
    ("1 cent", "2 cents", "3 cents"),
    ("2 red", "0 blue", "1 green"),
    ("0:a", "2:b", "1:c"),
    ("0.5 mm", "1.5 mm", "2.5 mm"),
    ("1-door", "2-door", "3-door"),
    ("1 red", "2 blue", "green"),
    ("0", "1", "2"),
    ("10:30", "11:30", "12:30"),
    ("class 0", "class 1", "class 2"),
    ("tench, Tinca tinca", "goldfish, Carassius auratus"),
    ("1 red",),
    ('a "b"', '"c" d'),
    ("{{ name }}", "[x]"),
    ("²\u00a0m", "٣ x", "x"),
]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["", "mark"])
@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_what_editors_and_tools_write_is_read(text: str, mark: bytes) -> None:
    assert labels_in(mark + text.encode(), "l.txt") == NAMES
    assert labels_in(text.encode("utf-16"), "l.txt") == NAMES


@pytest.mark.parametrize("names", NAMES_THEMSELVES, ids=str)
def test_names_with_numbers_are_names(names: tuple[str, ...]) -> None:
    assert labels_in(labels_bytes(names), "l.txt") == names


@pytest.mark.parametrize("names", [
    ("1 red", "2 blue"), ("0:a", "1:b"), (" red ", "\tblue"), ("gr\udce9y", "x"), ("a\rb", "c"),
    ("\ufeffred", "x"), ("", "x"),
])  # fmt: skip
def test_a_runs_own_labels_file_gives_the_graphs_labels(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "output_labels.txt"
    path.write_bytes(labels_bytes(names))
    assert find_labels(tmp_path / "g.pb", names, 2, given=path).names == names


def test_an_editor_does_not_turn_the_graphs_own_numbers_into_counts() -> None:
    carried = ("1 red ", "2 blue")
    assert labels_in(b"1 red\r\n2 blue\r\n\r\n", "l.txt", carried) == carried
    assert labels_in(b"1 red\r\n2 blue\r\n\r\n", "l.txt", ("a", "b")) == ("red", "blue")


def test_imagenet_has_two_cranes() -> None:
    names = [f"class{number}" for number in range(1000)]
    names[517] = names[134] = "crane"
    numbered = "".join(f"{number} {name}\n" for number, name in enumerate(names))
    assert labels_in(numbered.encode(), "l.txt") == tuple(names)


@pytest.mark.parametrize(("content", "fault"), [
    (b"M\xf6we\nx\n", "is not UTF-8"),
    ("a\nb\n".encode("utf-16-le"), "zero bytes"),
    (b'["a", "b"]\n', "is JSON"),
    (b"{0: 'tench, Tinca tinca',\n 1: 'goldfish'}\n", "is JSON"),
])  # fmt: skip
def test_what_cannot_be_told_is_refused_by_name(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_bytes(content)
    with pytest.raises(RetrainError, match=fault) as found:
        read_labels(path)
    assert str(path) in str(found.value)


def test_a_file_without_names_has_none_for_any_class(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    for content in (b"", b"\n \n", codecs.BOM_UTF8):
        path.write_bytes(content)
        with pytest.raises(RetrainError, match="0 labels for a graph with 2 classes"):
            find_labels(tmp_path / "g.pb", None, 2, given=path)


def test_a_broken_file_that_nobody_named_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_bytes(b"M\xf6we\nx\n")
    with pytest.raises(RetrainError, match="does not carry its labels.*g.txt is not UTF-8"):
        find_labels(tmp_path / "g.pb", None, 2, given=None)
    (tmp_path / "labels.txt").write_bytes(codecs.BOM_UTF8 + b"0 red\r\n1 blue\r\n\r\n")
    assert find_labels(tmp_path / "g.pb", None, 2, given=None).names == ("red", "blue")


def test_a_file_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RetrainError, match="not a regular file"):
        read_labels(Path("/dev/zero"))
    (tmp_path / "film.txt").touch()
    os.truncate(tmp_path / "film.txt", 65 << 20)
    with pytest.raises(RetrainError, match="more than 64 MB"):
        read_labels(tmp_path / "film.txt")
