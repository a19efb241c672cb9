"""Folders as people and systems leave them: sets under any name, side files, litter."""

import os
from pathlib import Path

import pytest
from test_tree import fault, paths_of, put

from retrain.data.file_kinds import LITTER, is_litter, is_picture, suffix_fits
from retrain.data.folder import Index, read_tree, without_unusable
from retrain.errors import RetrainError
from retrain.inference.inputs import list_inputs


def classes_in(folder: str, *classes: str) -> list[str]:
    """Two photos of each class in a folder."""
    return [f"{folder}/{name}/{n}.jpg" for name in classes for n in (1, 2)]


def sets_of(index: Index) -> dict[str, int]:
    """How many photos are in each set that folders name."""
    found: dict[str, int] = {}
    for photo in index.photos:
        found[str(photo.given_set)] = found.get(str(photo.given_set), 0) + 1
    return found


@pytest.mark.parametrize(
    ("training", "other", "which"),
    [
        ("train", "test", "test"),
        ("Training", "Testing", "test"),
        ("TRAIN", "TEST", "test"),
        ("train", "dev", "validation"),
        ("train", "Val", "validation"),
        ("train_images", "test_images", "test"),
        ("training-set", "validation-set", "validation"),
        ("trainset", "testset", "test"),
        ("Training Data", "Test Data", "test"),
        ("train2017", "val2017", "validation"),
        ("seg_train", "seg_test", "test"),
        ("flowers_train", "flowers_holdout", "test"),
        ("train ", "eval", "test"),
        ("1_train", "2_test", "test"),
    ],
)
def test_sets_are_known_by_their_names(
    tmp_path: Path, training: str, other: str, which: str
) -> None:
    files = classes_in(training, "a", "b") + classes_in(other, "a", "b")
    index = read_tree(str(put(tmp_path, *files)))
    assert index.classes == ("a", "b")
    assert sets_of(index) == {"train": 4, which: 4}
    assert index.remarks == ()


@pytest.mark.parametrize(
    "name", ["train_station", "testament", "valley", "training camp", "development kit", "tests-x"]
)
def test_other_names_are_no_sets(tmp_path: Path, name: str) -> None:
    index = read_tree(str(put(tmp_path, *classes_in(name, "x", "y"), "cat/1.jpg")))
    assert index.classes == ("cat", name)


@pytest.mark.parametrize("more", [["runs/"], ["runs/log.txt"], ["runs/deep/"], ["@eaDir/x.jpg"]])
def test_a_folder_without_photos_beside_sets_changes_nothing(
    tmp_path: Path, more: list[str]
) -> None:
    files = classes_in("train", "a", "b") + classes_in("test", "a", "b")
    index = read_tree(str(put(tmp_path, *files, *more)))
    assert index.classes == ("a", "b")
    assert sets_of(index) == {"train": 4, "test": 4}


@pytest.mark.parametrize("more", [["runs/plot.png"], ["unlabelled/1.jpg"], ["other/deep/1.jpg"]])
def test_a_strange_folder_beside_sets_is_left_out_by_name(tmp_path: Path, more: list[str]) -> None:
    files = classes_in("train", "a", "b") + classes_in("test", "a", "b")
    index = read_tree(str(put(tmp_path, *files, *more)))
    assert index.classes == ("a", "b")
    (remark,) = index.remarks
    assert repr(more[0].split("/")[0]) in remark and "left out" in remark


@pytest.mark.parametrize("flat", ["test", "Testing", "val"])
def test_a_flat_set_is_left_out_by_name(tmp_path: Path, flat: str) -> None:
    index = read_tree(str(put(tmp_path, *classes_in("train", "a", "b"), f"{flat}/1.jpg")))
    assert index.classes == ("a", "b")
    assert sets_of(index) == {"train": 4}
    (remark,) = index.remarks
    assert repr(flat) in remark and "1 picture" in remark


@pytest.mark.parametrize(
    "files",
    [
        classes_in("fold1", "a", "b") + classes_in("fold2", "a", "b"),
        classes_in("2019", "a", "b", "c") + classes_in("2020", "a", "b"),
        classes_in("data", "a", "b") + classes_in("more", "A", "b"),
        classes_in("train", "a", "b") + classes_in("rest", "a", "b"),
        classes_in("train", "a", "b") + classes_in("test", "a", "b") + classes_in("rest", "a", "b"),
        classes_in("train", "a", "b") + classes_in("test", "a", "b") + classes_in("rest", "a"),
        [*classes_in("train", "a", "b"), "test/1.jpg", "bus/2.jpg"],
        [*classes_in("one", "a", "b"), *classes_in("two", "a", "b"), "one/labels.txt"],
    ],
)
def test_what_looks_like_sets_is_never_taken_for_classes(tmp_path: Path, files: list[str]) -> None:
    assert "train" in fault(put(tmp_path, *files)) or "classes" in fault(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["train/1.jpg", "test/1.jpg"], ["'test'", "'train'"]),
        ([*classes_in("train", "steam", "diesel"), "bus/1.jpg"], ["'train'", "'steam'"]),
        (
            [*classes_in("2019", "a", "b"), *classes_in("2020", "a", "b"), "misc/1.jpg"],
            ["'2019'", "'2020'"],
        ),
    ],
)
def test_classes_that_may_be_sets_are_said(
    tmp_path: Path, files: list[str], said: list[str]
) -> None:
    index = read_tree(str(put(tmp_path, *files)))
    assert set(index.classes) == {path.split("/")[0] for path in files}
    (remark,) = index.remarks
    assert all(name in remark for name in said)


@pytest.mark.parametrize(
    "files",
    [
        [f"{name}/images/{n}.jpg" for name in ("n01", "n02", "n03") for n in (1, 2)],
        classes_in("cat", "indoor", "outdoor") + classes_in("dog", "day", "night"),
        [path for n in range(25) for path in classes_in(f"class{n}", "front", "back")],
    ],
)
def test_classes_with_folders_in_them_stay_classes(tmp_path: Path, files: list[str]) -> None:
    index = read_tree(str(put(tmp_path, *files)))
    assert set(index.classes) == {path.split("/")[0] for path in files}
    assert index.remarks == ()


def test_each_class_of_a_set_follows_its_links(tmp_path: Path) -> None:
    root = put(tmp_path, *classes_in("train", "a"), *classes_in("test", "a", "b"))
    (root / "train/b").symlink_to(root / "train/a")
    index = read_tree(str(root))
    assert paths_of(index) == [
        "test/a/1.jpg", "test/a/2.jpg", "train/a/1.jpg", "train/a/2.jpg",
        "test/b/1.jpg", "test/b/2.jpg", "train/b/1.jpg", "train/b/2.jpg",
    ]  # fmt: skip


LEFT = ["@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX",
        "Thumbnails", "_thumbs", "@Recycle", "LOST.DIR", "FOUND.000", "#snapshot"]  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_systems_leave_is_left_out_everywhere(tmp_path: Path, name: str) -> None:
    beside = [f"{name}/1.jpg", f"{name}/S-1-5/2.jpg"]
    inside = [f"a/{name}/x.jpg/3.jpg", f"b/deep/{name}/4.jpg"]
    root = put(tmp_path / "tree", "a/x.jpg", "b/y.jpg", "b/deep/z.jpg", *beside, *inside)
    index = read_tree(str(root))
    assert paths_of(index) == ["a/x.jpg", "b/deep/z.jpg", "b/y.jpg"]
    assert len(index.litter) == 3 and index.aside == index.remarks == ()
    labelled = [found.name for found in list_inputs([str(root)]) if found is not None]
    assert labelled == [f"{root}/{path}" for path in ("a/x.jpg", "b/deep/z.jpg", "b/y.jpg")]
    by_pattern = [found.name for found in list_inputs([f"{root}/**/*.jpg"]) if found is not None]
    assert sorted(by_pattern) == sorted(labelled)
    sets = classes_in("train", "a", "b") + classes_in("test", "a", "b") + [f"train/{name}/1.jpg"]
    assert read_tree(str(put(tmp_path / "sets", *sets, *beside))).classes == ("a", "b")


@pytest.mark.parametrize("name", sorted(LITTER | {"AlbumArt_{7C0}_Large.jpg", "MVI_1.THM"}))
def test_litter_is_known_in_any_case(name: str) -> None:
    assert is_litter(name) and is_litter(name.upper()) and is_litter(name.title())


@pytest.mark.parametrize(
    "name", ["trash", "recycled", "notes", "found", "thumbs up", "lost", "bin"]
)
def test_classes_are_no_litter(tmp_path: Path, name: str) -> None:
    index = read_tree(str(put(tmp_path, f"{name}/1.jpg", "cat/1.jpg")))
    assert name in index.classes


def test_thumbs_are_litter_beside_photos_only(tmp_path: Path) -> None:
    index = read_tree(str(put(tmp_path, "thumbs/1.jpg", "fist/1.jpg", "fist/thumbs/1.jpg")))
    assert paths_of(index) == ["fist/1.jpg", "thumbs/1.jpg"]
    assert index.litter == ("fist/thumbs",)


@pytest.mark.parametrize(
    ("name", "content", "missed"),
    [
        ("broken.jpg", b"", True),
        ("broken.JFIF", b"text", True),
        ("phone.heic", b"", True),
        ("photo", b"\xff\xd8\xff\xe0" + bytes(40), True),
        ("photo.part", b"\x89PNG\r\n\x1a\n", True),
        ("photo.php", b"RIFF\0\0\0\0WEBPVP8 ", True),
        ("photo.x", b"\0\0\0\x18ftypheic", True),
        ("labels.json", b"{}", False),
        ("boxes.txt", b"", False),
        ("clip.mp4", b"\0\0\0\x18ftypmp42", False),
        ("clip", b"\0\0\0\x18ftypmp42", False),
        ("README", b"these are photos", False),
        ("empty", b"", False),
        ("BMX", b"BMX is a kind of bicycle", False),
        ("table.weird", b"1,2,3", False),
    ],
)
def test_only_pictures_are_set_aside(
    tmp_path: Path, name: str, content: bytes, missed: bool
) -> None:
    index = read_tree(str(put(tmp_path, "a/x.jpg", "b/y.jpg")))
    (tmp_path / "a" / name).write_bytes(content)
    assert is_picture(tmp_path / "a" / name) == missed
    index = without_unusable(read_tree(str(tmp_path)), {f"a/{name}": "broken"})
    aside = [file.path for file in index.aside]
    assert (aside, list(index.others)) == (([f"a/{name}"], []) if missed else ([], [f"a/{name}"]))
    assert paths_of(index) == ["a/x.jpg", "b/y.jpg"]


def test_what_is_no_file_is_told_by_its_name(tmp_path: Path) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg")
    os.mkfifo(root / "a/pipe.txt")
    (root / "a/gone.xml").symlink_to("nowhere")
    (root / "a/gone.jpg").symlink_to("nowhere")
    index = read_tree(str(root))
    assert [file.path for file in index.aside] == ["a/gone.jpg"]
    assert set(index.others) == {"a/pipe.txt", "a/gone.xml"}


@pytest.mark.parametrize(
    ("name", "content", "fits"),
    [
        ("a.jpg", "JPEG", True), ("a.JPE", "JPEG", True), ("a.jfif", "JPEG", True),
        ("a.jpg", "MPO", True), ("a.mpo", "MPO", True), ("a.dib", "BMP", True),
        ("a.bmp", "BMP", True), ("a.tif", "TIFF", True), ("a.TIFF", "TIFF", True),
        ("a.dng", "TIFF", True), ("a.apng", "PNG", True), ("a.png", "JPEG", False),
        ("a.jpg", "PNG", False), ("a", "JPEG", False), ("a.txt", "PNG", False),
        ("a.webp", "GIF", False), ("a.tif", "MPO", False),
    ],
)  # fmt: skip
def test_suffixes_and_their_variants(name: str, content: str, fits: bool) -> None:
    assert suffix_fits(name, content) == fits


def test_names_that_are_no_unicode_open_their_files(tmp_path: Path) -> None:
    for folder in (b"train/caf\xe9", b"test/caf\xe9", b"train/b", b"test/B"):
        os.makedirs(os.path.join(os.fsencode(tmp_path), folder))
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), folder, b"\xe9.jpg"))).touch()
    index = read_tree(str(tmp_path))
    assert index.counts() == [2, 2]
    assert all(Path(index.full_path(photo)).is_file() for photo in index.photos)


def test_side_files_alone_make_no_class(tmp_path: Path) -> None:
    """But a photo is one whatever it is called."""
    index = read_tree(str(put(tmp_path, "a/x.jpg", "b/y.jpg", "labels/1.txt", "labels/2.xml")))
    failed = {photo.path: "no picture" for photo in index.photos if "labels" in photo.path}
    found = without_unusable(index, failed)
    assert found.classes == ("a", "b") and len(found.others) == 2 and not found.aside
    assert len(without_unusable(index, {"labels/2.xml": "no picture"}).classes) == 3


def test_one_class_is_enough_where_none_is_learnt(tmp_path: Path) -> None:
    root = put(tmp_path, "photos/cat/1.jpg", "photos/dog/2.jpg")
    with pytest.raises(RetrainError, match="one class only"):
        read_tree(str(root))
    index = read_tree(str(root), least_classes=1)
    assert index.classes == ("photos",)
    (remark,) = index.remarks
    assert "2 folders" in remark
