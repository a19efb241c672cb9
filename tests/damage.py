"""Damaging what is kept for later runs, in the ways of disks, copies and people.

`DAMAGES`: name to function of a file's path. `IN_CACHE`: kinds of kept files, by the patterns that
they have below the cache folder. `KINDS`: for each kind how one is made in an empty folder, and how
it is used: the same answer must come whatever was done to the files, with a line that says so.
"""

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.backbones.bundled import BUNDLED_FOLDER
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources.cache import FrozenStore, fingerprint_of
from retrain.data.digests import digest_of
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.training.checkpoint import FILE as CHECKPOINT
from retrain.training.checkpoint import (
    Checkpoint,
    TrainingProgress,
    read_checkpoint,
    write_checkpoint,
)
from retrain.utils.archive import unpack
from retrain.utils.kept import read_kept, write_kept
from retrain.utils.logs import warn_once

PAGE = 4096
TINY = BUNDLED_FOLDER / "mobilenet_v1_025_128"


def flip(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def flip_last(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def zero_page(path: Path) -> None:
    """What a lost block of a disk reads as."""
    content = bytearray(path.read_bytes())
    start = len(content) // 2 // PAGE * PAGE
    page = content[start : start + PAGE]
    content[start : start + PAGE] = bytes(len(page))
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def delete(path: Path) -> None:
    path.unlink()


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "somebody's file").write_text("to be kept")


DAMAGES: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (
        flip, flip_last, zero_page, truncate, append, empty, garbage, delete, folder_in_its_place,
    )
}  # fmt: skip

IN_CACHE = {
    "digests": "bottlenecks/digests/*.kept",
    "vectors": "bottlenecks/*/shards/*/vectors.npy",
    "keys": "bottlenecks/*/shards/*/keys.npy",
    "shard": "bottlenecks/*/shards/*/shard.json",
    "pixels": "bottlenecks/*/pixels/*.kept",
    "audit": "bottlenecks/audits/*.kept",
    "compiled graph": "compiled/*.kept",
    "frozen graph": "modules/*/frozen_graph.*",
    "facts of a module": "modules/*/backbone.json",
    "reference answers": "modules/*/reference.npz",
    "digests of a module": "modules/*/retrain-digests.json",
    "handle": "modules/handles/*.kept",
    "unpacked module": "modules/unpacked/*/**/*.*",
    "fetched module": "tfhub_modules/*/**/*.*",
}


@dataclass(frozen=True)
class Kind:
    """`make` fills a folder; `use` gives what a run has of it, made anew where that must be;
    `files` are those that may be damaged."""

    make: Callable[[Path], object]
    use: Callable[[Path], object]
    files: str


CONTENT = np.random.default_rng(1).bytes(20_000)


def _use_file(folder: Path) -> bytes:
    found = read_kept(folder / "one.kept", warn_once)
    if found is None:
        write_kept(folder / "one.kept", CONTENT, warn_once)
        found = CONTENT
    return found


STORE = StoreIdentity("m", "f", "r", "f32")
KEYS = [digest_of(bytes([number])) for number in range(90)]
VECTORS = np.random.default_rng(2).random((90, 300), np.float32)


def _make_store(folder: Path) -> None:
    store = BottleneckStore(folder, STORE, 300)
    store.publish(KEYS[:60], VECTORS[:60], {b"x" * 16: "broken"})
    store.publish(KEYS[60:], VECTORS[60:], {})


def _use_store(folder: Path) -> bytes:
    store = BottleneckStore(folder, STORE, 300)
    store.refresh()
    store.check(KEYS)
    lost = [number for number, key in enumerate(KEYS) if key not in store]
    if lost:
        for shard in store.damaged:
            warn_once(str(shard))
        store.publish([KEYS[number] for number in lost], VECTORS[lost], {})
    assert set(store.failed.values()) <= {"broken"}
    return store.matrix(KEYS).take(np.arange(90)).tobytes()


FINGERPRINT = "4fd7f3863f672ba531b15f51331bfd8e"
WANTED = InputConfig()


def _freeze(built: Path) -> None:
    shutil.copytree(TINY / "assets.extra", built, dirs_exist_ok=True)


def _make_frozen(folder: Path) -> None:
    FrozenStore(folder).make("Freezing", folder / FINGERPRINT, _freeze)


def _use_frozen(folder: Path) -> object:
    store = FrozenStore(folder)
    found = store.find(FINGERPRINT, WANTED)
    if found is None:
        _make_frozen(folder)
        found = store.find(FINGERPRINT, WANTED)
    assert found is not None
    content = (found.folder / "frozen_graph.pb").read_bytes()
    return found.info, content, [array.tobytes() for array in found.read_reference()]


def _make_unpacked(folder: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("saved_model.pb", "variables"):
            tar.add(TINY / name, name)
    (folder / "module.tar.gz").write_bytes(archive.getvalue())
    _use_unpacked(folder)


def _use_unpacked(folder: Path) -> str:
    store, place = FrozenStore(folder), folder / "unpacked" / "one"
    if not store.whole(place):
        archive = folder / "module.tar.gz"
        store.make("Unpacking", place, lambda built: unpack(archive, built / "m", "m"))
    return fingerprint_of(place / "m")


def _make_handle(folder: Path) -> None:
    FrozenStore(folder).remember("https://x/m", FINGERPRINT, folder)


def _use_handle(folder: Path) -> object:
    store = FrozenStore(folder)
    if store.recall("https://x/m") is None:
        _make_handle(folder)
    return store.recall("https://x/m")


STANDING = TrainingProgress(epoch=3, done=2, step=9, loss=0.5)
BELONGS = {"photos": "abc"}
ARRAYS = {"value": [VECTORS, VECTORS[:3] + 1]}


def _make_checkpoint(folder: Path) -> None:
    write_checkpoint(folder, Checkpoint(STANDING, ARRAYS), BELONGS)


def _use_checkpoint(folder: Path) -> object:
    found = read_checkpoint(folder, BELONGS, warn_once)
    if found is None:  # trained anew
        _make_checkpoint(folder)
        found = read_checkpoint(folder, BELONGS, warn_once)
    assert found is not None
    arrays = {name: [a.tobytes() for a in group] for name, group in found.arrays.items()}
    return found.standing, arrays


_store_of = {
    f"{name} of features": Kind(_make_store, _use_store, f"*/shards/*/{name}")
    for name in ("vectors.npy", "keys.npy", "shard.json")
}
_frozen_of = {
    f"{name} of a frozen module": Kind(_make_frozen, _use_frozen, f"*/{name}")
    for name in ("frozen_graph.pb", "backbone.json", "reference.npz", "retrain-digests.json")
}
KINDS: dict[str, Kind] = {
    "file": Kind(_use_file, _use_file, "one.kept"),
    **_store_of,
    **_frozen_of,
    "unpacked module": Kind(_make_unpacked, _use_unpacked, "unpacked/one/m/variables/*"),
    "handle": Kind(_make_handle, _use_handle, "handles/*.kept"),
    "checkpoint": Kind(_make_checkpoint, _use_checkpoint, CHECKPOINT),
}
