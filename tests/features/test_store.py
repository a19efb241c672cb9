"""The bottleneck store: what was published comes back, what was damaged is left out."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from run_commands import PATIENCE_S

from retrain.data.digests import digest_of
from retrain.errors import RetrainError
from retrain.features import matrix as matrix_module
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.utils.kept import write_kept

IDENTITY = StoreIdentity("tiny", "f1ngerpr1nt", "squash", "f32")
WIDTH = 5


def keys_of(start: int, stop: int) -> list[bytes]:
    return [digest_of(str(number).encode()) for number in range(start, stop)]


def vectors_of(keys: Sequence[bytes]) -> np.ndarray:
    """(n, WIDTH) float32, decided by the keys; among them odd values that have to survive."""
    odd = (-0.0, 1e-42, np.inf, 3e38)
    rows = [
        [*np.random.default_rng([*key]).normal(size=WIDTH - 1), odd[key[0] % 4]] for key in keys
    ]
    return np.array(rows, np.float32).reshape(-1, WIDTH)


def opened(root: Path, identity: StoreIdentity = IDENTITY) -> BottleneckStore:
    store = BottleneckStore(root, identity, WIDTH)
    store.refresh()
    return store


def published(root: Path, *ranges: tuple[int, int]) -> BottleneckStore:
    store = opened(root)
    for start, stop in ranges:
        keys = keys_of(start, stop)
        store.publish(keys, vectors_of(keys), {})
    return store


def shards_of(store: BottleneckStore) -> list[Path]:
    return sorted((store.folder / "shards").iterdir())


def assert_holds(store: BottleneckStore, keys: Sequence[bytes]) -> None:
    """All there, bit for bit."""
    taken = store.matrix(keys).take(np.arange(len(keys)))
    assert taken.dtype == np.float32
    assert taken.tobytes() == vectors_of(keys).tobytes()


def test_store_publish_and_read_back(tmp_path: Path) -> None:
    keys = keys_of(0, 10)
    store, other = opened(tmp_path / "not" / "yet"), opened(tmp_path / "not" / "yet")
    store.publish(keys, vectors_of(keys), {})
    assert keys[0] in store and keys[0] not in other
    other.refresh()
    for reader in (store, other, opened(store.root)):
        assert all(key in reader for key in keys)
        assert reader.matrix(keys).shape == (10, WIDTH)
        assert_holds(reader, keys)
        assert reader.damaged == []


def test_store_matrix_order(tmp_path: Path) -> None:
    store = published(tmp_path, (0, 10), (10, 30), (30, 31))
    rng = np.random.default_rng(0)
    keys = [keys_of(0, 31)[number] for number in rng.integers(0, 31, 50)]
    assert_holds(store, keys)
    rows = rng.integers(0, 50, 70)
    whole = store.matrix(keys).take(np.arange(50))
    assert store.matrix(keys).take(rows).tobytes() == whole[rows].tobytes()
    with pytest.raises(KeyError):
        store.matrix(keys_of(31, 32))


def test_store_two_writers_at_the_same_time(tmp_path: Path) -> None:
    stores = [opened(tmp_path) for _ in range(4)]
    start = threading.Barrier(len(stores))

    def work(number: int) -> None:
        start.wait()
        for step in range(10):  # overlapping keys, and every other shard the same for all
            first = 1000 * step + (5 * number if step % 2 else 0)
            keys = keys_of(first, first + 10)
            stores[number].publish(keys, vectors_of(keys), {})

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(work, range(len(stores))))
    reader = opened(tmp_path)
    assert reader.damaged == []
    for step in range(10):
        assert_holds(reader, keys_of(1000 * step, 1000 * step + (25 if step % 2 else 10)))


def test_store_same_shard_published_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, meet = Path.rename, threading.Barrier(2)
    waited: set[int] = set()

    def rename_together(self: Path, target: Path) -> Path:
        if threading.get_ident() not in waited:  # the first try of each
            waited.add(threading.get_ident())
            meet.wait(30)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_together)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: published(tmp_path, (0, 4)), range(2)))
    reader = opened(tmp_path)
    assert reader.damaged == []
    assert_holds(reader, keys_of(0, 4))
    assert not [shard for shard in shards_of(reader) if shard.name.startswith(".")]


def test_store_ignores_what_a_killed_run_left(tmp_path: Path) -> None:
    store = published(tmp_path, (0, 3))
    (shard,) = shards_of(store)
    left = shard.with_name(f".{shard.name}-123-abcd.tmp")
    shutil.copytree(shard, left)
    (left / "shard.json").unlink()
    reader = opened(tmp_path)
    assert reader.damaged == []
    assert_holds(reader, keys_of(0, 3))
    assert left.is_dir()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "head only": lambda content: content[: len(content) // 5],
    "last byte lost": lambda content: content[:-1],
    "last byte flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "first byte flipped": lambda content: bytes([content[0] ^ 1]) + content[1:],
}


@pytest.mark.parametrize("file", ["vectors.npy", "keys.npy", "shard.json"])
@pytest.mark.parametrize("damage", [*DAMAGE, "missing"])
def test_store_damaged_shard_is_named_and_left_out(tmp_path: Path, file: str, damage: str) -> None:
    store = published(tmp_path, (0, 3), (3, 6))
    bad = shards_of(store)[0] / file
    first = np.load(bad.parent / "keys.npy")[0].tobytes()
    lost, kept = keys_of(0, 3), keys_of(3, 6)
    if first in kept:
        lost, kept = kept, lost
    content = bad.read_bytes()
    bad.unlink()
    if damage != "missing":
        bad.write_bytes(DAMAGE[damage](content))
    reader = opened(tmp_path)
    reader.check(keys_of(0, 6))
    assert reader.damaged == [str(bad.parent)]
    assert not any(key in reader for key in lost)
    assert_holds(reader, kept)
    reader.publish(lost, vectors_of(lost), {})  # computed again
    assert_holds(reader, keys_of(0, 6))
    again = opened(tmp_path)
    assert_holds(again, keys_of(0, 6))
    assert again.damaged == [str(bad.parent)]


def test_store_no_single_bit_does_harm(tmp_path: Path) -> None:
    store = published(tmp_path, (0, 2))
    (shard,) = shards_of(store)
    for name in ("vectors.npy", "keys.npy", "shard.json"):
        content = (shard / name).read_bytes()
        for position in range(len(content)):
            changed = bytearray(content)
            changed[position] ^= 1 << position % 8
            (shard / name).write_bytes(changed)
            reader = opened(tmp_path)
            reader.check(keys_of(0, 2))
            if not reader.damaged:  # a blank, or a fact that nothing depends on
                assert_holds(reader, keys_of(0, 2))
        (shard / name).write_bytes(content)


@pytest.mark.parametrize("change", ["fingerprint", "recipe", "precision"])
def test_store_another_identity_is_another_folder(tmp_path: Path, change: str) -> None:
    store = published(tmp_path, (0, 3))
    other = opened(tmp_path, replace(IDENTITY, **{change: "other"}))
    assert other.folder != store.folder
    assert other.folder.parent == store.folder.parent == tmp_path
    assert other.folder.name.startswith("tiny-")
    assert keys_of(0, 1)[0] not in other


@pytest.mark.parametrize("count", [0, 2])
def test_store_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    store, keys, failed = opened(tmp_path), keys_of(0, count), {keys_of(9, 10)[0]: "broken: é"}
    store.publish(keys, vectors_of(keys), failed)
    for reader in (store, opened(tmp_path)):
        assert reader.failed == failed
        assert reader.damaged == []
        assert_holds(reader, keys)
    monkeypatch.setattr(PIL, "__version__", "0.0.1")
    later = opened(tmp_path)
    assert later.failed == {}
    assert_holds(later, keys)
    later.publish([], np.zeros((0, WIDTH), np.float32), failed)
    assert opened(tmp_path).failed == failed


def test_store_matrix_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = keys_of(0, 40)[::-1]
    held = published(tmp_path, (0, 10), (10, 40)).matrix(keys)
    monkeypatch.setattr(matrix_module, "IN_MEMORY_BYTES", 16)
    on_disk = opened(tmp_path).matrix(keys)
    assert on_disk.shape == held.shape == (40, WIDTH)
    for rows in (np.arange(40), np.array([39, 0, 0, 17]), np.arange(0)):
        assert on_disk.take(rows).tobytes() == held.take(rows).tobytes()
        assert on_disk.take(rows).dtype == np.float32


def test_store_pixels(tmp_path: Path) -> None:
    store, (key, other) = opened(tmp_path), keys_of(0, 2)
    said: list[str] = []
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    assert store.read_pixels(key, said.append) is None
    store.keep_pixels(key, pixels, said.append)
    store.keep_pixels(key, pixels, said.append)
    found = opened(tmp_path).read_pixels(key, said.append)
    assert found is not None and found.dtype == np.uint8
    assert np.array_equal(found, pixels)
    assert store.read_pixels(other, said.append) is None
    assert said == []


def test_store_pixels_of_another_store_are_not_taken(tmp_path: Path) -> None:
    key, said = keys_of(0, 1)[0], list[str]()
    pixels = np.zeros((4, 6, 3), np.uint8)
    store, another = opened(tmp_path), opened(tmp_path, replace(IDENTITY, recipe="other"))
    another.keep_pixels(key, pixels, said.append)
    shutil.copytree(another.folder / "pixels", store.folder / "pixels")
    assert store.read_pixels(key, said.append) is None
    assert len(said) == 1 and "is damaged (it is another store's) and made anew" in said[0]


def test_store_pixels_of_an_earlier_version_are_found(tmp_path: Path) -> None:
    key, said = keys_of(0, 1)[0], list[str]()
    pixels, content = np.ones((4, 6, 3), np.uint8), BytesIO()
    np.save(content, pixels)
    store = opened(tmp_path)
    path = store.folder / "pixels" / f"{key.hex()}.kept"
    path.parent.mkdir(parents=True)
    write_kept(path, content.getvalue(), said.append)
    found = store.read_pixels(key, said.append)
    assert found is not None and np.array_equal(found, pixels) and said == []


@pytest.mark.parametrize("taken", ["root", "folder", "shards"])
def test_store_unwritable_place(tmp_path: Path, taken: str) -> None:
    store, keys = BottleneckStore(tmp_path / "root", IDENTITY, WIDTH), keys_of(0, 3)
    place = {"root": store.root, "folder": store.folder, "shards": store.folder / "shards"}[taken]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file where a folder should be")
    with pytest.raises(RetrainError, match="cannot write") as caught:
        store.publish(keys, vectors_of(keys), {})
    assert str(store.root) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_store_with_more_shards_than_files_may_be_open(tmp_path: Path) -> None:
    script = f"""
import resource
import numpy as np
from pathlib import Path
from typing import Any
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.data.digests import digest_of
resource.setrlimit(resource.RLIMIT_NOFILE, (48, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
store = BottleneckStore(Path({str(tmp_path)!r}), StoreIdentity("m", "f", "r", "f32"), 2)
keys = [digest_of(bytes([number])) for number in range(90)]
for number, key in enumerate(keys):
    store.publish([key], np.full((1, 2), number, np.float32), {{}})
again = BottleneckStore(store.root, store.identity, 2)
again.refresh()
assert again.damaged == []
assert (again.matrix(keys).take(np.arange(90))[:, 0] == np.arange(90)).all()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE_S)


def test_no_header_is_parsed_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`np.load` parses a header as Python, and that fails now and then in threads of Python 3.11.7
    and 3.12.1 (python/cpython#106905)."""
    store = BottleneckStore(tmp_path, StoreIdentity("m", "f", "r", "f32"), 2)
    keys = [digest_of(bytes([number])) for number in range(9)]
    for key in keys:
        store.publish([key], np.ones((1, 2), np.float32), {})
    store.refresh()
    real, threads = np.load, set()

    def load(*given: Any, **more: Any) -> Any:
        threads.add(threading.current_thread())
        return real(*given, **more)

    monkeypatch.setattr(np, "load", load)
    store.check(keys)
    assert threads <= {threading.main_thread()} and store.damaged == []
