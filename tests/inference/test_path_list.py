"""Lists of paths on standard input as programs and people's editors write them."""

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrain.errors import RetrainError
from retrain.inference.path_list import read_paths

FILES = ("a.jpg", "b c.jpg", "Möwe.jpg", "茶.jpg")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*chunks: bytes) -> list[str]:
    """The paths of a list that comes in these pieces."""
    source, target = os.pipe()
    found: list[str] = []
    left: Iterator[bytes] = filter(None, chunks)
    try:
        for path in read_paths(source):
            if path is not None:
                found.append(path)
            elif (chunk := next(left, None)) is not None:
                os.write(target, chunk)
            else:
                os.close(target)
                target = -1
    finally:
        os.close(source)
        if target >= 0:
            os.close(target)
    return found


LINES = "".join(f"{name}\n" for name in FILES)
WRITTEN = {
    "plain": LINES.encode(),
    "no last end": LINES[:-1].encode(),
    "a mark": codecs.BOM_UTF8 + LINES.encode(),
    "two files with marks": b"".join(codecs.BOM_UTF8 + f"{name}\n".encode() for name in FILES),
    "CR LF": LINES.replace("\n", "\r\n").encode(),
    "CR LF twice": LINES.replace("\n", "\r\r\n").encode(),
    "CR": LINES.replace("\n", "\r").encode(),
    "a mark and CR LF": codecs.BOM_UTF8 + LINES.replace("\n", "\r\n").encode(),
    "UTF-16 LE": codecs.BOM_UTF16_LE + LINES.encode("utf-16-le"),
    "UTF-16 BE, CR LF": codecs.BOM_UTF16_BE + LINES.replace("\n", "\r\n").encode("utf-16-be"),
    "UTF-32": codecs.BOM_UTF32_LE + LINES.encode("utf-32-le"),
    "empty lines": LINES.replace("\n", "\n\n  \n\r\n").encode(),
    "blanks": LINES.replace("\n", " \t\n ").encode(),
    "quoted": "".join(f'"{name}"\r\n' for name in FILES).encode(),
    "NULs": LINES.replace("\n", "\0").encode(),
    "NULs, no last": LINES[:-1].replace("\n", "\0").encode(),
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_a_list_gives_the_files_that_are_meant(content: bytes) -> None:
    assert read(content) == list(FILES)
    assert read(*(content[n : n + 1] for n in range(len(content)))) == list(FILES)


@pytest.mark.parametrize("name", ["a.jpg ", " a.jpg", '"a.jpg"', "\ufeffa.jpg", "a.jpg\t"])
def test_a_file_that_is_called_so_is_meant(name: str, folder: Path) -> None:
    (folder / name).touch()
    assert read(f"b c.jpg\n{name}\n".encode()) == ["b c.jpg", name]
    assert read(f"b c.jpg\0{name}\0".encode()) == ["b c.jpg", name]


def test_what_no_file_is_called_is_named_as_it_is_written() -> None:
    assert read(b"no *.jpg\r\n none.jpg \n\xff\xfe") == ["no *.jpg", " none.jpg ", "\udcff\udcfe"]
    assert read(b"no\tne.jpg") == ["no\tne.jpg"] and read(b"") == [] == read(codecs.BOM_UTF8)
    assert read(b"a.jpg \0") == ["a.jpg "]  # NULs end exact names


def test_a_line_comes_before_the_list_ends() -> None:
    source, target = os.pipe()
    paths = read_paths(source)
    for name in FILES:
        os.write(target, f"{name}\n".encode())
        assert next(path for path in paths if path is not None) == name
    os.close(target)
    assert [path for path in paths if path is not None] == []
    os.close(source)


@pytest.mark.parametrize(("content", "fault"), [
    (LINES.encode("utf-16-le"), "UTF-16 without its mark"),
    (LINES.encode("utf-16-be"), "UTF-16 without its mark"),
    ("photos/a.jpg".encode("utf-16-le"), "UTF-16 without its mark"),
    (codecs.BOM_UTF16_LE + b"a\0b", "is not utf-16-le"),
    (codecs.BOM_UTF16_LE + b"\x00\xd8a\0", "is not utf-16-le"),
])  # fmt: skip
def test_what_cannot_be_told_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(RetrainError, match=f"cannot read the list on standard input.*{fault}"):
        read(content)


def test_no_standard_input_is_said() -> None:
    with pytest.raises(RetrainError, match="cannot read the list"):
        list(read_paths(-1))
