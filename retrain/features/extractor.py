"""Features of photos as work that can be handed out: units go in, receipts come out.

    extractor = Extractor("mobilenet_v2_100_224", Path("features"))
    receipt = extractor.do(Work(("a.jpg", "b.jpg")))
    features = extractor.store.matrix(list(receipt.digests.values()))

An extractor, a unit of work and a receipt can all be pickled. So the units of a large set of photos
may be done by many processes, on any machines that see the photos and the folder of features.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.engine import Engine, choose_engine
from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto, reason_of
from retrain.data.looks import Look, looked_at
from retrain.data.photo_file import misread_before
from retrain.data.read import Reading, Wanted, read_once
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.utils.files import check_folder_can_be_written
from retrain.utils.logs import warn_once
from retrain.utils.prefetch import map_ahead

log = logging.getLogger(__name__)

UNIT = 512  # photos in a unit: what a killed run can lose at the most, some seconds of work


@dataclass(frozen=True)
class Work:
    """Photos whose files are to be opened, each once.

    Attributes:
        paths: The files.
        digests: Those that are known already, by path; a file with another one has changed.
        looks: Whether the audit's look at each photo is wanted, too.
    """

    paths: tuple[str, ...]
    digests: Mapping[str, bytes] = field(default_factory=dict)
    looks: bool = False


@dataclass(frozen=True)
class Receipt:
    """What came of a unit of work.

    Attributes:
        digests: Of the photos by path, in the order of the work, but for the `unread`.
        computed: The photos, by digest, whose features were computed and are in the store now.
        failed: Why there are no features of some photos, by digest: tried for this work, in vain.
        unread: Why some files could not be read, by path.
        looks: The looks that were taken, by digest: none where one was kept before.
        seconds: From the start of the first photo to the end of the last; the work of units that
            one process does in a row overlaps.
    """

    digests: Mapping[str, bytes]
    computed: tuple[bytes, ...]
    failed: Mapping[bytes, str]
    unread: Mapping[str, str]
    looks: Mapping[bytes, Look]
    seconds: float


class Extractor:
    """Compute the features of photos: a reader, an engine and a store.

    Features that are in the store are not computed again, nor those of a photo that is there twice.
    The engine starts when the first feature is missing. What one process publishes, others find
    after `store.refresh()`.

    Attributes:
        backbone: The module.
        recipe: How a photo becomes the module's input.
        folder: The folder of features, in which the store has a folder of its own.
        store: The features of this module, recipe and precision.
    """

    def __init__(
        self,
        backbone: Backbone | str | Path,
        folder: Path,
        *,
        recipe: Recipe | None = None,
        engine: str = "auto",
        precision: str = "f32",
    ) -> None:
        """Open the store, without looking what is in it.

        Args:
            backbone: A module, or what `--tfhub_module` takes: a name, folder, file or URL.
            folder: Where features are kept, as `--bottleneck_dir` says it.
            recipe: Another than the plain one for the module's input size.
            engine: `auto`, `openvino` or `tensorflow`.
            precision: `f32` or `bf16`.

        Raises:
            RetrainError: The module cannot be had or used (UsageFault: there is none so called).
        """
        if not isinstance(backbone, Backbone):
            from retrain.backbones.freeze.input_config import InputConfig
            from retrain.backbones.sources.resolve import resolve
            from retrain.features.config import default_modules_folder

            backbone = resolve(str(backbone), InputConfig(), default_modules_folder())
        info = backbone.info
        self.backbone, self.folder = backbone, folder
        self.recipe = recipe or Recipe(info.height, info.width)
        self.engine, self.precision = engine, precision
        identity = StoreIdentity(info.name, info.fingerprint, self.recipe.text, precision)
        self.store = BottleneckStore(folder, identity, info.feature_width)
        self._engine = _Engine(backbone, engine, precision)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self._given(),)

    def _given(self) -> dict[str, Any]:
        names = ("backbone", "folder", "recipe", "engine", "precision")
        return {name: getattr(self, name) for name in names}

    def with_recipe(self, recipe: Recipe) -> "Extractor":
        """Return an extractor for another recipe, which shares the engine."""
        other = Extractor(**self._given() | {"recipe": recipe})
        other._engine = self._engine
        return other

    def do(self, work: Work) -> Receipt:
        """Do one unit of work. Raises RetrainError where the disk or the engine refuses."""
        receipts: list[Receipt] = []
        self.run([work], receipts.append)
        return receipts[0]

    def run(
        self,
        works: Iterable[Work],
        done: Callable[[Receipt], object],
        on_photo: Callable[[bool], object] = lambda aside: None,
    ) -> None:
        """Do units of work in a row, without a pause between them.

        On Ctrl-C (or any fault) the features that are finished are published first.

        Args:
            works: The units.
            done: Gets the receipt of each unit as soon as its features are published.
            on_photo: Called after each photo, with whether it cannot be used.

        Raises:
            RetrainError: The disk or the engine refuses.
        """
        self.store.refresh()
        job = _Job(self, done, on_photo)
        try:
            for (unit, key), vector in self._vectors(job.pictures(works)):
                unit.vectors[key] = vector
                job.finished(unit)
        finally:
            job.publish_all()
        job.settle()

    def _vectors(
        self, pictures: Iterator[tuple["_Token", np.ndarray]]
    ) -> Iterator[tuple["_Token", np.ndarray]]:
        for first in pictures:
            yield from self._engine.get().run(chain([first], pictures))


class _Engine:
    """An engine that starts when it is asked for."""

    def __init__(self, backbone: Backbone, wanted: str, precision: str) -> None:
        self._wanted = wanted, backbone, precision
        self._started: Engine | None = None

    def get(self) -> Engine:
        if self._started is None:
            wanted, backbone, precision = self._wanted
            self._started = choose_engine(wanted, backbone, precision)
            log.info(f"{backbone.info.name} ({precision}) with {self._started.name}")
        return self._started


class _Unit:
    """A unit on its way: published as soon as each photo has a feature, or needs none."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.start = time.monotonic()
        self.left = len(work.paths)
        self.digests: dict[str, bytes] = {}
        self.keys: list[bytes] = []  # of the vectors, in the order of the photos
        self.vectors: dict[bytes, np.ndarray] = {}
        self.broken: dict[bytes, str] = {}  # for good: remembered in the shard
        self.failed: dict[bytes, str] = {}
        self.unread: dict[str, str] = {}
        self.looks: dict[bytes, Look] = {}

    def take(self, position: int, reading: Reading) -> None:
        """Note what was read of a photo, but for its pixels."""
        path, key, fault = self.work.paths[position], reading.digest, reading.fault
        if key is not None:
            self.digests[path] = key
            if reading.look is not None:
                self.looks[key] = reading.look
        if fault is None:
            return
        meant = self.work.digests.get(path, key)
        if meant is None:
            self.unread[path] = reason_of(fault)
            return
        self.failed[meant] = reason_of(fault)
        if isinstance(fault, BadPhoto):
            self.broken[meant] = str(fault)

    def publish(self, store: BottleneckStore) -> tuple[bytes, ...]:
        """Make a shard of what is finished and return the keys of its features."""
        ready = tuple(key for key in self.keys if key in self.vectors)
        if not ready and not self.broken:
            return ()
        vectors = np.array([self.vectors[key] for key in ready], np.float32)
        broken, self.keys, self.vectors, self.broken = self.broken, [], {}, {}
        store.publish(ready, vectors.reshape(-1, store.width), broken)
        return ready


_Token = tuple[_Unit, bytes]


class _Job:
    """The units that one call of `run` works on."""

    def __init__(
        self,
        extractor: Extractor,
        done: Callable[[Receipt], object],
        on_photo: Callable[[bool], object],
    ) -> None:
        self.extractor, self.store = extractor, extractor.store
        self.done, self.on_photo = done, on_photo
        self.units: dict[int, _Unit] = {}
        self._lock = threading.Lock()
        self._claimed: set[bytes] = set()
        self._looked_at: set[bytes] | None = None
        self._unchanged: list[bytes] = []

    def pictures(self, works: Iterable[Work]) -> Iterator[tuple[_Token, np.ndarray]]:
        """Yield the pixels of each photo whose features are to be computed."""
        with pillow_warnings_ignored():
            for (unit, position), reading in map_ahead(self._read, self._photos(works)):
                unit.take(position, reading)
                key = reading.digest
                if reading.pixels is not None and key is not None:
                    if reading.narrow:
                        self.store.narrow.add(key)
                    unit.keys.append(key)
                    yield (unit, key), reading.pixels
                else:
                    self.finished(unit, aside=reading.fault is not None)

    def finished(self, unit: _Unit, *, aside: bool = False) -> None:
        """Count a photo that is through."""
        self.on_photo(aside)
        unit.left -= 1
        self._complete(unit)

    def _complete(self, unit: _Unit) -> None:
        """Give the receipt of a unit, if nothing is left of it."""
        if not unit.left:
            del self.units[id(unit)]
            computed = unit.publish(self.store)
            seconds = time.monotonic() - unit.start
            self.done(
                Receipt(unit.digests, computed, unit.failed, unit.unread, unit.looks, seconds)
            )

    def publish_all(self) -> None:
        """Publish what is finished of units that are not."""
        for unit in self.units.values():
            unit.publish(self.store)

    def settle(self) -> None:
        """Note which photos an earlier decoder read as this one does; say what was damaged."""
        self.store.settle(self._unchanged, [])
        if self._claimed and self.store.damaged:
            first, more = self.store.damaged[0], len(self.store.damaged) - 1
            where = f"{first} and {more} more" if more else first
            log.warning(f"cached features in {where} are damaged and computed again")

    def _photos(self, works: Iterable[Work]) -> Iterator[tuple[_Unit, int]]:
        for work in works:
            unit = _Unit(work)
            self.units[id(unit)] = unit
            self._complete(unit)
            for position in range(len(work.paths)):
                yield unit, position

    def _read(self, photo: tuple[_Unit, int]) -> Reading:
        """Read a photo in a thread."""
        unit, position = photo
        path = unit.work.paths[position]

        def wanted(digest: bytes, content: bytes | BadPhoto) -> Wanted:
            with self._lock:
                return self._wanted(digest, content, looks=unit.work.looks)

        return read_once(path, unit.work.digests.get(path), wanted)

    def _wanted(self, key: bytes, content: bytes | BadPhoto, *, looks: bool) -> Wanted:
        """Return what is wanted: a feature that nobody computed, a look that nobody took."""
        if key in self._claimed or key in self.store.failed:
            return Wanted()
        if self.store.holds(key) and self.store.doubted([key]):
            if isinstance(content, BadPhoto) or misread_before(content):
                self.store.settle([], [key])
            else:
                self._unchanged.append(key)
        look = looks and key not in self._looks()
        if self.store.holds(key):
            if look:
                self._looks().add(key)
            return Wanted(look=look)
        if not self._claimed:
            check_folder_can_be_written(self.store.folder / "shards", "--bottleneck_dir")
        self._claimed.add(key)
        return Wanted(self.extractor.recipe, look)

    def _looks(self) -> set[bytes]:
        """Return the photos whose looks need not be taken."""
        if self._looked_at is None:
            self._looked_at = looked_at(self.extractor.folder, warn_once)
        return self._looked_at


def _rebuilt(given: dict[str, Any]) -> Extractor:
    return Extractor(**given)
