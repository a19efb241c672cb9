"""The dataset of a run: from an image tree to features, labels and sets."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from retrain.artifacts.safety.verdict import unsafe_allowed
from retrain.backbones.backbone import Backbone
from retrain.backbones.sources.resolve import check_handles, resolve
from retrain.data.config import DataConfig
from retrain.data.decoding.augment import Distortion
from retrain.data.decoding.decode import Recipe, pillow_warnings_ignored
from retrain.data.digests import digest_of_pairs
from retrain.data.folder import Index, read_tree, without_unusable
from retrain.data.read import read_photo_again
from retrain.data.split import SETS, TRAIN, Split, Tie, split_index
from retrain.data.summary import report_aside, say_found, say_left_out, say_narrow, say_split
from retrain.errors import RetrainError, counted
from retrain.features.config import ExtractConfig
from retrain.features.duplicates import duplicate_ties
from retrain.features.extractor import Extractor
from retrain.features.matrix import FeatureMatrix
from retrain.features.runner import Runner
from retrain.features.store import BottleneckStore
from retrain.utils.logs import warn_once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """The usable photos, and all that training needs of them.

    Attributes:
        index: The photos.
        keys: The digest of each photo.
        labels: (N + M,) int32 classes of the N photos and of M distorted copies of training photos.
        features: (N + M, D).
        training_rows: The rows to train on, copies included.
        split: The set of each photo.
        backbone: What the features come from.
        recipe: How the photos are decoded.
        store: Where the features are kept.
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
    def originals(self) -> np.ndarray:
        """The row of the photo that each row is, or is a distorted copy of, (N + M,)."""
        count, train = len(self.keys), self.split.rows(TRAIN)
        copies = (self.features.shape[0] - count) // max(len(train), 1)
        return np.concatenate([np.arange(count), np.tile(train, copies)])

    @property
    def photo_labels(self) -> np.ndarray:
        """The class of each photo, (N,)."""
        return self.labels[: len(self.keys)]

    def digest(self) -> str:
        """Return hex BLAKE2b-128 of which photos there are in which class, whatever their names."""
        names = (self.index.classes[label] for label in self.photo_labels.tolist())
        return digest_of_pairs(sorted(zip(self.keys, names, strict=True)))

    def split_digest(self) -> str:
        """Return hex BLAKE2b-128 of which photos are in which set."""
        return digest_of_pairs(sorted(zip(self.keys, self.set_names(), strict=True)))

    @cached_property
    def digests(self) -> dict[str, str]:
        """Both digests, as manifests and records have them; seconds of work for many photos."""
        return {"digest": self.digest(), "split_digest": self.split_digest()}

    def set_names(self) -> list[str]:
        """Return the set of each photo, (N,), by its name."""
        return [SETS[which] for which in self.split.sets.tolist()]

    def read_pixels(self, row: int) -> np.ndarray:
        """Return a photo as the network sees it, (H, W, 3) uint8; kept, so it is read once.

        Raises RetrainError if it is gone or has changed since its features were computed.
        """
        pixels = self.store.read_pixels(self.keys[row], warn_once)
        if pixels is None or pixels.shape != (self.recipe.height, self.recipe.width, 3):
            path = self.index.full_path(self.index.photos[row])
            with pillow_warnings_ignored():
                pixels = read_photo_again(path, self.recipe, self.keys[row])
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
    looks: bool = False,
) -> Dataset:
    """Return the usable photos with their features and sets, and their distorted copies.

    Args:
        data: where the photos are and how they are divided.
        extract: the module that makes their features.
        outputs: folders of this run that are no classes, should they lie in the tree.
        aside_csv: where the files that cannot be used are listed.
        csv_safe: whether that list shall be safe in spreadsheets.
        distortions: one for each distorted copy of the training photos.
        looks: whether an audit is going to ask for a look at each photo.

    Raises:
        RetrainError: if there are too few photos, or the module or a folder cannot be used.
    """
    photos = read_photos(data, extract, outputs, looks=looks or data.keeps_duplicates)
    index, extractor, runner = photos.index, photos.extractor, photos.runner
    split = split_photos(
        data,
        index,
        photos.digests,
        aside_csv=aside_csv,
        csv_safe=csv_safe,
        ties=photos.ties(data),
    )
    labels, keys = photos.labels, photos.keys
    train_rows = split.rows(TRAIN)
    train_keys = [keys[row] for row in train_rows]
    paths = {keys[row]: index.full_path(index.photos[row]) for row in train_rows}
    matrices = [photos.features()]
    for distortion in distortions:
        recipe = replace(extractor.recipe, distortion=distortion)
        matrices.append(
            _features(runner, extractor.with_recipe(recipe), paths=paths, keys=train_keys)
        )
    runner.say_done()
    copied = len(matrices) - 1
    return Dataset(
        index=index,
        keys=keys,
        labels=np.concatenate([labels, np.tile(labels[train_rows], copied)]),
        features=FeatureMatrix.stacked(matrices),
        training_rows=np.concatenate([train_rows, len(keys) + np.arange(copied * len(train_keys))]),
        split=split,
        backbone=extractor.backbone,
        recipe=extractor.recipe,
        store=extractor.store,
    )


def split_photos(
    data: DataConfig,
    index: Index,
    digests: Mapping[str, bytes],
    *,
    aside_csv: Path,
    csv_safe: bool,
    ties: Sequence[Tie] = (),
) -> Split:
    """Divide the usable photos into sets, which are said, and return them.

    Args:
        data: how they are divided.
        index: the usable photos, with the files that were set aside.
        digests: of the photos, by path.
        aside_csv: where the files that cannot be used are listed.
        csv_safe: whether that list shall be safe in spreadsheets.
        ties: photos that are to share a set, by digest.

    Raises:
        RetrainError: if a class has no photo to train on, or if there is a file that cannot be
            used and `data` is strict.
    """
    report_aside(index.aside, aside_csv, strict=data.strict, csv_safe=csv_safe)
    split = split_index(
        index,
        digests,
        data.testing_percentage,
        validation=data.validation_percentage,
        rule=data.split,
        ties=ties,
    )
    labels = np.array([photo.label for photo in index.photos], np.int32)
    say_split(index, labels, split, config=data)
    return split


def on_backbone(config: ExtractConfig, dataset: Dataset, backbone: Backbone) -> Dataset:
    """Return the same photos and split with another backbone's features.

    Distorted copies are left out. Raises RetrainError.
    """
    photos = dataset.index.photos
    paths = {
        key: dataset.index.full_path(photo) for key, photo in zip(dataset.keys, photos, strict=True)
    }
    extractor = _extractor(config, backbone)
    return replace(
        dataset,
        labels=dataset.photo_labels,
        features=_features(Runner(), extractor, paths=paths, keys=dataset.keys),
        training_rows=dataset.split.rows(TRAIN),
        backbone=backbone,
        recipe=extractor.recipe,
        store=extractor.store,
    )


def _features(
    runner: Runner, extractor: Extractor, *, paths: Mapping[bytes, str], keys: Sequence[bytes]
) -> FeatureMatrix:
    """Compute what is missing of photos that were read before. Raises RetrainError."""
    store = runner.features_of(extractor, paths)
    lost = [paths[key] for key in keys if key not in store]
    if lost:
        raise RetrainError(f"{lost[0]} could be read before and cannot now: run again")
    return store.matrix(keys)


@dataclass(frozen=True)
class Photos:
    """The usable photos of a tree, by whose digests the store of `extractor` has all features."""

    index: Index
    digests: Mapping[str, bytes]
    extractor: Extractor
    runner: Runner

    @property
    def keys(self) -> list[bytes]:
        """The digest of each photo."""
        return [self.digests[photo.path] for photo in self.index.photos]

    @property
    def labels(self) -> np.ndarray:
        """The class of each photo, (N,) int32."""
        return np.array([photo.label for photo in self.index.photos], np.int32)

    def features(self) -> FeatureMatrix:
        """Return the features of the photos, (N, D)."""
        return self.extractor.store.matrix(self.keys)

    def ties(self, data: DataConfig) -> list[Tie]:
        """Return the photos that `data` wants in one set besides copies, by digest; say so.

        Raises RetrainError if a photo has gone.
        """
        if not data.keeps_duplicates:
            return []
        folder = self.extractor.store.root
        found = duplicate_ties(self.index, self.keys, self.features(), folder=folder)
        pairs = counted(len(found), "pair")
        log.info(f"Kept together in one set: {pairs} of the same picture or scene")
        return found


def read_photos(
    data: DataConfig,
    extract: ExtractConfig,
    outputs: Iterable[Path],
    *,
    least_classes: int = 2,
    looks: bool = False,
) -> Photos:
    """Read the tree, compute the missing features, and leave out what is broken.

    Args:
        data: Where the photos are.
        extract: The module and the folders of features.
        outputs: As in `prepare`.
        least_classes: How many classes there must be.
        looks: As in `prepare`.

    Returns:
        The photos, whose features are in their store.

    Raises:
        RetrainError: There are too few classes, or the module cannot be used.
    """
    with unsafe_allowed(allowed=extract.allow_unsafe_module, warn=log.warning):
        check_handles([extract.tfhub_module])
        index = read_tree(data.image_dir, outputs, least_classes)
        backbone = resolve(extract.tfhub_module, extract.input_config, extract.modules_folder)
        say_found(index)
        extractor, runner = _extractor(extract, backbone), Runner(looks)
        digests, reasons = runner.read_photos(extractor, index)
        store = extractor.store
        for path, key in digests.items():
            if key not in store:
                reasons[path] = runner.failed.get(key) or store.failed[key]
        usable = usable_photos(index, reasons, least_classes)
        say_left_out(usable)
        say_narrow([p.path for p in usable.photos if digests[p.path] in store.narrow])
        return Photos(usable, digests, extractor, runner)


def _extractor(config: ExtractConfig, backbone: Backbone) -> Extractor:
    return Extractor(
        backbone, config.features_folder, engine=config.engine, precision=config.precision
    )


def usable_photos(index: Index, reasons: Mapping[str, str], least_classes: int = 2) -> Index:
    """Return the index without the photos that cannot be used for these reasons, by path.

    Raises RetrainError if fewer than `least_classes` classes are left.
    """
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
