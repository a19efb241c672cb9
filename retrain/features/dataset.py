"""From an image tree to features, labels and sets: all that comes before a head is trained."""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.artifacts.safety.verdict import unsafe_allowed
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.engine import Engine, choose_engine
from retrain.backbones.sources.resolve import resolve
from retrain.data.config import DataConfig
from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.decode import Recipe, decode, pillow_warnings_ignored
from retrain.data.decoding.faults import BadPhoto
from retrain.data.digests import digest_of, digest_photos
from retrain.data.folder import Index, read_tree, without_unusable
from retrain.data.read import content_of
from retrain.data.split import SETS, TRAIN, Split, split_index
from retrain.data.summary import report_aside, say_found, say_left_out, say_narrow, say_split
from retrain.data.walk import SetAside
from retrain.errors import RetrainError, counted, one_line
from retrain.features.config import ExtractConfig
from retrain.features.extract import extract as extract_features
from retrain.features.extract import look_again, missing
from retrain.features.matrix import FeatureMatrix
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.utils.files import check_folder_can_be_written
from retrain.utils.logs import warn_once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """The usable photos: `keys[i]` and row i of `features`, `labels` belong to `index.photos[i]`.

    `features` (N + M, D) and `labels` (N + M,) int32 go on with M distorted copies of training
    photos; `training_rows` are the rows to train on, copies included.
    """

    index: Index
    keys: list[bytes]
    labels: np.ndarray
    features: FeatureMatrix
    training_rows: np.ndarray
    split: Split
    backbone: Backbone
    recipe: Recipe
    store: BottleneckStore

    @property
    def photo_labels(self) -> np.ndarray:
        """(N,) the class of each photo."""
        return self.labels[: len(self.keys)]

    def digest(self) -> str:
        """Hex BLAKE2b-128 of which photos there are in which class, whatever they are called."""
        return self._digest(self.index.classes[label] for label in self.photo_labels.tolist())

    def split_digest(self) -> str:
        """Hex BLAKE2b-128 of which photos are in which set."""
        return self._digest(SETS[which] for which in self.split.sets.tolist())

    def _digest(self, names: Iterable[str]) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for key, name in sorted(zip(self.keys, names, strict=True)):
            digest.update(key + name.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()

    def read_pixels(self, row: int) -> np.ndarray:
        """The photo as the network sees it, (H, W, 3) uint8; kept, so that it is read once.

        Raises RetrainError if it is gone or has changed since its features were computed.
        """
        pixels = self.store.read_pixels(self.keys[row], warn_once)
        if pixels is None or pixels.shape != (self.recipe.height, self.recipe.width, 3):
            path = Path(self.index.full_path(self.index.photos[row]))
            try:
                with pillow_warnings_ignored(), content_of(path) as content:
                    if digest_of(content) != self.keys[row]:
                        raise BadPhoto("changed while this run was working")
                    pixels = decode(content, self.recipe)
            except (OSError, BadPhoto) as error:
                raise RetrainError(
                    f"{path} could be read before and cannot now ({one_line(error)}): run again"
                ) from error
            self.store.keep_pixels(self.keys[row], pixels, warn_once)
        return pixels


def prepare(
    data: DataConfig,
    extract: ExtractConfig,
    outputs: Iterable[Path],
    *,
    aside_csv: Path,
    csv_safe: bool = False,
    distortions: Sequence[Distortion] = (),
) -> Dataset:
    """Return the usable photos with their features and sets, and their distorted copies.

    Args:
        data: where the photos are and how they are divided.
        extract: the module that makes their features.
        outputs: folders of this run that are no classes, should they lie in the tree.
        aside_csv: where the files that cannot be used are listed.
        csv_safe: whether that list shall be safe in spreadsheets.
        distortions: one for each distorted copy of the training photos.

    Raises:
        RetrainError: if there are too few photos, or the module or a folder cannot be used.
    """
    photos = read_photos(data, extract, outputs)
    index, extractor = photos.index, photos.extractor
    report_aside(index.aside, aside_csv, strict=data.strict, csv_safe=csv_safe)
    split = split_index(
        index,
        photos.digests,
        data.testing_percentage,
        validation=data.validation_percentage,
        rule=data.split,
    )
    labels, keys = photos.labels, photos.keys
    say_split(index, labels, split, config=data)

    train_rows = split.rows(TRAIN)
    train_keys = [keys[row] for row in train_rows]
    paths = {keys[row]: index.full_path(index.photos[row]) for row in train_rows}
    matrices = [photos.features()]
    for distortion in distortions:
        copies = extractor.features_of(paths, replace(photos.recipe, distortion=distortion))
        lost = [paths[key] for key in train_keys if key not in copies]
        if lost:
            raise RetrainError(f"{lost[0]} could be read before and cannot now: run again")
        matrices.append(copies.matrix(train_keys))
    extractor.say_done()
    copied = len(matrices) - 1
    return Dataset(
        index=index,
        keys=keys,
        labels=np.concatenate([labels, np.tile(labels[train_rows], copied)]),
        features=FeatureMatrix.stacked(matrices),
        training_rows=np.concatenate([train_rows, len(keys) + np.arange(copied * len(train_keys))]),
        split=split,
        backbone=photos.backbone,
        recipe=photos.recipe,
        store=photos.store,
    )


def on_backbone(config: ExtractConfig, dataset: Dataset, backbone: Backbone) -> Dataset:
    """The same photos and split with the features of another backbone, without distorted copies.

    Raises RetrainError.
    """
    extractor = _Extractor(config, backbone, 0)
    photos = dataset.index.photos
    paths = {
        key: dataset.index.full_path(photo) for key, photo in zip(dataset.keys, photos, strict=True)
    }
    recipe = Recipe(backbone.info.height, backbone.info.width)
    store = extractor.features_of(paths, recipe)
    lost = [paths[key] for key in dataset.keys if key not in store]
    if lost:
        raise RetrainError(f"{lost[0]} could be read before and cannot now: run again")
    return replace(
        dataset,
        labels=dataset.photo_labels,
        features=store.matrix(dataset.keys),
        training_rows=dataset.split.rows(TRAIN),
        backbone=backbone,
        recipe=recipe,
        store=store,
    )


@dataclass(frozen=True)
class Photos:
    """The usable photos of a tree, whose features are all in `store`, by digest."""

    index: Index
    digests: Mapping[str, bytes]
    backbone: Backbone
    recipe: Recipe
    store: BottleneckStore
    extractor: "_Extractor"

    @property
    def keys(self) -> list[bytes]:
        """The digest of each photo."""
        return [self.digests[photo.path] for photo in self.index.photos]

    @property
    def labels(self) -> np.ndarray:
        """(N,) int32 class of each photo."""
        return np.array([photo.label for photo in self.index.photos], np.int32)

    def features(self) -> FeatureMatrix:
        """(N, D)."""
        return self.store.matrix(self.keys)


def read_photos(
    data: DataConfig, extract: ExtractConfig, outputs: Iterable[Path], *, least_classes: int = 2
) -> Photos:
    """Reads the tree, computes the missing features, leaves out what is broken.

    `outputs` as in `prepare`. Raises RetrainError, also for fewer than `least_classes` classes.
    """
    with unsafe_allowed(allowed=extract.allow_unsafe_module, warn=log.warning):
        return _read_photos(data, extract, outputs, least_classes=least_classes)


def _read_photos(
    data: DataConfig, extract: ExtractConfig, outputs: Iterable[Path], *, least_classes: int
) -> Photos:
    index = read_tree(data.image_dir, outputs, least_classes)
    backbone = resolve(extract.tfhub_module, extract.input_config, extract.modules_folder)
    say_found(index)
    digests, unreadable, read = digest_photos(index, extract.features_folder / "digests")
    extractor = _Extractor(extract, backbone, read)
    recipe = Recipe(backbone.info.height, backbone.info.width)
    paths = {digests[p.path]: index.full_path(p) for p in index.photos if p.path in digests}
    store = extractor.features_of(paths, recipe)
    failed = {key: store.failed[key] for key in paths if key not in store}
    usable = usable_photos(index, digests, unreadable, failed=failed, least_classes=least_classes)
    say_left_out(usable)
    say_narrow([p.path for p in usable.photos if digests[p.path] in store.narrow])
    return Photos(usable, digests, backbone, recipe, store, extractor)


class _Extractor:
    """Fills one store after another; the engine is started when the first feature is missing."""

    def __init__(self, config: ExtractConfig, backbone: Backbone, read: int) -> None:
        self.config, self.backbone, self.read = config, backbone, read
        self.computed = self.cached = 0
        self._engine: Engine | None = None

    def features_of(self, paths: Mapping[bytes, str], recipe: Recipe) -> BottleneckStore:
        """The store that holds the features of the photos at `paths`, or why there are none."""
        info = self.backbone.info
        precision = self.config.precision
        identity = StoreIdentity(info.name, info.fingerprint, recipe.text, precision)
        store = BottleneckStore(self.config.features_folder, identity, info.feature_width)
        store.refresh()
        look_again(paths, store)
        store.check(list(paths))
        wanted = missing(list(paths), store)
        log.debug(f"features in {store.folder}: {len(wanted)} of {len(paths)} missing")
        if wanted and store.damaged:
            first, more = store.damaged[0], len(store.damaged) - 1
            where = f"{first} and {more} more" if more else first
            log.warning(f"cached features in {where} are damaged and computed again")
        if wanted:
            check_folder_can_be_written(store.folder / "shards", "--bottleneck_dir")
            if self._engine is None:
                self._engine = choose_engine(self.config.engine, self.backbone, precision)
                log.info(f"{info.name} ({precision}) with {self._engine.name}")
            subset = {key: paths[key] for key in wanted}
            extract_features(subset, store, self._engine, recipe=recipe)
        self.computed += sum(key in store for key in wanted)
        self.cached += len(paths) - len(wanted)
        return store

    def say_done(self) -> None:
        log.info(
            f"{counted(self.computed, 'feature')} computed, {self.cached} cached; "
            f"{counted(self.read, 'photo')} read for their digests"
        )


def usable_photos(
    index: Index,
    digests: Mapping[str, bytes],
    unreadable: Sequence[SetAside],
    *,
    failed: Mapping[bytes, str],
    least_classes: int = 2,
) -> Index:
    """The index without the photos that are `unreadable` or, by digest, `failed` for a reason.

    Raises RetrainError if fewer than `least_classes` classes are left.
    """
    reasons = {file.path: file.reason for file in unreadable}
    for photo in index.photos:
        if (key := digests.get(photo.path)) is not None and key in failed:
            reasons[photo.path] = failed[key]
    usable = without_unusable(index, reasons)
    _check_enough(usable, least_classes)
    return usable


def _check_enough(index: Index, least: int) -> None:
    if len(index.classes) >= least:
        return
    left = f"only {index.classes[0]!r} has" if index.classes else "no class has"
    needed = "two classes are needed" if least > 1 else "one is needed"
    gone = [f"{counted(len(index.aside), 'file')} set aside, the first: {file.path} ({file.reason})"
            for file in index.aside[:1]]  # fmt: skip
    if index.others:
        gone.append(f"{counted(len(index.others), 'other file')} left out")
    raise RetrainError(f"{left} photos that can be used, and {needed}; {'; '.join(gone)}")
