"""What a name stands for: files, folders, patterns, missing things."""

import os
import socket
from pathlib import Path

import pytest
from conftest import write_picture
from PIL import Image

from retrain.artifacts.detect import find_artefact
from retrain.data.decoding.decode import Recipe
from retrain.data.read import read_photo
from retrain.errors import RetrainError
from retrain.inference.inputs import Input, count_inputs, list_inputs, may_be_photo
from retrain.inference.path_list import read_paths

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


BRACKETS = ["dir[1]/a.jpg", "dir[1]/[b].jpg", "dir1/a.jpg", "dir1/b.jpg", "x[1]y.jpg", "x1y.jpg"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("dir[1]/*.jpg", ["dir1/a.jpg", "dir1/b.jpg", "dir[1]/[b].jpg", "dir[1]/a.jpg"]),
        ("dir[1]/[ab].jpg", ["dir1/a.jpg", "dir1/b.jpg", "dir[1]/a.jpg"]),
        ("x[1]*.jpg", ["x1y.jpg", "x[1]y.jpg"]),
        ("x[[]*.jpg", ["x[1]y.jpg"]),
        ("**/[[]*.jpg", ["dir[1]/[b].jpg"]),
        ("x[!2]y.jpg", ["x1y.jpg"]),
        ("dir[1]/[c].jpg", None),
    ],
)  # fmt: skip
def test_brackets_in_names_and_in_patterns(
    pattern: str, found: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BRACKETS:
        write_picture(tmp_path / name, (9, 9, 9), 0)
    monkeypatch.chdir(tmp_path)
    for start in ("", f"{tmp_path}/"):
        names = list_inputs([start + pattern])
        if found is None:
            (only,) = names
            assert only is not None and only.problem == "no file matches this pattern"
        else:
            assert list(names) == [Input(start + name) for name in found]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_ordinary_file_is_named_and_never_opened(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    if kind == "pipe":
        os.mkfifo("odd.jpg")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("odd.jpg")
    else:
        Path("odd.jpg").symlink_to("/dev/zero")
    recipe = Recipe(8, 8)
    for (one,) in (list_inputs(["odd.jpg"]), list_inputs(["*.jpg"])):
        assert one == Input("odd.jpg")
        assert read_photo(one.name, recipe) == "cannot be read: not a regular file"
    with pytest.raises(RetrainError, match="odd.jpg: not a regular file"):
        find_artefact(Path("odd.jpg"))
    assert not may_be_photo("./odd") and list(list_inputs(["."])) == [Input(".", "holds no photo")]


PICTURES = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp"}


@pytest.mark.parametrize("before", [b"", b"a.jpg\nb.jpg\n", b"a.jpg\0b.jpg\0"])
@pytest.mark.parametrize("form", PICTURES)
def test_a_photo_on_standard_input_is_no_list(form: str, before: bytes, tmp_path: Path) -> None:
    write_picture(path := tmp_path / f"photo.{PICTURES[form]}", (200, 40, 40), 0)
    (tmp_path / "list").write_bytes(before + path.read_bytes())
    with open(tmp_path / "list", "rb") as file:
        with pytest.raises(RetrainError, match="bytes of a photo .* save the photo as a file"):
            list(read_paths(file.fileno()))
