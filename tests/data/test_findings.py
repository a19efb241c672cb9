"""What a run says about its photos: each kind once, with a count, however many there are."""

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, Run, age, write_picture

from retrain.data.config import DataConfig
from retrain.data.folder import Index, Photo, read_tree, without_unusable
from retrain.data.split import TEST, TRAIN, VALIDATION, Split
from retrain.data.summary import report_aside, say_aside, say_found, say_left_out, say_split
from retrain.data.walk import SetAside
from retrain.errors import RetrainError

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 20, "--no-report", "--summaries_dir=")
MANY = 1000


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level("INFO", logger="retrain")
    return lambda: [record.getMessage() for record in caplog.records]


def index_of(classes: int, photos: int) -> tuple[Index, np.ndarray]:
    names = tuple(f"class{number:04}" for number in range(classes))
    found = [
        Photo(f"{name}/{n}.jpg", label, (1, 1, 1, 1, 1))
        for label, name in enumerate(names)
        for n in range(photos)
    ]
    return Index(Path("t"), "t", names, tuple(found)), np.repeat(np.arange(classes), photos)


def test_many_small_classes_are_one_warning(said: Callable[[], list[str]]) -> None:
    index, labels = index_of(MANY, 3)
    split = Split(np.tile(np.array([TRAIN, TRAIN, VALIDATION], np.int8), MANY))
    say_split(index, labels, split, config=DataConfig("t"))
    assert len(said()) == 2  # few photos; no test photo
    assert f"{MANY} classes have fewer than 20 photos" in said()[0]
    assert all(len(text) < 300 for text in said())


def test_one_small_class_is_named_with_its_photos(said: Callable[[], list[str]]) -> None:
    index, labels = index_of(1, 3)
    sets = np.array([TRAIN, VALIDATION, TEST], np.int8)
    say_split(index, labels, Split(sets), config=DataConfig("t"))
    (text,) = said()
    assert "class 'class0000' has 3 photos, fewer than 20" in text


def test_many_untrained_classes_are_one_line() -> None:
    index, labels = index_of(MANY, 1)
    split = Split(np.full(MANY, TEST, np.int8))
    with pytest.raises(RetrainError, match="'class0000' has no photo to train on") as caught:
        say_split(index, labels, split, config=DataConfig("t"))
    assert len(str(caught.value)) < 300


def test_many_odd_folders_are_a_line_for_each_kind(
    tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    for number in range(40):
        (tmp_path / f"empty{number:02}").mkdir()
        for name in (f"lost{number:02}", f"blank{number:02} "):
            (tmp_path / name).mkdir()
            (tmp_path / name / "1.jpg").touch()
    index = read_tree(str(tmp_path))
    lost = {photo.path: "broken" for photo in index.photos if photo.path.startswith("lost")}
    say_left_out(without_unusable(index, lost))
    assert [text.split(" ", 1)[0] for text in said()] == ["40"] * 3
    assert all(len(text) < 300 for text in said())


def test_many_broken_files_are_eleven_lines(said: Callable[[], list[str]]) -> None:
    say_aside([SetAside(f"a/{n}.jpg", "broken") for n in range(MANY)])
    assert len(said()) == 11 and f"{MANY - 10} more files" in said()[-1]


def test_other_files_are_one_line_and_no_fault(
    tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for n in range(5):
        for name in (f"a/{n}.jpg", f"b/{n}.jpg", f"a/{n}.json", f"b/{n}.jpg.XML", "a/README"):
            (tmp_path / name).write_text("x")
    for name in ("a/Thumbs.db", "b/desktop.ini"):
        (tmp_path / name).write_text("x")
    index = read_tree(str(tmp_path))
    say_found(index)
    sides = {p.path: "no picture" for p in index.photos if not p.path.endswith(".jpg")}
    index = without_unusable(index, sides)
    say_left_out(index)
    report_aside(index.aside, tmp_path / "out/set_aside.csv", strict=True, csv_safe=False)
    assert said() == [
        "11 files in 2 classes: a 6, b 5",
        "2 files and folders of systems and programs left out: Thumbs.db (1), desktop.ini (1)",
        "11 other files left out: .json (5), .xml (5), without a suffix (1)",
    ]


def test_side_files_do_not_hide_the_broken_photo(tmp_path: Path, run: Run) -> None:
    for name, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
        for n in range(6):
            write_picture(tmp_path / f"t/{name}/{n}.png", colour, n)
            for suffix in ("json", "png.xml", "txt"):
                (tmp_path / f"t/{name}/{n}.{suffix}").write_text("{}")
        (tmp_path / f"t/{name}/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(500))
    age(tmp_path / "t")
    strict = run("retrain", "--image_dir", tmp_path / "t", *FAST, "--strict")
    assert strict.returncode == 0, strict.stderr
    assert "36 other files left out: .json (12), .txt (12), .xml (12)" in strict.stderr
    (tmp_path / "t/red/zz.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
    done = run("retrain", "--image_dir", tmp_path / "t", *FAST)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "work/set_aside.csv", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["red/zz.jpg"]
    refused = run("retrain", "--image_dir", tmp_path / "t", *FAST, "--strict")
    assert refused.returncode == 1 and "red/zz.jpg" in refused.stderr.splitlines()[-1]


def test_names_are_compared_alike_by_every_command(tmp_path: Path, run: Run) -> None:
    """An old graph in the older script's form, a tree in NFC, gates in NFD."""
    names = {"Mädesüß": (200, 40, 40), "Blue Bell": (40, 40, 200)}
    for form in ("NFC", "NFD"):
        for name, colour in names.items():
            for n in range(8):
                folder = tmp_path / form / unicodedata.normalize(form, name)
                write_picture(folder / f"{n}.png", colour, n)
        age(tmp_path / form)
    old = ("--output_graph", "old/g.pb", "--output_labels", "old/l.txt", "--legacy_labels")
    done = run("retrain", "--image_dir", tmp_path / "NFC", *FAST, *old)
    assert done.returncode == 0, done.stderr
    recall = [
        argument
        for name in names
        for argument in ("--assert_recall", f"{unicodedata.normalize('NFD', name)}=0.01")
    ]
    new = run(
        "retrain", "--image_dir", tmp_path / "NFD", *FAST, "--compare_with", "old/g.pb", *recall
    )
    assert new.returncode == 0, new.stderr
    assert "Compared with" in new.stdout and "nothing can be compared" not in new.stderr
    for tree in ("NFC", "NFD"):
        judged = run("retrain", "evaluate", "--graph", "old/g.pb", "--image_dir", tmp_path / tree,
                     "--output_dir", "e", "--no-report", *recall)  # fmt: skip
        assert judged.returncode == 0, judged.stderr
        assert json.loads((tmp_path / "work/e/evaluation.json").read_text())["photos"] == 16
    labels = tmp_path / "work" / "labels.txt"
    labels.write_text("blue bell \nm desu \n")  # as an editor may have left them
    said = run("retrain", "evaluate", "--graph", "old/g.pb", "--image_dir", tmp_path / "NFC",
               "--output_dir", "e", "--no-report", "--labels", labels)  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "the graph does not know" in said.stderr  # no form of Mädesüß, so it is not guessed
