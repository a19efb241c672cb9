"""Settings of fine-tuning: the photos and how to train."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from retrain.data.decoding.augment import Distortion
from retrain.errors import UsageFault

HIGHEST, SMALL = 1e-3, 220_000


@dataclass(frozen=True)
class TuningPhotos:
    """The photos of a fine-tuning.

    Attributes:
        paths: (n,) of all photos.
        keys: (n,) digests of their bytes.
        labels: (n,) their classes.
        train: Rows of these.
        validation: Rows of these; no other photo is opened.
    """

    paths: Sequence[str]
    keys: Sequence[bytes]
    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray

    def digest(self) -> str:
        """Return hex BLAKE2b-128 of the photos of both sets, in their order, with their classes."""
        digest = hashlib.blake2b(digest_size=16)
        for rows in (self.train, self.validation):
            for row in rows.tolist():
                digest.update(self.keys[row] + int(self.labels[row]).to_bytes(4, "little"))
            digest.update(b"|")
        return digest.hexdigest()


@dataclass(frozen=True)
class TuningSettings:
    """How to fine-tune. The head is always trained.

    Attributes:
        last: How many of the module's last layers with weights are trained (see
            `model.trained_of`); None for all.
        epochs: At the most.
        batch_size: Photos of a step.
        learning_rate: The highest (None: usual_rate). It is reached by a straight line in the first
            `warm_up` share of the steps and left by half a cosine to 0 at the end of the last
            epoch.
        warm_up: See `learning_rate`.
        patience: Epochs in a row without a lower validation loss that end the training; 0: never.
        class_weight: A rule of `loss.class_weights`.
        distortion: Of training photos, drawn anew in each epoch; its `copy` and `seed` are not
            used.
        precision: Of multiplications, `f32` or `bf16`; weights are f32 anyway, and on a GPU
            everything is.
        seed: Of all random choices.
        resume: Go on from a checkpoint.
    """

    last: int | None = None
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float | None = None
    warm_up: float = 0.1
    patience: int = 10
    class_weight: str = "none"
    distortion: Distortion = Distortion(
        flip_left_right=True, random_crop=10, random_scale=25, random_brightness=20
    )
    precision: str = "f32"
    seed: int = 0
    resume: bool = False

    def check_numbers(self) -> None:
        """Raise UsageFault for a number that no run can use."""
        for name, least in (("last", 1), ("epochs", 1), ("batch_size", 1), ("patience", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageFault(f"fine-tuning: {name} {value}: give {least} or more")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise UsageFault(f"fine-tuning: learning rate {self.learning_rate:g}: give one above 0")

    def text(self) -> str:
        """Return the canonical form of all that the result depends on."""
        facts = asdict(self)
        del facts["resume"]
        return json.dumps(facts, sort_keys=True)


def usual_rate(parameters: int) -> float:
    """Return the highest learning rate for training so many numbers of a module, if none is given.

    Adam moves each of them by about the rate, however small its gradient, so what a step does to a
    network's answers grows with their count: above SMALL the sum of what they move is kept. The
    constants are measured: mobilenet_v1_025_128, of nearly SMALL, gains from HIGHEST;
    mobilenet_v1_100_224, of fifteen times as many, is destroyed by it, and gains from this.
    """
    return HIGHEST * min(1.0, SMALL / parameters)
