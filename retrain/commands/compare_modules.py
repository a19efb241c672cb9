"""Comparing modules on the same photos: which is worth its time?"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from retrain.backbones.sources.resolve import have
from retrain.config import TrainConfig
from retrain.data.split import group_numbers
from retrain.errors import RetrainError
from retrain.evaluation.cross_validation import cross_validate
from retrain.evaluation.folds import folds
from retrain.evaluation.intervals import Interval, PairedDifference, paired_difference, wilson
from retrain.features.dataset import Photos, read_photos
from retrain.features.rate import photos_per_second
from retrain.training.head import Head
from retrain.training.sgd import train_head
from retrain.training.solver import sgd_settings
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

FOLDS = 5


def _ignore(*_: object) -> None:
    pass


UNWATCHED: dict[str, Any] = {"on_step": _ignore, "on_evaluation": _ignore}
RATE_SECONDS = 5.0  # how long the speed of a module is measured


@dataclass(frozen=True)
class Contender:
    """How a module did.

    Attributes:
        name: Of the module.
        accuracy: Over all folds, in [0, 1].
        interval: Of the accuracy.
        against_first: The difference to the first module on the same photos; None for the first.
        photos_per_second: Decoding included.
        megabytes: Of its graph.
        feature_width: How many numbers a feature vector has.
        photos: How many there are.
    """

    name: str
    accuracy: float
    interval: Interval
    against_first: PairedDifference | None
    photos_per_second: float
    megabytes: float
    feature_width: int
    photos: int


def compare_modules(handles: Sequence[str], config: TrainConfig) -> Iterator[Contender]:
    """Cross-validate the default head on each module's features, with the same folds for each.

    Photos that belong together (equal bytes, `_nohash_` names) share a fold. Yields a contender
    as soon as it is measured. Raises RetrainError, for a module that cannot be had before any work.
    """
    have(handles, config.extract.input_config, config.extract.modules_folder)
    first: np.ndarray | None = None
    for handle in handles:
        extract = replace(config.extract, tfhub_module=handle)
        photos = read_photos(config.data, extract, [])
        right = _right_answers(photos, config)
        if first is not None and len(first) != len(right):
            raise RetrainError("the photos changed while modules were compared: run again")
        backbone = photos.extractor.backbone
        yield Contender(
            name=backbone.info.name,
            accuracy=float(right.mean()),
            interval=wilson(int(right.sum()), len(right)),
            against_first=None if first is None else paired_difference(right, first),
            photos_per_second=_rate(photos),
            megabytes=backbone.graph_path.stat().st_size / 1e6,
            feature_width=backbone.info.feature_width,
            photos=len(right),
        )
        first = right if first is None else first


def _right_answers(photos: Photos, config: TrainConfig) -> np.ndarray:
    """Return for each photo, (n,) bool, whether a head that did not see it names its class."""
    labels, features = photos.labels, photos.features()
    plan = sgd_settings(config.head, config.batches)
    plan = replace(plan, eval_step_interval=plan.steps)  # no evaluation before the last step
    with progress("Training on folds", FOLDS, "folds") as meter:

        def train(rows: np.ndarray) -> Head:
            classes = len(photos.index.classes)
            head = train_head(
                features,
                labels,
                rows,
                validation_rows=rows[:0],
                classes=classes,
                settings=plan,
                **UNWATCHED,
            )
            meter.advance()
            return head

        predicted = cross_validate(
            features, labels, folds_of(photos, config.batches.seed), train=train
        )
    right: np.ndarray = predicted == labels
    return right


def folds_of(photos: Photos, seed: int) -> np.ndarray:
    """Return the fold of each photo, (n,); photos that belong together share one."""
    numbers = group_numbers(photos.index.photos, photos.digests)
    return folds(photos.labels, [number.hex() for number in numbers.tolist()], FOLDS, seed=seed)


def _rate(photos: Photos) -> float:
    """Measure photos per second from file to features; cached features would tell nothing."""
    name = photos.extractor.backbone.info.name
    log.info(f"Measuring how fast {name} is ({RATE_SECONDS:g} s at most)")
    paths = [photos.index.full_path(photo) for photo in photos.index.photos]
    return photos_per_second(photos.extractor, paths, RATE_SECONDS)
