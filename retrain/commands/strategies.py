"""Strategies: ways to train more than a linear head.

Each ends with another backbone and a linear head on it, so that all that follows a training is the
same.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.backbones.hidden_layer import write_extended
from retrain.backbones.sources.local import source_of
from retrain.config import TrainConfig
from retrain.data.decoding.augment import distortions_of
from retrain.data.decoding.decode import Recipe
from retrain.data.digests import DigestMemo
from retrain.data.folder import read_tree
from retrain.data.split import TEST, TRAIN, VALIDATION
from retrain.data.summary import ASIDE_CSV, say_found, say_left_out
from retrain.evaluation.intervals import PairedDifference, paired_difference
from retrain.evaluation.scoring import evaluate
from retrain.features.dataset import Dataset, on_backbone, split_photos, usable_photos
from retrain.features.store import BottleneckStore, StoreIdentity
from retrain.training.config import parse_depth
from retrain.training.curve import CurvePoint
from retrain.training.early_stopping import SelectionSet
from retrain.training.finetune.config import TuningPhotos, TuningSettings
from retrain.training.finetune.fine_tune import fine_tune
from retrain.training.head import Head
from retrain.training.hidden_layer import HiddenSettings, hidden_features, train_hidden
from retrain.training.scratch.network import check_size
from retrain.training.scratch.pixels import features_of_pixels, read_pixels
from retrain.training.scratch.simple_cnn import CnnPhotos, CnnSettings, train_simple_cnn
from retrain.training.solver import sgd_settings, watched
from retrain.utils.new_folders import make_folder

log = logging.getLogger(__name__)

TUNING_FOLDER, CNN_FOLDER = "fine_tuning", "simple_cnn"  # beside the graph
CNN_SIZE = (100, 100)  # the tutorials'
CNN_EPOCHS, TUNING_EPOCHS = 200, 20


@dataclass(frozen=True)
class Tuning:
    """What fine-tuning did to the accuracy, in [0, 1], on the same test photos."""

    head_only: float
    tuned: float
    photos: int
    difference: PairedDifference

    def sentence(self) -> str:
        """Say both accuracies and their difference."""
        return (
            f"Fine-tuned: {self.tuned:.1%} of {self.photos} test photos instead of "
            f"{self.head_only:.1%} with the head only "
            f"({self.difference.words()})"
        )


def with_hidden_layer(
    config: TrainConfig, dataset: Dataset, classes: int, *, summaries: Path | None, folder: Path
) -> tuple[Dataset, Head, list[CurvePoint]]:
    """Train a head with a ReLU layer between the features and it (`--hidden_units`).

    The layer becomes a part of the backbone.

    Args:
        config: The settings of the run.
        dataset: The photos' features, classes and sets.
        classes: How many there are.
        summaries: The folder for TensorBoard logs, or None.
        folder: The new backbone is written into it.

    Returns:
        The dataset on the new backbone, the head, and the training curve.
    """
    plan = HiddenSettings(
        **vars(sgd_settings(config.head, config.batches)),
        units=config.head.hidden_units,
        dropout=config.head.dropout,
    )
    with watched(summaries, plan.steps, log_every=config.batches.log_every) as watch:
        trained = train_hidden(
            dataset.features,
            dataset.labels,
            dataset.training_rows,
            validation_rows=dataset.split.rows(VALIDATION),
            classes=classes,
            settings=plan,
            on_step=lambda step, head: watch.step(),
            on_evaluation=watch.evaluation,
        )
    watch.say_kept()
    if config.head.early_stopping:
        watch.warn_if_nothing_stops()
    extended = write_extended(dataset.backbone, trained.layer, folder)
    features = hidden_features(dataset.features, trained.layer)
    return replace(dataset, backbone=extended, features=features), trained.head, watch.curve


def fine_tuned(
    config: TrainConfig, dataset: Dataset, head: Head
) -> tuple[Dataset, Head, Tuning | None]:
    """Train the module's own weights, from the head that was trained before (`--fine_tune`).

    Its checkpoint and the tuned module lie in `fine_tuning/` beside the graph.
    """
    folder = config.graph.beside(TUNING_FOLDER)
    make_folder(folder)
    photos = dataset.index.photos
    asked = distortions_of(config.augment, config.batches.seed)
    tuning = TuningSettings(
        last=parse_depth(config.network.fine_tune or "all"),
        epochs=config.network.epochs or TUNING_EPOCHS,
        seed=config.batches.seed,
        class_weight=config.head.class_weight,
        precision=config.extract.precision,
        resume=config.network.resume,
        learning_rate=config.network.fine_tune_learning_rate,
    )
    if asked:
        tuning = replace(tuning, distortion=replace(asked[0], copy=0, seed=0))
    backbone, tuned_head = fine_tune(
        source_of(dataset.backbone),
        dataset.backbone,
        head,
        photos=TuningPhotos(
            paths=[dataset.index.full_path(photo) for photo in photos],
            keys=dataset.keys,
            labels=dataset.photo_labels,
            train=dataset.split.rows(TRAIN),
            validation=dataset.split.rows(VALIDATION),
        ),
        settings=tuning,
        folder=folder,
    )
    if np.array_equal(tuned_head.weights, head.weights):
        by = SelectionSet.of(dataset.split.rows(TRAIN), dataset.split.rows(VALIDATION)).name
        log.warning(
            f"no epoch of fine-tuning was better than its start by the {by} photos, so the "
            "module is as it was: give a smaller --fine_tune_learning_rate"
        )
    tuned = on_backbone(config.extract, dataset, backbone)
    rows = dataset.split.rows(TEST)
    if not len(rows):
        return tuned, tuned_head, None
    before = evaluate(head, dataset.features, dataset.labels, rows=rows)
    after = evaluate(tuned_head, tuned.features, tuned.labels, rows=rows)
    right_before, right_after = (e.predicted == e.truth for e in (before, after))
    compared = paired_difference(right_after, right_before)
    return (
        tuned,
        tuned_head,
        Tuning(before.accuracy, after.accuracy, len(rows), compared),
    )


def from_scratch(
    config: TrainConfig, outputs: list[Path], summaries: Path | None, *, folder: Path
) -> tuple[Dataset, Head, list[CurvePoint]]:
    """Train a small network on the pixels alone (`--architecture simple_cnn`).

    Its checkpoint lies in `simple_cnn/` beside the graph.

    Args:
        config: The settings of the run.
        outputs: Folders in the tree that are no classes.
        summaries: The folder for TensorBoard logs, or None.
        folder: The backbone is written into it.

    Returns:
        The dataset on the network, the head, and the training curve.
    """
    height, width = config.extract.input_size or CNN_SIZE
    check_size(height, width)
    recipe = Recipe(height, width)
    index = read_tree(config.data.image_dir, ignore=outputs)
    say_found(index)
    memo = DigestMemo(index, config.extract.features_folder / "digests")
    found, digests = index.photos, memo.known
    pixels, reasons = read_pixels(index, memo, recipe)
    index = usable_photos(index, reasons)
    say_left_out(index)
    split = split_photos(
        config.data,
        index,
        digests,
        aside_csv=config.graph.beside(ASIDE_CSV),
        csv_safe=config.report.csv_safe,
    )
    pixels = pixels[[row for row, photo in enumerate(found) if photo.path not in reasons]]
    labels = np.array([photo.label for photo in index.photos], np.int32)
    plan = CnnSettings(
        grayscale=config.network.grayscale,
        epochs=config.network.epochs or CNN_EPOCHS,
        seed=config.batches.seed,
        learning_rate=config.head.rate,
        label_smoothing=config.head.label_smoothing,
        class_weight=config.head.class_weight,
        patience=config.head.patience,
        resume=config.network.resume,
    )
    photos = CnnPhotos(
        pixels, labels, len(index.classes), split.rows(TRAIN), split.rows(VALIDATION)
    )
    checkpoints = config.graph.beside(CNN_FOLDER)
    with watched(summaries, plan.epochs) as watch:
        backbone, head = train_simple_cnn(
            photos, plan, folder, checkpoints=checkpoints, on_epoch=watch.point
        )
    if config.head.early_stopping:
        watch.warn_if_nothing_stops()
    info = backbone.info
    identity = StoreIdentity(info.name, info.fingerprint, recipe.text, config.extract.precision)
    dataset = Dataset(
        index=index,
        keys=[digests[photo.path] for photo in index.photos],
        labels=labels,
        features=features_of_pixels(
            backbone, pixels, config.extract.engine, precision=config.extract.precision
        ),
        training_rows=split.rows(TRAIN),
        split=split,
        backbone=backbone,
        recipe=recipe,
        store=BottleneckStore(config.extract.features_folder, identity, info.feature_width),
    )
    return dataset, head, watch.curve
