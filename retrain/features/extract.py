"""Asks the store, decodes what is missing, runs the engine, publishes shards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from retrain.backbones.engines.engine import Engine
from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.digests import digest_of
from retrain.data.read import content_of, read_otherwise_before
from retrain.errors import one_line
from retrain.features.store import BottleneckStore
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import Meter, progress

UNIT = 512  # photos in a shard: what a killed run can lose at the most, some seconds of work


def missing(keys: Sequence[bytes], store: BottleneckStore) -> list[bytes]:
    """The keys that have neither a feature nor a known failure, each once, in digest order."""
    return sorted(key for key in set(keys) if key not in store and key not in store.failed)


def look_again(paths: Mapping[bytes, str], store: BottleneckStore) -> None:
    """Lets go of features of photos at `paths` that an earlier decoder read otherwise."""
    doubted = store.doubted(paths)
    unchanged: list[bytes] = []
    misread: list[bytes] = []
    for key, otherwise in map_ahead(lambda key: read_otherwise_before(paths[key]), doubted):
        if otherwise is not None:
            (misread if otherwise else unchanged).append(key)
    store.settle(unchanged, misread)


def extract(
    paths: Mapping[bytes, str], store: BottleneckStore, engine: Engine, *, recipe: Recipe
) -> None:
    """Computes and publishes the features of the photos at `paths`, by key, in digest order.

    Photos that cannot be decoded end up in `store.failed`. On Ctrl-C (or any fault) what is
    finished is published first.
    """
    order = sorted(paths)
    units = [_Unit(order[start : start + UNIT]) for start in range(0, len(order), UNIT)]
    with progress("Computing features", len(order), "photos") as meter:
        try:
            decoded = _decoded(paths, order, recipe, units=units, store=store, meter=meter)
            for position, vector in engine.run(decoded):
                unit = units[position // UNIT]
                unit.vectors[order[position]] = vector
                unit.publish_if_complete(store)
                meter.advance()
        finally:
            for unit in units:
                unit.publish(store)


@dataclass
class _Unit:
    """The photos of one shard: published as soon as each has a feature or a reason."""

    keys: Sequence[bytes]
    vectors: dict[bytes, np.ndarray] = field(default_factory=dict)
    failed: dict[bytes, str] = field(default_factory=dict)
    unread: int = 0

    def set_aside(self, key: bytes, why: BadPhoto | OSError, store: BottleneckStore) -> None:
        """A broken photo is remembered in the shard; one that could not be read now is not."""
        store.failed[key] = one_line(why)
        if isinstance(why, BadPhoto):
            self.failed[key] = str(why)
        else:
            self.unread += 1
        self.publish_if_complete(store)

    def publish_if_complete(self, store: BottleneckStore) -> None:
        if len(self.vectors) + len(self.failed) + self.unread == len(self.keys):
            self.publish(store)

    def publish(self, store: BottleneckStore) -> None:
        if not self.vectors and not self.failed:
            return
        done = [key for key in self.keys if key in self.vectors]
        stacked = np.array([self.vectors[key] for key in done], np.float32)
        vectors, failed = stacked.reshape(-1, store.width), self.failed
        self.keys, self.vectors, self.failed = (), {}, {}
        store.publish(done, vectors, failed)


def _decoded(
    paths: Mapping[bytes, str],
    order: Sequence[bytes],
    recipe: Recipe,
    *,
    units: Sequence[_Unit],
    store: BottleneckStore,
    meter: Meter,
) -> Iterator[tuple[int, np.ndarray]]:
    """Position in `order` and pixels of each photo that can be decoded."""

    def work(position: int) -> np.ndarray | BadPhoto | OSError:
        return _decode_file(paths[order[position]], order[position], recipe, store=store)

    with pillow_warnings_ignored():
        for position, result in map_ahead(work, range(len(order))):
            if isinstance(result, np.ndarray):
                yield position, result
            else:
                units[position // UNIT].set_aside(order[position], result, store)
                meter.advance(1, aside=1)


def _decode_file(
    path: str, key: bytes, recipe: Recipe, *, store: BottleneckStore
) -> np.ndarray | BadPhoto | OSError:
    """The pixels, or why there are none: for good (BadPhoto) or this time (OSError)."""
    try:
        with content_of(path) as content:
            if digest_of(content) != key:
                return OSError("changed while this run was working; run again")
            return decode(content, recipe, lambda: store.narrow.add(key))
    except (BadPhoto, OSError) as error:
        return error
