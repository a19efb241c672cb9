"""The feature store: append-only shards on disk, no lock, no database.

    <bottleneck_dir>/<module>-<identity>/shards/<name>/{vectors.npy, keys.npy, shard.json}
                                        /pixels/<key>.kept

A shard is written under a temporary name and published by one rename, so two runs may write at
the same time and a killed run leaves nothing half-done. Nothing is ever changed or deleted.
`shard.json` has the checksums of the other two files and its own digest. Vectors are checked
shard by shard, as soon as a run asks for one of their keys and before it uses any.
"""

import hashlib
import io
import json
import os
import shutil
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from retrain._version import __version__
from retrain.data.decoding.decode import DECODER
from retrain.data.decoding.formats import decoder_identities, first_identities
from retrain.data.digests import DIGEST_BYTES
from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix, Rows, RowsOnDemand
from retrain.utils.files import cannot_write, open_files_allowed
from retrain.utils.kept import SUFFIX, Say, damaged, read_kept, write_kept
from retrain.utils.temporary import temporary_name

SPARE_FILES = 256  # open files left for the rest of a run; further shards are opened when read


@dataclass(frozen=True)
class StoreIdentity:
    """What a feature depends on besides its photo's bytes."""

    module: str
    fingerprint: str
    recipe: str
    precision: str

    @property
    def folder_name(self) -> str:
        """The name of the store's folder."""
        text = "\n".join((self.fingerprint, self.recipe, self.precision))
        return f"{self.module}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


@dataclass
class BottleneckStore:
    """Features by key (the 16-byte digest of a photo's bytes), for one identity.

    `failed` holds the reasons for photos that today's decoders (`decoder_identities`) could not
    decode; `narrow` the photos of 16 bits whose values fill little of their range; `damaged` names
    the shards that were left out because their checksums do not hold.

    Features that an earlier decoder made are good for all photos but those that it read otherwise
    (see `doubted`). Threads may ask while one publishes.
    """

    root: Path
    identity: StoreIdentity
    width: int
    damaged: list[str] = field(default_factory=list)
    failed: dict[bytes, str] = field(default_factory=dict)
    narrow: set[bytes] = field(default_factory=set)
    _unchanged: set[bytes] = field(default_factory=set)
    _misread: set[bytes] = field(default_factory=set)
    _shards: list["_Shard"] = field(default_factory=list)
    _where: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """The store's folder."""
        return self.root / self.identity.folder_name

    def refresh(self) -> None:
        """Read the index of shards that were published since the last time."""
        try:
            names = sorted(os.listdir(self.folder / "shards"))
        except OSError:  # none yet; writing one reports other reasons
            return
        most = open_files_allowed(len(names) + SPARE_FILES) - SPARE_FILES
        with self._lock:
            for name in names:
                if name.startswith(".") or name in self._seen:
                    continue
                self._seen.add(name)
                try:
                    self._open(self.folder / "shards" / name, held=len(self._shards) < most)
                except Exception:  # np.load raises many kinds on damaged files
                    self.damaged.append(str(self.folder / "shards" / name))

    def _open(self, folder: Path, *, held: bool) -> None:
        """Read a shard's facts and keys; raise ValueError if they are damaged or another store's.

        `held`: its file of vectors stays open, which makes reading rows of it faster.
        """
        facts = json.loads((folder / "shard.json").read_text(encoding="utf-8"))
        whole = facts.pop("digest", None)
        if whole is not None and whole != _digest_of(facts):
            raise ValueError("facts")
        for name in ("fingerprint", "recipe", "precision"):
            if facts[name] != getattr(self.identity, name):
                raise ValueError(name)
        vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        keys = np.load(folder / "keys.npy")
        if (
            vectors.shape != (facts["count"], self.width)
            or vectors.dtype != np.float32
            or not vectors.flags.c_contiguous
        ):
            raise ValueError("vectors")
        if (
            keys.shape != (facts["count"], DIGEST_BYTES)
            or zlib.crc32(keys.data) != facts["keys_crc32"]
        ):
            raise ValueError("keys")
        current = facts.get("decoder", 1) == DECODER
        rows = vectors if held else RowsOnDemand(folder / "vectors.npy")
        listed = _split_keys(keys.tobytes())
        start = getattr(vectors, "offset", 0)
        self._shards.append(
            _Shard(
                str(folder), rows, start, vectors.nbytes, facts["vectors_crc32"], listed, current
            )
        )
        self._index(len(self._shards) - 1)
        if current:
            self.narrow.update(_split_keys(bytes.fromhex(facts["narrow"])))
            self._unchanged.update(_split_keys(bytes.fromhex(facts["unchanged"])))
        # Without a digest, damage would not show: these are decoded again.
        decoders = facts.get("decoders")
        if decoders is None:
            decoders = first_identities(facts["pillow"], facts.get("decoder", 1))
        if decoders == decoder_identities(PIL.__version__, DECODER) and whole is not None:
            self.failed |= {bytes.fromhex(key): why for key, why in facts["failed"].items()}

    def _index(self, number: int) -> None:
        current = self._shards[number].current
        for row, key in enumerate(self._shards[number].keys):
            known = self._where.get(key)
            if known is None:
                better = current or key not in self._misread
            else:
                better = current and not self._shards[known[0]].current
            if better:
                self._where[key] = (number, row)

    def __contains__(self, key: bytes) -> bool:
        return key in self._where

    def holds(self, key: bytes) -> bool:
        """Return whether there is a feature of this photo that is known to be undamaged."""
        self.check([key])
        return key in self

    def doubted(self, keys: Iterable[bytes]) -> list[bytes]:
        """List the keys whose features an earlier decoder made and nobody has checked since."""
        return [
            key
            for key in keys
            if key in self._where
            and key not in self._unchanged
            and not self._shards[self._where[key][0]].current
        ]

    def settle(self, unchanged: Sequence[bytes], misread: Iterable[bytes]) -> None:
        """Record what was found out of `doubted` keys.

        The features of those `misread` are dropped, and it is noted, if it can be, that the
        `unchanged` need no second look.
        """
        with self._lock:
            self._unchanged.update(unchanged)
            self._misread.update(misread)
            for key in self._misread & self._where.keys():
                if not self._shards[self._where[key][0]].current:
                    del self._where[key]
        if unchanged:
            with suppress(RetrainError):
                self.publish([], np.empty((0, self.width), np.float32), {}, unchanged=unchanged)

    def check(self, keys: Sequence[bytes]) -> None:
        """Read the shards that hold these keys; a key whose shards are all damaged is gone."""
        with self._lock:
            while numbers := {
                self._where[key][0]
                for key in keys
                if key in self._where and not self._shards[self._where[key][0]].checked
            }:
                shards = [self._shards[number] for number in sorted(numbers)]
                with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                    fits = list(pool.map(_Shard.fits, shards))
                bad = [shard for shard, whole in zip(shards, fits, strict=True) if not whole]
                for shard in bad:
                    self.damaged.append(shard.folder)
                    shard.keys = []
                if bad:
                    self._where.clear()
                    for number in range(len(self._shards)):
                        self._index(number)

    def matrix(self, keys: Sequence[bytes]) -> FeatureMatrix:
        """Return the features of these keys, in this order; raise KeyError for an unknown one."""
        self.check(keys)
        where = np.array([self._where[key] for key in keys], np.int64).reshape(-1, 2)
        vectors = [shard.vectors for shard in self._shards]
        return FeatureMatrix(vectors, where[:, 0], where[:, 1], width=self.width)

    def publish(
        self,
        keys: Sequence[bytes],
        vectors: np.ndarray,
        failed: Mapping[bytes, str],
        *,
        unchanged: Sequence[bytes] = (),
    ) -> None:
        """Make a shard of features (n, D) float32.

        Args:
            keys: (n,) digests of the photos.
            vectors: Their features.
            failed: Why photos could not be decoded, by key.
            unchanged: As in `settle`.

        Raises:
            RetrainError: The disk is full, or refuses.
        """
        shards = self.folder / "shards"
        name = hashlib.blake2b(b"".join([*keys, *failed, *unchanged]), digest_size=8).hexdigest()
        temporary = temporary_name(shards / name)
        try:
            temporary.mkdir(parents=True)
            self._write(temporary, keys, vectors, failed=failed, unchanged=unchanged)
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
        *,
        failed: Mapping[bytes, str],
        unchanged: Sequence[bytes],
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
            "decoder": DECODER,
            "decoders": decoder_identities(PIL.__version__, DECODER),
            "narrow": b"".join(key for key in keys if key in self.narrow).hex(),
            "unchanged": b"".join(unchanged).hex(),
            "failed": {key.hex(): why for key, why in failed.items()},
        }
        facts["digest"] = _digest_of(facts)
        (folder / "shard.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        for file in folder.iterdir():
            with open(file, "rb") as written:
                os.fsync(written.fileno())

    def read_pixels(self, key: bytes, say: Say) -> np.ndarray | None:
        """Return the kept pixels (H, W, 3) uint8 of a photo, or None (see `keep_pixels`)."""
        path = self._pixels_of(key)
        content = read_kept(path, say)
        if content is None:
            return None
        stream = io.BytesIO(content)
        pixels: np.ndarray = np.load(stream)
        owner = stream.read()  # earlier versions, which read these too, named none
        if owner not in (os.fsencode(self.identity.folder_name), b""):
            say(damaged(path, "it is another store's"))
            return None
        return pixels

    def keep_pixels(self, key: bytes, pixels: np.ndarray, say: Say) -> None:
        """Keep a photo's decoded pixels, so that later exports are checked without reading it."""
        content = io.BytesIO()
        np.save(content, pixels)
        content.write(os.fsencode(self.identity.folder_name))
        write_kept(self._pixels_of(key), content.getvalue(), say)

    def _pixels_of(self, key: bytes) -> Path:
        return self.folder / "pixels" / f"{key.hex()}{SUFFIX}"


@dataclass
class _Shard:
    """Features in one folder of the store.

    Attributes:
        folder: Its path.
        vectors: (n, D) float32 on disk.
        start: Where the vectors begin in their file, in bytes.
        size: How many bytes they are.
        crc32: Of the vectors.
        keys: Of the photos.
        current: This decoder read the photos.
        checked: The vectors were read and fit their checksum.
    """

    folder: str
    vectors: Rows
    start: int
    size: int
    crc32: int
    keys: list[bytes]
    current: bool
    checked: bool = False

    def fits(self) -> bool:
        """Tell whether the vectors fit their checksum. May be called in several threads.

        The header was read when the shard was opened: `np.load` parses it as Python, which fails
        now and then in threads before Python 3.11.8 and 3.12.2 (python/cpython#106905).
        """
        content: Any = b""
        if self.size:
            try:
                content = np.memmap(
                    f"{self.folder}/vectors.npy", np.uint8, "r", self.start, (self.size,)
                ).data
            except ValueError:  # cut off since then
                return False
        self.checked = zlib.crc32(content) == self.crc32
        return self.checked


def _digest_of(facts: dict[str, Any]) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _rename_to_free_name(folder: Path, target: Path) -> None:
    """Rename a shard's folder to its name, or to a free one beside it.

    A name that is taken belongs to a shard of the same photos, published by a run beside this one
    or damaged. Both may stay.
    """
    for number in count():
        free = target.with_name(f"{target.name}-{number}") if number else target
        try:
            folder.rename(free)
            return
        except OSError:
            if not free.exists():
                raise


def _split_keys(raw: bytes) -> list[bytes]:
    return [raw[cut : cut + DIGEST_BYTES] for cut in range(0, len(raw), DIGEST_BYTES)]
