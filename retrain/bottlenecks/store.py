"""The bottleneck store: append-only shards on disk, no lock, no database.

    <bottleneck_dir>/<module>-<identity>/shards/<name>/{vectors.npy, keys.npy, shard.json}
                                        /pixels/<key>.npy

A shard is written under a temporary name and published by one rename, so two runs may write at
the same time and a killed run leaves nothing half-done. Nothing is ever changed or deleted.
"""

import hashlib
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import PIL

from retrain import __version__
from retrain.bottlenecks.matrix import IN_MEMORY_BYTES, FeatureMatrix
from retrain.files import allow_open_files, atomic_path, cannot_write
from retrain.images.digests import DIGEST_BYTES

SPARE_FILES = 256  # open files that a run needs besides one for each shard


@dataclass(frozen=True)
class StoreIdentity:
    """What a feature depends on besides its photo's bytes."""

    module: str
    fingerprint: str
    recipe: str
    precision: str

    @property
    def folder_name(self) -> str:
        text = "\n".join((self.fingerprint, self.recipe, self.precision))
        return f"{self.module}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


@dataclass
class BottleneckStore:
    """Features by key (the 16-byte digest of a photo's bytes), for one identity.

    `failed` holds the reasons for photos that this version of Pillow could not decode;
    `damaged` names the shards that were left out because their checksums do not hold.
    """

    root: Path
    identity: StoreIdentity
    width: int
    damaged: list[str] = field(default_factory=list)
    failed: dict[bytes, str] = field(default_factory=dict)
    _shards: list[np.ndarray] = field(default_factory=list)
    _where: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.root / self.identity.folder_name

    def refresh(self) -> None:
        """Reads the index of shards that were published since the last time."""
        try:
            names = sorted(os.listdir(self.folder / "shards"))
        except FileNotFoundError:
            return
        allow_open_files(len(names) + SPARE_FILES)
        for name in names:
            if name.startswith(".") or name in self._seen:
                continue
            self._seen.add(name)
            try:
                self._open(self.folder / "shards" / name)
            except Exception:  # np.load raises many kinds on damaged files
                self.damaged.append(str(self.folder / "shards" / name))

    def _open(self, shard: Path) -> None:
        facts = json.loads((shard / "shard.json").read_text(encoding="utf-8"))
        vectors = np.load(shard / "vectors.npy", mmap_mode="r")
        keys = np.load(shard / "keys.npy")
        if vectors.shape != (facts["count"], self.width) or vectors.dtype != np.float32:
            raise ValueError("vectors")
        if (
            keys.shape != (facts["count"], DIGEST_BYTES)
            or zlib.crc32(keys.data) != facts["keys_crc32"]
        ):
            raise ValueError("keys")
        held = sum(shard.nbytes for shard in self._shards) + vectors.nbytes
        if held <= IN_MEMORY_BYTES and zlib.crc32(vectors.data) != facts["vectors_crc32"]:
            raise ValueError("checksum")
        number = len(self._shards)
        self._shards.append(vectors)
        for row, key in enumerate(_split_keys(keys)):
            self._where.setdefault(key, (number, row))
        if facts["pillow"] == PIL.__version__:
            self.failed |= {bytes.fromhex(key): why for key, why in facts["failed"].items()}

    def __contains__(self, key: bytes) -> bool:
        return key in self._where

    def matrix(self, keys: Sequence[bytes]) -> FeatureMatrix:
        """The features of these keys, in this order. Raises KeyError for an unknown one."""
        where = np.array([self._where[key] for key in keys], np.int64).reshape(-1, 2)
        return FeatureMatrix(self._shards, where[:, 0], where[:, 1], self.width)

    def publish(
        self, keys: Sequence[bytes], vectors: np.ndarray, failed: Mapping[bytes, str]
    ) -> None:
        """Makes a shard of these features (n, D) float32. Raises RetrainError (disk full, ...)."""
        shards = self.folder / "shards"
        name = hashlib.blake2b(b"".join([*keys, *failed]), digest_size=8).hexdigest()
        temporary = shards / f".{name}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
        try:
            temporary.mkdir(parents=True)
            self._write(temporary, keys, vectors, failed)
            _rename_to_free_name(temporary, shards / name)
        except OSError as error:
            raise cannot_write(shards / name, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.refresh()

    def _write(
        self,
        folder: Path,
        keys: Sequence[bytes],
        vectors: np.ndarray,
        failed: Mapping[bytes, str],
    ) -> None:
        packed = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, DIGEST_BYTES)
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "keys.npy", packed)
        facts = {
            "count": len(keys),
            "keys_crc32": zlib.crc32(packed.data),
            "vectors_crc32": zlib.crc32(np.ascontiguousarray(vectors).data),
            "module": self.identity.module,
            "fingerprint": self.identity.fingerprint,
            "recipe": self.identity.recipe,
            "precision": self.identity.precision,
            "retrain": __version__,
            "pillow": PIL.__version__,
            "failed": {key.hex(): why for key, why in failed.items()},
        }
        (folder / "shard.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        for file in folder.iterdir():
            with open(file, "rb") as written:
                os.fsync(written.fileno())

    def read_pixels(self, key: bytes) -> np.ndarray | None:
        """The kept pixels (H, W, 3) uint8 of a photo, or None (see `keep_pixels`)."""
        try:
            pixels: np.ndarray = np.load(self.folder / "pixels" / f"{key.hex()}.npy")
        except (OSError, ValueError, EOFError):
            return None
        return pixels

    def keep_pixels(self, key: bytes, pixels: np.ndarray) -> None:
        """Keeps a photo's decoded pixels, so that later exports are checked without reading it."""
        path = self.folder / "pixels" / f"{key.hex()}.npy"
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, pixels)


def _rename_to_free_name(folder: Path, target: Path) -> None:
    """A name that is taken belongs to a shard of the same photos, published by a run beside this
    one or damaged. Both may stay."""
    for number in count():
        free = target.with_name(f"{target.name}-{number}") if number else target
        try:
            folder.rename(free)
            return
        except OSError:
            if not free.exists():
                raise


def _split_keys(keys: np.ndarray) -> list[bytes]:
    raw = keys.tobytes()
    return [raw[cut : cut + DIGEST_BYTES] for cut in range(0, len(raw), DIGEST_BYTES)]
