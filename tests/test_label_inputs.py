"""What a name stands for: files, folders, patterns, missing things."""

import os
from pathlib import Path

import pytest
from conftest import write_picture
from PIL import Image

from retrain.label.inputs import Input, count_inputs, list_inputs

RED = (200, 40, 40)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`photos`, in the current folder: pictures, broken ones, and what is no picture."""
    root = tmp_path / "photos"
    for number, name in enumerate(["b.png", "a/z.png", "a/deep/y.PNG", "a.png", "ab/x.png"]):
        write_picture(root / name, RED, number, size=4)
    Image.open(root / "b.png").save(root / "nameless", format="png")
    (root / "phone.HEIC").write_bytes(b"not read")
    (root / "broken.jpg").write_bytes(b"broken")
    (root / "labels.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes((root / "b.png").read_bytes())
    (root / ".thumbs").mkdir()
    (root / ".thumbs" / "b.png").write_bytes((root / "b.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    return root


BELOW = ["photos/a.png", "photos/a/deep/y.PNG", "photos/a/z.png", "photos/ab/x.png",
         "photos/b.png", "photos/broken.jpg", "photos/nameless", "photos/phone.HEIC"]  # fmt: skip


def names(*given: str, left_out: Path | None = None) -> list[str]:
    found = list(list_inputs(given, left_out))
    assert all(one is not None and one.problem is None for one in found), found
    assert count_inputs(given, left_out) == len(found)
    return [one.name for one in found if one is not None]


def test_a_folder_is_what_may_be_a_photo_below_it_in_order_of_the_paths(folder: Path) -> None:
    assert names("photos") == BELOW == sorted(BELOW)
    assert names("./photos/") == [f"./{name}" for name in BELOW]


def test_a_named_file_is_tried_whatever_it_is_called(folder: Path) -> None:
    given = ["photos/labels.txt", "photos/.hidden.png", "nowhere.jpg", "./photos//b.png", "b*.png"]
    Path("b*.png").write_bytes(b"")
    assert names(*given) == given


def test_a_pattern_is_what_the_shell_would_make_of_it(folder: Path) -> None:
    assert names("photos/?.png") == ["photos/a.png", "photos/b.png"]
    assert names("photos/**/*.png") == [n for n in BELOW if n.endswith(".png")]
    assert names("photos/[b]*") == ["photos/b.png", "photos/broken.jpg"]
    assert names("photos/l*.txt") == ["photos/labels.txt"]


def test_what_lies_in_a_folder_that_matched_comes_once(folder: Path) -> None:
    assert names("photos/**") == BELOW
    assert names("**") == BELOW
    assert names("photos/a*") == ["photos/a/deep/y.PNG", "photos/a/z.png", "photos/a.png",
                                  "photos/ab/x.png"]  # fmt: skip


def test_nothing_found_is_said_in_a_row_of_its_own(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("nothing here")
    assert list(list_inputs(["photos/empty", "*.jpg", "photos/b.png"])) == [
        Input("photos/empty", "holds no photo"),
        Input("*.jpg", "no file matches this pattern"),
        Input("photos/b.png"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_cannot_be_read_is_said(folder: Path) -> None:
    (folder / "a").chmod(0)
    try:
        problems = [one for one in list_inputs(["photos"]) if one and one.problem]
    finally:
        (folder / "a").chmod(0o755)
    assert problems == [Input("photos/a", "folder cannot be read: Permission denied")]


def test_links_are_followed_each_folder_once_and_pipes_are_left_alone(folder: Path) -> None:
    (folder / "a" / "up").symlink_to(folder)
    (folder / "zz").symlink_to(folder / "ab")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    found = names("photos")
    assert found == sorted([*BELOW, "photos/gone.png"])


def test_the_folder_of_results_is_left_out(folder: Path) -> None:
    out = folder / "a" / "deep"
    (folder / "same").symlink_to(out)
    assert names("photos", left_out=out) == [n for n in BELOW if "deep" not in n]
    assert names("photos/a/*", left_out=out) == ["photos/a/z.png"]


def test_a_list_is_of_unknown_length() -> None:
    assert count_inputs(["a.jpg", "-"]) is None
