"""Digests: each file is read once, and again only when it may have changed."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from retrain.data import digests
from retrain.data.digests import digest_of, digest_photos
from retrain.data.folder import read_tree
from retrain.data.walk import SetAside
from retrain.utils.logs import console
from retrain.utils.progress import Meter, progress

LONG_AGO_NS = time.time_ns() - 3600 * 10**9


def write(path: Path, content: bytes, mtime_ns: int = LONG_AGO_NS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/1", "a/in/2", "b/日本", "b/ 4 "):
        write(tmp_path / "tree" / name, name.encode())
    return tmp_path / "tree"


def settled(root: Path) -> Path:
    """The folder, as soon as its files were changed long enough ago to be remembered."""
    newest = max(path.stat().st_ctime_ns for path in root.rglob("*"))
    while time.time_ns() <= newest + digests.TICK_NS:
        time.sleep(0.001)
    return root


def read(root: Path) -> tuple[dict[str, bytes], list[SetAside], int]:
    settled(root)
    return digest_photos(read_tree(str(root)), root.parent / "memo")


def expected(root: Path) -> dict[str, bytes]:
    paths = [photo.path for photo in read_tree(str(root)).photos]
    return {path: digest_of((root / path).read_bytes()) for path in paths}


def test_digest_of_is_blake2b_128() -> None:
    assert digest_of(b"").hex() == "cae66941d9efbd404e4d88758ea67670"
    assert len(digest_of(b"x")) == digests.DIGEST_BYTES


def test_digest_photos_first_time_reads_all_then_none(root: Path) -> None:
    assert read(root) == (expected(root), [], 4)
    assert read(root) == (expected(root), [], 0)


def in_place(root: Path) -> None:
    write(root / "a/1", b"A/1")


def by_another_file(root: Path) -> None:
    write(root / "new", b"A/1")
    (root / "new").replace(root / "a/1")


def two_files_exchanged(root: Path) -> None:
    (root / "a/1").rename(root / "a/x")
    (root / "b/5").rename(root / "a/1")
    (root / "a/x").rename(root / "b/5")


def two_folders_exchanged(root: Path) -> None:
    (root / "a").rename(root / "x")
    (root / "b").rename(root / "a")
    (root / "x").rename(root / "b")


def a_link_turned(root: Path) -> None:
    (root / "a/link").unlink()
    (root / "a/link").symlink_to(root / "b/5")


@pytest.mark.parametrize(
    "change", [in_place, by_another_file, two_files_exchanged, two_folders_exchanged, a_link_turned]
)
def test_another_content_of_the_same_size_and_time_is_seen(
    root: Path, change: Callable[[Path], None]
) -> None:
    for name in ("a/1", "b/5", "b/1", "a/5"):
        write(root / name, name.encode())
    (root / "a/link").symlink_to(root / "a/1")
    read(root)
    change(root)
    found, aside, number = read(root)
    assert (found, aside) == (expected(root), []) and number > 0
    assert read(root) == (expected(root), [], 0)


def test_the_memo_of_an_earlier_version_is_a_miss(root: Path) -> None:
    read(root)
    (memo,) = (root.parent / "memo").iterdir()
    np.savez(memo.with_suffix(".npz"), names=np.zeros(1, np.uint8))
    memo.unlink()
    assert read(root) == (expected(root), [], 4)
    assert read(root) == (expected(root), [], 0)


@pytest.mark.parametrize("then", [-1_000_000_000, 0, 2**34 - 1])  # from 1938 to 2514
def test_odd_times_are_no_fault(root: Path, then: int) -> None:
    try:
        os.utime(root / "a/1", (then, then))
    except OSError:
        pytest.skip("the file system does not know this time")
    in_future = (root / "a/1").stat().st_mtime > time.time()
    read(root)
    assert read(root) == (expected(root), [], int(in_future))


def test_digest_photos_larger_than_a_block(root: Path) -> None:
    write(root / "a/1", bytes(range(256)) * 10_000)
    assert read(root)[0] == expected(root)


@pytest.mark.parametrize(
    ("content", "later_ns"), [(b"new", 1), (b"new", 10**9), (b"another size", 0), (b"old", -1)]
)
def test_digest_photos_rereads_just_what_changed(root: Path, content: bytes, later_ns: int) -> None:
    read(root)
    write(root / "a/1", content, LONG_AGO_NS + later_ns)
    assert read(root) == (expected(root), [], 1)
    assert read(root) == (expected(root), [], 0)


def test_digest_photos_added_and_removed(root: Path) -> None:
    read(root)
    write(root / "c/new", b"new")
    (root / "a/1").unlink()
    assert read(root) == (expected(root), [], 1)
    assert read(root) == (expected(root), [], 0)


def test_digest_photos_renamed_root_reads_all(root: Path) -> None:
    before = read(root)[0]
    renamed = root.rename(root.parent / "renamed")
    assert read(renamed) == (before, [], 4)
    assert read(renamed) == (before, [], 0)


def test_digest_photos_knows_a_root_by_any_spelling(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(root)
    monkeypatch.chdir(root)
    index = read_tree("../tree/")
    assert digest_photos(index, root.parent / "memo") == (expected(root), [], 0)


@pytest.mark.parametrize("ahead_ns", [0, 3600 * 10**9])
def test_digest_photos_fresh_file_is_not_remembered(root: Path, ahead_ns: int) -> None:
    write(root / "a/1", b"fresh", time.time_ns() + ahead_ns)
    assert read(root) == (expected(root), [], 4)
    assert read(root) == (expected(root), [], 1)


def test_digest_photos_only_fresh_files(tmp_path: Path) -> None:
    for name in ("a/1", "b/2"):
        write(tmp_path / "tree" / name, b"fresh", time.time_ns() + 10**12)
    assert read(tmp_path / "tree")[2] == 2
    assert read(tmp_path / "tree")[2] == 2


def test_digest_photos_freshness_counts_from_before_the_reading(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file changed a moment before it was read may change once more within the same tick of
    the clock, however long the other files then took to read."""
    now_ns = start = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(digests, "time", SimpleNamespace(time_ns=lambda: now_ns))
    write(root / "a/1", b"fresh", now_ns - 1)

    @contextmanager
    def slow_reading(what: str, total: int, unit: str) -> Iterator[Meter]:
        nonlocal now_ns
        with progress(what, total, unit) as meter:
            yield meter
        now_ns += 60 * 10**9

    monkeypatch.setattr(digests, "progress", slow_reading)
    memo = root.parent / "memo"
    for _ in range(2):
        now_ns = start
        found = digest_photos(read_tree(str(root)), memo)
    assert found == (expected(root), [], 1)


@pytest.mark.parametrize("damage", ["empty", "text", "half", "byte"])
def test_digest_photos_damaged_memo_is_ignored(root: Path, damage: str) -> None:
    read(root)
    (memo,) = (root.parent / "memo").iterdir()
    content = bytearray(memo.read_bytes())
    changed = {"empty": b"", "text": b"text", "half": content[: len(content) // 2]}
    content[content.index(expected(root)["a/1"])] ^= 1
    memo.write_bytes(changed.get(damage, content))
    assert read(root) == (expected(root), [], 4)
    assert read(root) == (expected(root), [], 0)


def test_digest_photos_memo_leaves_nothing_else_behind(root: Path) -> None:
    read(root)
    read(root)
    assert [path.suffix for path in (root.parent / "memo").iterdir()] == [".kept"]


def test_digest_photos_unreadable_file_is_set_aside(root: Path) -> None:
    index = read_tree(str(settled(root)))
    content = (root / "a/1").read_bytes()
    (root / "a/1").unlink()
    found, aside, number = digest_photos(index, root.parent / "memo")
    assert found == expected(root)
    assert [one.path for one in aside] == ["a/1"]
    assert aside[0].reason.startswith("cannot be read: No such file")
    assert number == 4
    write(root / "a/1", content)
    assert read(root) == (expected(root), [], 1)


def test_digest_photos_unwritable_memo(root: Path) -> None:
    (root.parent / "memo").write_text("a file where a folder should be")
    with console() as talk:
        for _ in range(2):
            index = read_tree(str(settled(root)))
            assert digest_photos(index, root.parent / "memo") == (expected(root), [], 4)
    assert len(talk.warnings) == 1
    assert talk.warnings[0].startswith(f"nothing can be kept in {root.parent / 'memo'} for later")
