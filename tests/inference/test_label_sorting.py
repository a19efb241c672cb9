"""Photos into folders by their labels, without harm to any file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPO

from retrain.errors import RetrainError
from retrain.inference.answers import LabelledPhoto
from retrain.inference.sorting import Sorter, folder_names

pytestmark = pytest.mark.slow


def photo(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def place(out: Path, *photos: tuple[Path, str | None], link: bool = False) -> None:
    sorter = Sorter(out, ["cat", "dog", ".."], link=link)
    for path, label in photos:
        sorter.place(LabelledPhoto(str(path), [(label, 0.9)] if label else []))


@pytest.mark.parametrize("name", ["cat", "dog", "_..", "unknown"])
@pytest.mark.parametrize("kind", ["file", "broken link", "pipe"])
def test_what_is_no_folder_is_said_before_any_photo(tmp_path: Path, name: str, kind: str) -> None:
    odd = tmp_path / "out" / name
    odd.parent.mkdir()
    if kind == "file":
        odd.touch()
    elif kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("nowhere")
    with pytest.raises(RetrainError, match=f"{name} is no folder"):
        place(tmp_path / "out", (photo(tmp_path / "1.jpg", b"one"), "cat"))
    assert os.listdir(tmp_path / "out") == [name] and not odd.is_dir()


def test_each_photo_is_copied_into_its_labels_folder(tmp_path: Path) -> None:
    one, two = photo(tmp_path / "1.jpg", b"one"), photo(tmp_path / "2.jpg", b"two")
    three = photo(tmp_path / "3.jpg", b"three")
    os.utime(one, (1e9, 1e9))
    one.chmod(0o444)
    place(tmp_path / "out", (one, "cat"), (two, None), (three, ".."))
    assert content(tmp_path / "out") == {
        "cat/1.jpg": b"one", "unknown/2.jpg": b"two", "_../3.jpg": b"three",
    }  # fmt: skip
    assert (tmp_path / "out/cat/1.jpg").stat().st_mtime == 1e9
    assert not (tmp_path / "out/cat/1.jpg").is_symlink()


@pytest.mark.parametrize("link", [False, True])
def test_the_same_name_with_other_content_is_numbered(tmp_path: Path, link: bool) -> None:
    photos = [photo(tmp_path / f"{n}/a.b.jpg", b"%d" % n) for n in range(4)]
    again = photo(tmp_path / "again/a.b.jpg", b"2")
    for _ in range(2):  # the second time all are there
        place(tmp_path / "out", *((path, "cat") for path in [*photos, again]), link=link)
    assert content(tmp_path / "out") == {
        "cat/a.b.jpg": b"0", "cat/a.b-2.jpg": b"1", "cat/a.b-3.jpg": b"2", "cat/a.b-4.jpg": b"3",
    }  # fmt: skip


def test_what_is_there_already_is_never_touched(tmp_path: Path) -> None:
    mine = photo(tmp_path / "out/cat/1.jpg", b"the user's own")
    (tmp_path / "out/cat/1-2.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "out/cat/1-3.jpg").mkdir()
    one = photo(tmp_path / "1.jpg", b"one")
    for link in (False, True):
        place(tmp_path / "out", (one, "cat"), link=link)
    assert mine.read_bytes() == b"the user's own"
    assert os.readlink(tmp_path / "out/cat/1-2.jpg") == str(tmp_path / "nowhere")
    assert sorted(os.listdir(tmp_path / "out/cat")) == ["1-2.jpg", "1-3.jpg", "1-4.jpg", "1.jpg"]
    assert (tmp_path / "out/cat/1-4.jpg").read_bytes() == b"one"


def test_links_lead_to_the_photo_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(tmp_path / "1.jpg", b"one")
    monkeypatch.chdir(tmp_path)
    place(Path("out"), (Path("1.jpg"), "dog"), link=True)
    assert os.readlink("out/dog/1.jpg") == str(tmp_path / "1.jpg")


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    photos = [photo(tmp_path / f"{n}/a.jpg", b"%d" % n) for n in range(2)]
    place(tmp_path / "out", *((path, "cat") for path in photos))
    assert content(tmp_path / "out") == {"cat/a.jpg": b"0", "cat/a-2.jpg": b"1"}


def test_a_place_that_refuses_is_named(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path / "out", ["cat"], link=False)
    photo(tmp_path / "out/cat", b"a file where the folder should be, made meanwhile")
    one = photo(tmp_path / "1.jpg", b"one")
    with pytest.raises(RetrainError, match="cannot write .*/out/cat/1.jpg: File exists"):
        sorter.place(LabelledPhoto(str(one), [("cat", 0.9)]))


def test_any_label_has_a_folder_of_its_own_name() -> None:
    labels = ["pâquerette", "a b, c", "a/b", "a_b", "a\\b", "", ".", "..", ".git", "x\n", "y" * 300]
    named = folder_names(labels)
    assert list(named) == labels
    assert list(named.values()) == ["pâquerette", "a b, c", "a_b", "a_b-2", "a_b-3", "_", "_.",
                                    "_..", "_.git", "x_", "y" * 60]  # fmt: skip


@pytest.mark.parametrize("character", ["x", "ü", "紙", "😀"])
@pytest.mark.parametrize("link", [False, True])
def test_names_as_long_as_a_system_takes(tmp_path: Path, character: str, link: bool) -> None:
    name = character * (251 // len(character.encode())) + ".jpg"
    photos = [photo(tmp_path / str(n) / name, b"%d" % n) for n in range(11)]
    for _ in range(2):
        place(tmp_path / "out", *((path, "cat") for path in photos), link=link)
    placed = content(tmp_path / "out")
    assert sorted(placed.values()) == sorted(b"%d" % n for n in range(11))
    assert all(len(os.fsencode(Path(name).name)) <= 255 for name in placed)


def test_a_name_that_is_no_text_is_cut_as_well(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe" * 125 + b".jpg")
    photos = [photo(tmp_path / str(n) / name, b"%d" % n) for n in range(2)]
    place(tmp_path / "out", *((path, "cat") for path in photos))
    assert sorted(content(tmp_path / "out").values()) == [b"0", b"1"]


@pytest.mark.parametrize("link", [False, True])
def test_several_processes_at_once_place_each_photo_once(tmp_path: Path, link: bool) -> None:
    photos = [photo(tmp_path / f"{n % 5}/{n // 5}.jpg", b"%d" % n) for n in range(100)]
    script = (
        "import sys; from pathlib import Path; from test_label_sorting import place\n"
        "sys.stdin.readline()\n"  # all of them start at once
        "photos = [Path(name) for name in sys.argv[3:]]\n"
        "place(Path(sys.argv[1]), *((path, 'cat') for path in photos), link=sys.argv[2] == 'link')"
    )
    words = [str(tmp_path / "out"), "link" if link else "copy", *map(str, photos)]
    processes = [
        subprocess.Popen([sys.executable, "-c", script, *words], stdin=subprocess.PIPE,
                         cwd=Path(__file__).parent,
                         env={**os.environ, "PYTHONPATH": f"{REPO}:{REPO / 'tests'}"})
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 4
    placed = content(tmp_path / "out")
    assert sorted(placed.values()) == sorted(b"%d" % n for n in range(100))
