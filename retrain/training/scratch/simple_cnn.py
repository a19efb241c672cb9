"""Training the small network of the tutorials from scratch, on pixels, with Keras."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.errors import RetrainError
from retrain.training.checkpoint import (
    Arrays,
    Checkpoint,
    TrainingProgress,
    read_checkpoint,
    write_checkpoint,
)
from retrain.training.early_stopping import SelectionSet
from retrain.training.head import Head
from retrain.training.loss import class_weights, log_loss
from retrain.training.scratch.network import NAME, check_size, freeze_network, new_network
from retrain.training.sgd import BatchResult, StepResult
from retrain.utils.files import check_folder_can_be_written
from retrain.utils.progress import Meter, progress
from retrain.utils.tensorflow import deterministic_operations, import_keras, import_tensorflow

log = logging.getLogger(__name__)

DECAY, MOMENTUM = 1e-6, 0.9
SCORED = 100  # training photos that are scored after an epoch
LINES = 20  # about how many lines a training logs
CHECKPOINT_SECONDS = 10.0  # the most that a killed run loses, and an epoch


@dataclass(frozen=True)
class CnnSettings:
    """How to train the small network; the defaults are the tutorials' values.

    Attributes:
        grayscale: The network sees brightness only.
        epochs: At the most.
        batch_size: Photos of a step.
        learning_rate: Of gradient descent.
        label_smoothing: As in `loss.SoftmaxLoss`.
        class_weight: A rule of `loss.class_weights`.
        patience: Epochs in a row without a lower validation loss that end the training; 0: never.
        seed: Of all random choices.
        resume: Go on from a checkpoint.
    """

    grayscale: bool = False
    epochs: int = 200
    batch_size: int = 32
    learning_rate: float = 0.01
    label_smoothing: float = 0.0
    class_weight: str = "none"
    patience: int = 0
    seed: int = 0
    resume: bool = False

    def text(self) -> str:
        """Return the canonical form of all that the result depends on."""
        facts = asdict(self)
        del facts["resume"]
        return json.dumps(facts, sort_keys=True)


@dataclass(frozen=True)
class CnnPhotos:
    """The photos of a training.

    Attributes:
        pixels: (N, H, W, 3) uint8.
        labels: (N,) int32.
        classes: How many there are.
        train: Rows of these.
        validation: Rows of these.
    """

    pixels: np.ndarray
    labels: np.ndarray
    classes: int
    train: np.ndarray
    validation: np.ndarray

    def digest(self) -> str:
        """Return hex BLAKE2b-128 of the photos of both sets, in their order, with their classes."""
        digest = hashlib.blake2b(str((self.pixels.shape, self.classes)).encode(), digest_size=16)
        for rows in (self.train, self.validation):
            for row in rows.tolist():
                digest.update(self.pixels[row].tobytes())
                digest.update(int(self.labels[row]).to_bytes(4, "little"))
            digest.update(b"|")
        return digest.hexdigest()


def train_simple_cnn(
    photos: CnnPhotos,
    settings: CnnSettings,
    folder: Path,
    *,
    checkpoints: Path,
    on_epoch: Callable[[StepResult], None],
) -> tuple[Backbone, Head]:
    """Train the small network on photos; return its backbone and head.

    The tutorials' stochastic gradient descent with Nesterov's momentum goes through all training
    photos, shuffled, in each epoch. The weights with the lowest validation loss (weighted by class)
    are returned; without validation photos, those with the lowest loss on all training photos. A
    small network on few photos can leap from all right to a constant answer in one epoch, be it the
    last. The same arguments give the same bits on the same machine.

    Args:
        photos: The pixels and their classes.
        settings: How to train.
        folder: An existing folder, into which the network up to its last layer is frozen.
        checkpoints: The folder of the checkpoint, from which `settings.resume` goes on, to the same
            weights.
        on_epoch: Is called after each epoch (a step is an epoch, counted from 1) with up to SCORED
            of its training photos (all, without validation photos) and all validation photos, if
            any.

    Returns:
        The backbone, and the last layer as the head.

    Raises:
        RetrainError: The loss is no longer a number.
    """
    height, width = photos.pixels.shape[1:3]
    check_size(height, width)
    check_folder_can_be_written(checkpoints, "--output_graph")
    belongs = {"photos": photos.digest(), "settings": settings.text()}
    found = read_checkpoint(checkpoints, belongs, log.warning) if settings.resume else None
    if settings.resume and found is None:
        log.info(f"No checkpoint in {checkpoints}: training starts with its first epoch")
    with deterministic_operations():
        training = _Training(photos, settings, on_epoch)
        if found is not None:
            training.restore(found)
        for checkpoint in training.run():
            write_checkpoint(checkpoints, checkpoint, belongs)
        training.end()
    return freeze_network(training.model, folder), training.head


class _Training:
    """The epochs of a training; `standing` is how far it is."""

    def __init__(
        self, photos: CnnPhotos, settings: CnnSettings, on_epoch: Callable[[StepResult], None]
    ) -> None:
        self.photos, self.settings, self.on_epoch = photos, settings, on_epoch
        self.standing = TrainingProgress()
        self.best: list[np.ndarray] = []
        self.judges = SelectionSet.of(photos.train, photos.validation)
        self.class_weights = class_weights(
            photos.labels[photos.train], photos.classes, settings.class_weight
        )
        self.targets = np.eye(photos.classes, dtype=np.float32)
        shape = (*photos.pixels.shape[1:3], 1 if settings.grayscale else 3)
        self.model = new_network(shape, photos.classes, np.random.default_rng(settings.seed))
        keras = import_keras()
        rates = keras.optimizers.schedules.InverseTimeDecay(
            settings.learning_rate, decay_steps=1, decay_rate=DECAY
        )
        self.model.compile(
            optimizer=keras.optimizers.SGD(rates, momentum=MOMENTUM, nesterov=True),
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=settings.label_smoothing
            ),
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)

    @property
    def head(self) -> Head:
        """The last layer."""
        return Head(*self.model.layers[-1].get_weights())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to where a checkpoint was written."""
        for name, group in self._groups().items():
            for variable, value in zip(group, checkpoint.arrays[name], strict=True):
                variable.assign(value)
        self.best = checkpoint.arrays.get("best", [])
        self.standing = checkpoint.standing
        log.info(f"Resuming training of {NAME} after epoch {self.standing.epoch - 1}")

    def run(self) -> Iterator[Checkpoint]:
        """Train to the end; yield, after some epochs and after the last, what to keep on disk."""
        left = (self.settings.epochs - self.standing.epoch + 1) * len(self.photos.train)
        written = time.monotonic()
        with progress(f"Training {NAME}", left, "photos") as meter:
            while not self._over:
                self._epoch(meter)
                if self._over or time.monotonic() - written >= CHECKPOINT_SECONDS:
                    yield Checkpoint(self.standing, self._state())
                    written = time.monotonic()

    def end(self) -> None:
        """Go back to the best weights."""
        kept = self.standing.kept(self.judges.name)
        if kept is not None and self.best:  # an older version's checkpoint has no best weights
            self.model.set_weights(self.best)
            log.info(kept.sentence("epoch", self.standing.epoch - 1))

    @property
    def _over(self) -> bool:
        patience = self.settings.patience if len(self.photos.validation) else 0
        return self.standing.over(self.settings.epochs, patience)

    @np.errstate(over="ignore", invalid="ignore")  # a diverging loss is reported in words
    def _epoch(self, meter: Meter) -> None:
        epoch, settings, photos = self.standing.epoch, self.settings, self.photos
        order = np.random.default_rng([settings.seed, epoch]).permutation(photos.train)
        for rows in self._batches(order):
            truth = photos.labels[rows]
            self.model.train_on_batch(
                self._pictures(rows), self.targets[truth], sample_weight=self.class_weights[truth]
            )
            meter.advance(len(rows))
        if len(photos.validation):
            trained, checked = self._score(order[:SCORED]), self._score(photos.validation)
        else:
            trained, checked = self._score(photos.train), None
        if not np.isfinite(trained.cross_entropy):
            raise RetrainError(
                f"training diverged in epoch {epoch} with --learning_rate "
                f"{settings.learning_rate:g}: give a smaller one"
            )
        self._judge(epoch, checked or trained)
        kept = self.standing.kept(self.judges.name)
        result = StepResult(epoch, self.head, trained, checked, kept)
        self.standing.epoch += 1
        self.on_epoch(result)
        if epoch % math.ceil(settings.epochs / LINES) == 0 or self._over:
            self._say(result)

    def _judge(self, epoch: int, result: BatchResult) -> None:
        """Keep the weights if `result`, of the selection photos, is the best so far."""
        loss = log_loss(result.logits, self.photos.labels[self.judges.rows], self.class_weights)
        if self.standing.judge(epoch, loss):
            self.best = self.model.get_weights()

    def _score(self, rows: np.ndarray) -> BatchResult:
        logits = [self.model.predict_on_batch(self._pictures(some)) for some in self._batches(rows)]
        return BatchResult.of(np.concatenate(logits), self.photos.labels[rows])

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        for first in range(0, len(rows), self.settings.batch_size):
            yield rows[first : first + self.settings.batch_size]

    def _pictures(self, rows: np.ndarray) -> Any:
        """Return pictures (n, H, W, 3 or 1) float32 in [0, 1].

        Grey is made as the frozen graph makes it.
        """
        values = self.photos.pixels[rows] / np.float32(255)
        if not self.settings.grayscale:
            return values
        return import_tensorflow().image.rgb_to_grayscale(values)

    def _say(self, result: StepResult) -> None:
        checked = result.validation
        said = (
            f", validation accuracy {checked.accuracy:.1%} (N={checked.count})" if checked else ""
        )
        log.info(
            f"Epoch {result.step} of {self.settings.epochs}: "
            f"train accuracy {result.train.accuracy:.1%}, "
            f"cross entropy {result.train.cross_entropy:.4f}{said}"
        )

    def _groups(self) -> dict[str, list[Any]]:
        """Return the variables to keep: weights with dropout's states, momenta, step count."""
        return {"network": self.model.variables, "optimizer": self.model.optimizer.variables}

    def _state(self) -> Arrays:
        groups = self._groups().items()
        state = {name: [variable.numpy() for variable in group] for name, group in groups}
        return {**state, "best": self.best}
