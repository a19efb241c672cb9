"""Fine-tuning a module end to end, starting from its trained head."""

import hashlib
import logging
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.errors import counted
from retrain.training.checkpoint import (
    Checkpoint,
    TrainingProgress,
    read_checkpoint,
    write_checkpoint,
)
from retrain.training.early_stopping import SelectionSet
from retrain.training.finetune.checks import check_can_be_tuned
from retrain.training.finetune.config import TuningPhotos, TuningSettings, usual_rate
from retrain.training.finetune.freeze import tuned_backbone
from retrain.training.finetune.input_pipeline import PhotoSource
from retrain.training.finetune.model import TrainableModel, gpus
from retrain.training.head import Head, accuracy
from retrain.training.loss import class_weights, log_loss
from retrain.training.optimizers import learning_rate
from retrain.utils.files import check_folder_can_be_written
from retrain.utils.progress import Meter, progress
from retrain.utils.tensorflow import bfloat16_operations

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 30.0  # the most that a killed run loses, and a step


def fine_tune(
    module: Path,
    backbone: Backbone,
    head: Head,
    *,
    photos: TuningPhotos,
    settings: TuningSettings,
    folder: Path,
) -> tuple[Backbone, Head]:
    """Train a module's variables and the head together; return the new backbone and head.

    Training photos are distorted. The weights with the lowest validation loss, the start among
    them, are returned; without validation photos, those with the lowest loss on all training
    photos, not distorted.

    Args:
        module: The SavedModel folder that `backbone` was frozen from.
        backbone: The module before fine-tuning.
        head: Trained on the backbone's features.
        photos: The training and validation photos.
        settings: How to train.
        folder: Where the new backbone is frozen, and the checkpoint from which `settings.resume`
            goes on.

    Returns:
        The new backbone, and the head for its features.

    Raises:
        RetrainError: The module cannot be trained, or a photo or the folder cannot be used.
    """
    settings.check_numbers()
    check_can_be_tuned(module)
    check_folder_can_be_written(folder, "--output_graph")
    belongs = {
        "photos": photos.digest(),
        "module": backbone.info.fingerprint,
        "head": _digest([head.weights, head.biases]),
        "settings": settings.text(),
    }
    found = read_checkpoint(folder, belongs, log.warning) if settings.resume else None
    if settings.resume and found is None:
        log.info(f"No checkpoint in {folder}: fine-tuning starts from the head")
    devices = gpus()
    low = settings.precision == "bf16" and not devices
    log.info(f"Fine-tuning computes in {'bf16, with weights in f32' if low else 'f32'}")
    training = _Training(module, backbone, head, photos=photos, settings=settings, devices=devices)
    with bfloat16_operations() if low else nullcontext():
        training.begin(found)
        if not training.over:
            with training.source.faults():
                for checkpoint in training.run():
                    write_checkpoint(folder, checkpoint, belongs)
    training.say_kept()
    best = training.best
    *values, weights, biases = best
    name, fingerprint = f"{backbone.info.name}_tuned", _digest(best, belongs["module"])
    tuned = tuned_backbone(
        module,
        backbone,
        values,
        last=settings.last,
        name=name,
        fingerprint=fingerprint,
        folder=folder,
    )
    return tuned, Head(weights, biases)


def _digest(arrays: list[np.ndarray], start: str = "") -> str:
    digest = hashlib.blake2b(start.encode(), digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()


class _Training:
    """The epochs of a fine-tuning; `best` are the weights to keep, `standing` is how far it is."""

    def __init__(
        self,
        module: Path,
        backbone: Backbone,
        head: Head,
        *,
        photos: TuningPhotos,
        settings: TuningSettings,
        devices: list[str],
    ) -> None:
        info = backbone.info
        self.photos, self.settings = photos, settings
        labels = photos.labels[photos.train]
        self.class_weights = class_weights(labels, len(head.biases), settings.class_weight)
        self.source = PhotoSource(
            photos, info.height, info.width, distortion=settings.distortion, seed=settings.seed
        )
        self.model = TrainableModel(
            module,
            info,
            head,
            last=settings.last,
            class_weights=self.class_weights,
            batch_size=settings.batch_size,
            devices=devices,
        )
        self.highest = settings.learning_rate or usual_rate(self.model.parameters)
        self.judges = SelectionSet.of(photos.train, photos.validation)
        self.standing = TrainingProgress()
        self.best: list[np.ndarray] = []
        self.steps = settings.epochs * -(-len(photos.train) // settings.batch_size)

    def begin(self, found: Checkpoint | None) -> None:
        """Go to where a checkpoint was written or, without one, evaluate the start."""
        if found is not None:
            self.best = found.arrays.pop("best")
            self.model.restore(found.arrays)
            self.standing = found.standing
            log.info(
                f"Resuming fine-tuning in epoch {self.standing.epoch}, "
                f"after {counted(self.standing.done, 'photo')} of it"
            )
        else:
            with self.source.faults():
                said = self._judge(0)
            log.info(f"Fine-tuning starts with the head: {said}")

    @property
    def over(self) -> bool:
        """Whether training has ended."""
        patience = self.settings.patience if len(self.photos.validation) else 0
        return self.standing.over(self.settings.epochs, patience)

    def run(self) -> Iterator[Checkpoint]:
        """Train to the end; yield what to keep on disk, now and then and after each epoch."""
        count, standing = len(self.photos.train), self.standing
        left = (self.settings.epochs - standing.epoch + 1) * count - standing.done
        written = time.monotonic()
        with progress("Fine-tuning", left, "photos") as meter:
            while not self.over:
                for _ in self._epoch(meter):
                    if time.monotonic() - written >= CHECKPOINT_SECONDS:
                        yield self._checkpoint()
                        written = time.monotonic()
                self._end_epoch()
                yield self._checkpoint()
                written = time.monotonic()

    def _epoch(self, meter: Meter) -> Iterator[None]:
        """Take the steps that are left of an epoch; yield after each."""
        standing, settings = self.standing, self.settings
        rows = self.source.order(standing.epoch)[standing.done :]
        data = self.source.training(rows, standing.epoch, settings.batch_size)
        batches = self.model.batches(data)
        while standing.done < len(self.photos.train):
            rate = self._rate(standing.step)
            standing.step += 1
            standing.loss += self.model.step(batches, rate, standing.step)
            done = min(settings.batch_size, len(self.photos.train) - standing.done)
            standing.done += done
            meter.advance(done)
            yield

    def _end_epoch(self) -> None:
        standing = self.standing
        loss, epoch = standing.loss / len(self.photos.train), standing.epoch
        said = self._judge(epoch)
        rate = self._rate(standing.step - 1)
        log.info(
            f"Epoch {epoch} of {self.settings.epochs}: loss {loss:.4f}, {said}, "
            f"learning rate {rate:.1e}"
        )
        standing.epoch, standing.done, standing.loss = epoch + 1, 0, 0.0

    def _rate(self, step: int) -> float:
        """Return the learning rate of `step`, from 0."""
        rise = round(self.settings.warm_up * self.steps)
        if step < rise:
            return self.highest * (step + 1) / rise
        return learning_rate("cosine", self.highest, step - rise, steps=self.steps - rise)

    def _judge(self, epoch: int) -> str:
        """Evaluate the average weights, keep them if they are the best, and return what to log."""
        averages, now = self.model.averages(), self.model.values()
        rows, standing = self.judges.rows, self.standing
        self.model.assign(self.model.variables, averages)
        data = self.source.plain(rows, self.settings.batch_size)
        logits = self.model.logits(data)
        self.model.assign(self.model.variables, now)
        truth = self.photos.labels[rows]
        loss = log_loss(logits, truth, self.class_weights)
        if standing.judge(epoch, loss):
            self.best = averages
        right = accuracy(logits, truth)
        return f"{self.judges.name} accuracy {100 * right:.1f}% (N={len(rows)}), loss {loss:.4f}"

    def say_kept(self) -> None:
        """Log which epoch's weights became the result, and why."""
        kept = self.standing.kept(self.judges.name)
        if kept is not None:  # an older version's checkpoint has no best weights
            log.info(kept.sentence("epoch", self.standing.epoch - 1))

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.standing, {**self.model.state(), "best": self.best})
