"""Digests: each file is read once, and again only when it may have changed.

The files are no photos, so that no feature is computed: what is left is the reading.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import TINY

from retrain.data import digests
from retrain.data.digests import DigestMemo, digest_of
from retrain.data.folder import Index, read_tree
from retrain.features.extractor import Extractor
from retrain.features.runner import Runner
from retrain.utils.logs import console

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


def read_photos(index: Index, folder: Path) -> tuple[dict[str, bytes], dict[str, str], int]:
    """Digests and faults by path, and how many files were read for them."""
    runner = Runner()
    return *runner.read_photos(Extractor(TINY, folder), index), runner.read


def read(root: Path) -> tuple[dict[str, bytes], dict[str, str], int]:
    settled(root)
    return read_photos(read_tree(str(root)), root.parent / "cache")


def expected(root: Path) -> dict[str, bytes]:
    paths = [photo.path for photo in read_tree(str(root)).photos]
    return {path: digest_of((root / path).read_bytes()) for path in paths}


def test_digest_of_is_blake2b_128() -> None:
    assert digest_of(b"").hex() == "cae66941d9efbd404e4d88758ea67670"
    assert len(digest_of(b"x")) == digests.DIGEST_BYTES


def test_first_time_reads_all_then_none(root: Path) -> None:
    assert read(root) == (expected(root), {}, 4)
    assert read(root) == (expected(root), {}, 0)


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
    assert (found, aside) == (expected(root), {}) and number > 0
    assert read(root) == (expected(root), {}, 0)


def test_the_memo_of_an_earlier_version_is_a_miss(root: Path) -> None:
    read(root)
    (memo,) = (root.parent / "cache" / "digests").iterdir()
    np.savez(memo.with_suffix(".npz"), names=np.zeros(1, np.uint8))
    memo.unlink()
    assert read(root) == (expected(root), {}, 4)
    assert read(root) == (expected(root), {}, 0)


@pytest.mark.parametrize("then", [-1_000_000_000, 0, 2**34 - 1])  # from 1938 to 2514
def test_odd_times_are_no_fault(root: Path, then: int) -> None:
    try:
        os.utime(root / "a/1", (then, then))
    except OSError:
        pytest.skip("the file system does not know this time")
    in_future = (root / "a/1").stat().st_mtime > time.time()
    read(root)
    assert read(root) == (expected(root), {}, int(in_future))


def test_larger_than_a_block(root: Path) -> None:
    write(root / "a/1", bytes(range(256)) * 10_000)
    assert read(root)[0] == expected(root)


@pytest.mark.parametrize(
    ("content", "later_ns"), [(b"new", 1), (b"new", 10**9), (b"another size", 0), (b"old", -1)]
)
def test_rereads_just_what_changed(root: Path, content: bytes, later_ns: int) -> None:
    read(root)
    write(root / "a/1", content, LONG_AGO_NS + later_ns)
    assert read(root) == (expected(root), {}, 1)
    assert read(root) == (expected(root), {}, 0)


def test_added_and_removed(root: Path) -> None:
    read(root)
    write(root / "c/new", b"new")
    (root / "a/1").unlink()
    assert read(root) == (expected(root), {}, 1)
    assert read(root) == (expected(root), {}, 0)


def test_renamed_root_reads_all(root: Path) -> None:
    before = read(root)[0]
    renamed = root.rename(root.parent / "renamed")
    assert read(renamed) == (before, {}, 4)
    assert read(renamed) == (before, {}, 0)


def test_knows_a_root_by_any_spelling(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(root)
    monkeypatch.chdir(root)
    index = read_tree("../tree/")
    assert read_photos(index, root.parent / "cache") == (expected(root), {}, 0)


@pytest.mark.parametrize("ahead_ns", [0, 3600 * 10**9])
def test_fresh_file_is_not_remembered(root: Path, ahead_ns: int) -> None:
    write(root / "a/1", b"fresh", time.time_ns() + ahead_ns)
    assert read(root) == (expected(root), {}, 4)
    assert read(root) == (expected(root), {}, 1)


def test_only_fresh_files(tmp_path: Path) -> None:
    for name in ("a/1", "b/2"):
        write(tmp_path / "tree" / name, b"fresh", time.time_ns() + 10**12)
    assert read(tmp_path / "tree")[2] == 2
    assert read(tmp_path / "tree")[2] == 2


def test_freshness_counts_from_before_the_reading(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file changed a moment before it was read may change once more within the same tick of
    the clock, however long the other files then took to read."""
    now_ns = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(digests, "time", SimpleNamespace(time_ns=lambda: now_ns))
    write(root / "a/1", b"fresh", now_ns - 1)
    index = read_tree(str(root))
    memo = DigestMemo(index, root.parent)
    now_ns += 60 * 10**9
    for path, digest in expected(root).items():
        memo.add(path, digest)
    memo.keep()
    assert DigestMemo(index, root.parent).fresh == {"a/1"}


@pytest.mark.parametrize("damage", ["empty", "text", "half", "byte"])
def test_damaged_memo_is_ignored(root: Path, damage: str) -> None:
    read(root)
    (memo,) = (root.parent / "cache" / "digests").iterdir()
    content = bytearray(memo.read_bytes())
    changed = {"empty": b"", "text": b"text", "half": content[: len(content) // 2]}
    content[content.index(expected(root)["a/1"])] ^= 1
    memo.write_bytes(changed.get(damage, content))
    assert read(root) == (expected(root), {}, 4)
    assert read(root) == (expected(root), {}, 0)


def test_memo_leaves_nothing_else_behind(root: Path) -> None:
    read(root)
    read(root)
    assert [path.suffix for path in (root.parent / "cache" / "digests").iterdir()] == [".kept"]


def test_unreadable_file_is_set_aside(root: Path) -> None:
    index = read_tree(str(settled(root)))
    content = (root / "a/1").read_bytes()
    (root / "a/1").unlink()
    found, aside, number = read_photos(index, root.parent / "cache")
    assert found == expected(root)
    assert aside == {"a/1": "cannot be read: No such file or directory"}
    assert number == 4
    write(root / "a/1", content)
    assert read(root) == (expected(root), {}, 1)


def test_unwritable_memo(root: Path) -> None:
    (root.parent / "cache").mkdir()
    (root.parent / "cache" / "digests").write_text("a file where a folder should be")
    with console() as messages:
        for _ in range(2):
            index = read_tree(str(settled(root)))
            assert read_photos(index, root.parent / "cache") == (expected(root), {}, 4)
    assert len(messages.warnings) == 1
    memo = root.parent / "cache" / "digests"
    assert messages.warnings[0].startswith(f"nothing can be kept in {memo} for later runs")
