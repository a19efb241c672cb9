"""Reading the image tree: what is a class, what is a photo, what is said about the rest."""

import mimetypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from retrain.data.folder import Index, Photo, read_tree
from retrain.data.walk import SetAside
from retrain.errors import RetrainError
from retrain.utils.files import identity_of


def put(root: Path, *paths: str) -> Path:
    """Makes these files (content: their own path); a path that ends in `/` is a folder."""
    for path in paths:
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path, encoding="utf-8")
    return root


def paths_of(index: Index) -> list[str]:
    return [photo.path for photo in index.photos]


def fault(image_dir: Path) -> str:
    """The text of the RetrainError; always one line that names the folder."""
    with pytest.raises(RetrainError) as caught:
        read_tree(str(image_dir))
    text = str(caught.value)
    assert text.splitlines() == [text]
    assert str(image_dir) in text
    return text


def test_read_tree_folder_per_class(tmp_path: Path) -> None:
    root = put(tmp_path, "dog/b.jpg", "cat/2.jpg", "cat/1.png", "dog/a")
    os.utime(root / "cat/1.png", ns=(5, 1_234_567_890_123_456_789))
    index = read_tree(str(root))
    facts = (root / "cat/1.png").stat()
    assert index.photos[0] == Photo("cat/1.png", 0, identity_of(facts))
    assert index.photos[0].identity == (
        facts.st_dev,
        facts.st_ino,
        len("cat/1.png"),
        1_234_567_890_123_456_789,
        facts.st_ctime_ns,
    )
    assert index.root == root
    assert index.classes == ("cat", "dog")
    assert paths_of(index) == ["cat/1.png", "cat/2.jpg", "dog/a", "dog/b.jpg"]
    assert [photo.label for photo in index.photos] == [0, 0, 1, 1]
    assert {photo.given_set for photo in index.photos} == {None}
    assert index.counts() == [2, 2]
    assert index.aside == index.remarks == ()


def test_read_tree_typed_root_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "img/a/x.jpg", "img/b/y.jpg")
    monkeypatch.chdir(tmp_path)
    for typed in ("img", "img/", "./img"):
        index = read_tree(typed)
        assert index.typed == typed
        assert Path(index.full_path(index.photos[1])).is_file()


def test_read_tree_nested_folders(tmp_path: Path) -> None:
    root = put(tmp_path, "a/one/two/three/x.jpg", "a/one/y.jpg", "a/z.jpg", "b/x.jpg")
    index = read_tree(str(root))
    assert index.classes == ("a", "b")
    assert paths_of(index) == ["a/one/two/three/x.jpg", "a/one/y.jpg", "a/z.jpg", "b/x.jpg"]


def test_read_tree_order_is_by_code_point(tmp_path: Path) -> None:
    names = ["é", "z", "Z", "a", "10", "9", "B", "_"]
    index = read_tree(str(put(tmp_path, *(f"{name}/x.jpg" for name in names))))
    assert index.classes == ("10", "9", "B", "Z", "_", "a", "z", "é")


def test_read_tree_does_not_depend_on_directory_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put(tmp_path, *(f"{c}/{n}/{n}.jpg" for c in "abc" for n in range(5)))
    for name in ("0alias", "zalias"):
        (root / "a" / name).symlink_to(root / "a/3")
    scan = os.scandir
    found = []
    for backward in (False, True):

        @contextmanager
        def ordered(path: Path, backward: bool = backward) -> "Iterator[list[os.DirEntry[str]]]":
            with scan(path) as entries:
                yield sorted(entries, key=lambda entry: entry.name, reverse=backward)

        monkeypatch.setattr(os, "scandir", ordered)
        found.append(read_tree(str(root)))
    assert found[0] == found[1]


def test_read_tree_odd_names(tmp_path: Path) -> None:
    names = ["C++", "[x]", " blank ", "🐱", "日本", "a*b", "%s", "-v", "..."]
    index = read_tree(str(put(tmp_path, *(f"{name}/{name}.jpg" for name in names))))
    shown = [name for name in names if not name.startswith(".")]
    assert index.classes == tuple(sorted(shown))
    assert paths_of(index) == [f"{name}/{name}.jpg" for name in sorted(shown)]
    assert all(Path(index.full_path(photo)).is_file() for photo in index.photos)


def test_read_tree_hidden_left_out(tmp_path: Path) -> None:
    files = [".git/x.jpg", "a/.DS_Store", "a/.thumbs/t.jpg", ".loose", "a/x.jpg", "b/y.jpg"]
    index = read_tree(str(put(tmp_path, *files)))
    assert index.classes == ("a", "b")
    assert paths_of(index) == ["a/x.jpg", "b/y.jpg"]
    assert index.aside == index.remarks == ()


def test_read_tree_links_followed(tmp_path: Path) -> None:
    root = put(tmp_path / "tree", "a/x.jpg", "b/y.jpg")
    elsewhere = put(tmp_path / "elsewhere", "photo.jpg", "folder/deep/z.jpg", "class/c.jpg")
    (root / "a/file.jpg").symlink_to(elsewhere / "photo.jpg")
    (root / "b/linked").symlink_to(elsewhere / "folder")
    (root / "c").symlink_to(elsewhere / "class")
    index = read_tree(str(root))
    assert index.classes == ("a", "b", "c")
    assert paths_of(index) == ["a/file.jpg", "a/x.jpg", "b/linked/deep/z.jpg", "b/y.jpg", "c/c.jpg"]
    assert index.photos[0].identity[2] == len("photo.jpg")


def test_read_tree_link_cycle_ends(tmp_path: Path) -> None:
    root = put(tmp_path, "a/x.jpg", "a/in/y.jpg", "b/z.jpg")
    (root / "a/in/up").symlink_to(root / "a")
    (root / "b/here").symlink_to(".")
    index = read_tree(str(root))
    assert paths_of(index) == ["a/in/y.jpg", "a/x.jpg", "b/z.jpg"]


def test_read_tree_broken_links_set_aside(tmp_path: Path) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg")
    (root / "a/gone.jpg").symlink_to(root / "nowhere")
    (root / "b/self").symlink_to("self")
    index = read_tree(str(root))
    assert paths_of(index) == ["a/x.jpg", "b/y.jpg"]
    assert set(index.aside) == {
        SetAside("a/gone.jpg", "a broken link"),
        SetAside("b/self", "a broken link"),
    }


@pytest.mark.parametrize("target", ["nowhere", "odd"])
def test_read_tree_broken_link_beside_the_classes(tmp_path: Path, target: str) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg", "out/")
    (root / "odd").symlink_to(target)
    for ignore in ([], [root / "out"]):
        assert read_tree(str(root), ignore).classes == ("a", "b")


def test_read_tree_not_a_regular_file(tmp_path: Path) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg")
    os.mkfifo(root / "a/pipe.jpg")
    index = read_tree(str(root))
    assert paths_of(index) == ["a/x.jpg", "b/y.jpg"]
    assert index.aside == (SetAside("a/pipe.jpg", "not a regular file"),)


def test_read_tree_empty_class_is_remarked(tmp_path: Path) -> None:
    index = read_tree(str(put(tmp_path, "a/x.jpg", "b/y.jpg", "void/deep/", "void/.hidden")))
    assert index.classes == ("a", "b")
    (remark,) = index.remarks
    assert "'void'" in remark


@pytest.fixture
def no_list_of_types(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bare machine, where Python has to know by itself what `.webp` is."""
    with monkeypatch.context() as patch:
        patch.setattr(mimetypes, "knownfiles", [])
        patch.setattr(mimetypes, "_db", None)
        mimetypes.init()
        yield
    mimetypes.init()


@pytest.mark.usefixtures("no_list_of_types")
@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp", "bmp", "gif", "tif"])
def test_read_tree_loose_pictures_are_remarked(tmp_path: Path, suffix: str) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg", f"two.{suffix}", f"one.{suffix}")
    index = read_tree(str(root))
    assert paths_of(index) == ["a/x.jpg", "b/y.jpg"]
    (remark,) = index.remarks
    assert "2 " in remark and str(root / f"one.{suffix}") in remark


def test_read_tree_missing_root(tmp_path: Path) -> None:
    text = fault(tmp_path / "nowhere")
    assert "does not exist" in text and "--image_dir" in text


def test_read_tree_root_is_a_file(tmp_path: Path) -> None:
    text = fault(put(tmp_path, "x.jpg") / "x.jpg")
    assert "is a file" in text and "--image_dir" in text


def test_read_tree_loose_files_only_suggests_parent(tmp_path: Path) -> None:
    text = fault(put(tmp_path / "cat", "1.jpg", "2.jpg"))
    assert "2 files" in text
    assert text.endswith(f"--image_dir {tmp_path}")


@pytest.mark.parametrize("folders", [[], ["a/", "b/c/"]])
def test_read_tree_nothing_at_all(tmp_path: Path, folders: list[str]) -> None:
    assert "make one folder per class" in fault(put(tmp_path, *folders))


def test_read_tree_one_class_only(tmp_path: Path) -> None:
    text = fault(put(tmp_path, "cat/1.jpg", "empty/"))
    assert "'cat'" in text and "two or more" in text


def test_read_tree_one_class_with_folders_suggests_it(tmp_path: Path) -> None:
    text = fault(put(tmp_path, "photos/cat/1.jpg", "photos/dog/2.jpg"))
    assert "2 folders" in text
    assert text.endswith(f"--image_dir {tmp_path / 'photos'}")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_read_tree_given_sets(tmp_path: Path, name: str) -> None:
    files = ["train/a/1.jpg", "train/b/in/1.jpg", f"{name}/a/1.jpg", "test/b/9.jpg", "test/c/1.jpg"]
    index = read_tree(str(put(tmp_path, *files)))
    assert index.classes == ("a", "b", "c")
    assert {photo.path: (photo.label, photo.given_set) for photo in index.photos} == {
        "train/a/1.jpg": (0, "train"),
        f"{name}/a/1.jpg": (0, "validation"),
        "train/b/in/1.jpg": (1, "train"),
        "test/b/9.jpg": (1, "test"),
        "test/c/1.jpg": (2, "test"),
    }


@pytest.mark.parametrize("more", [["test/2.jpg"], ["test/deep/2.jpg"], ["test/2.jpg", "cat/3.jpg"]])
def test_read_tree_classes_named_like_sets(tmp_path: Path, more: list[str]) -> None:
    index = read_tree(str(put(tmp_path, "train/1.jpg", *more)))
    assert index.classes == tuple(sorted({"train", *(path.split("/")[0] for path in more)}))
    assert {photo.given_set for photo in index.photos} == {None}


def test_read_tree_ignored_folders_are_no_classes(tmp_path: Path) -> None:
    root = put(tmp_path, "a/x.jpg", "b/y.jpg", "logs/events", "a/cache/shard", "b/logs/z.jpg")
    index = read_tree(str(root), ignore=[root / "b/../logs", root / "a/cache", root / "absent"])
    assert index.classes == ("a", "b")
    assert paths_of(index) == ["a/x.jpg", "b/logs/z.jpg", "b/y.jpg"]
    assert index.aside == index.remarks == ()
