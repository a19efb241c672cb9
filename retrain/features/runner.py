"""The work on a run's photos: planned, done in this process, and gathered from its receipts."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.digests import DigestMemo
from retrain.data.folder import Index
from retrain.data.looks import keep_looks
from retrain.data.photo_file import read_otherwise_before
from retrain.errors import counted
from retrain.features.extractor import UNIT, Extractor, Receipt, Work
from retrain.features.store import BottleneckStore
from retrain.utils.logs import warn_once
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

KEEP_AFTER = 32 * UNIT  # new digests that a killed run may have to find out again


@dataclass
class Runner:
    """Has the features of photos computed, and counts.

    Attributes:
        looks: Whether a look is to be taken at each photo that is opened.
        computed: Features that were computed.
        cached: Photos whose features, or the reason why there are none, were in the store.
        read: Files that were read because their digests were not known.
        failed: Why there are no features of some photos, by digest: of this run.
    """

    looks: bool = False
    computed: int = 0
    cached: int = 0
    read: int = 0
    failed: dict[bytes, str] = field(default_factory=dict)

    def read_photos(
        self, extractor: Extractor, index: Index
    ) -> tuple[dict[str, bytes], dict[str, str]]:
        """Read an index's photos; return their digests, and why some have none, by path.

        What can be had of their features is in the extractor's store then. A photo that is new is
        opened once: for its digest, its features and the look at it.
        """
        memo = DigestMemo(index, extractor.folder / "digests")
        self.read += len(memo.fresh)
        full = {index.full_path(photo): photo.path for photo in index.photos}
        known = {memo.known[path]: place for place, path in full.items() if path in memo.known}
        missing_now = {known[key]: key for key in _missing(known, extractor.store)}
        todo = [p for p, path in full.items() if p in missing_now or path in memo.fresh]
        unread: dict[str, str] = {}

        def note(receipt: Receipt) -> None:
            for place, digest in receipt.digests.items():
                if full[place] in memo.fresh:
                    memo.add(full[place], digest)
            unread.update((full[place], why) for place, why in receipt.unread.items())
            memo.keep(after=KEEP_AFTER)

        try:
            tried = self._run(extractor, todo, missing_now, note=note)
        finally:
            memo.keep()
        self.cached += len(set(memo.known.values()) - tried)
        return memo.known, unread

    def features_of(self, extractor: Extractor, paths: Mapping[bytes, str]) -> BottleneckStore:
        """Compute the missing features of the photos at `paths`, by digest; return the store."""
        digests = {paths[key]: key for key in _missing(paths, extractor.store)}
        tried = self._run(extractor, list(digests), digests)
        self.cached += len(paths.keys() - tried)
        return extractor.store

    def say_done(self) -> None:
        """Say how much of the work was done by earlier runs."""
        log.info(
            f"{counted(self.computed, 'feature')} computed, {self.cached} cached; "
            f"{counted(self.read, 'photo')} read for their digests"
        )

    def _run(
        self,
        extractor: Extractor,
        paths: Sequence[str],
        digests: Mapping[str, bytes],
        *,
        note: Callable[[Receipt], object] = lambda receipt: None,
    ) -> set[bytes]:
        """Open each photo once and return the digests of those whose features were missing."""
        store, tried = extractor.store, set[bytes]()
        log.debug(f"features in {store.folder}: {len(paths)} photos to be opened")
        if not paths:
            return tried
        with progress("Computing features", len(paths), "photos") as meter:

            def done(receipt: Receipt) -> None:
                self.computed += len(receipt.computed)
                self.failed.update(receipt.failed)
                tried.update(receipt.computed, receipt.failed)
                if receipt.looks:
                    keep_looks(extractor.folder, receipt.looks, warn_once)
                note(receipt)

            extractor.run(
                _units(paths, digests, looks=self.looks),
                done,
                lambda aside: meter.advance(1, aside=int(aside)),
            )
        return tried


def _units(paths: Sequence[str], digests: Mapping[str, bytes], *, looks: bool) -> Iterator[Work]:
    for start in range(0, len(paths), UNIT):
        some = paths[start : start + UNIT]
        yield Work(tuple(some), {path: digests[path] for path in some if path in digests}, looks)


def _missing(paths: Mapping[bytes, str], store: BottleneckStore) -> list[bytes]:
    """Return the digests of the photos at `paths` that the store knows nothing of, after checking.

    Features that are damaged, or that an earlier decoder got wrong, are let go of first.
    """
    store.refresh()
    look_again(paths, store)
    store.check(list(paths))
    return missing(paths, store)


def missing(keys: Iterable[bytes], store: BottleneckStore) -> list[bytes]:
    """Return the keys that have neither a feature nor a known failure, in their order."""
    return [key for key in keys if key not in store and key not in store.failed]


def look_again(paths: Mapping[bytes, str], store: BottleneckStore) -> None:
    """Let go of features of photos at `paths` that an earlier decoder read otherwise."""
    doubted = store.doubted(paths)
    unchanged: list[bytes] = []
    misread: list[bytes] = []
    with pillow_warnings_ignored():
        for key, otherwise in map_ahead(lambda key: read_otherwise_before(paths[key]), doubted):
            if otherwise is not None:
                (misread if otherwise else unchanged).append(key)
    store.settle(unchanged, misread)
