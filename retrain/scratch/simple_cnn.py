"""The small VGG-like network of the tutorials, trained from scratch on pixels with Keras."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.tensorflow import (
    deterministic_operations,
    import_keras,
    import_tensorflow,
)
from retrain.errors import RetrainError, UsageFault
from retrain.freezing.wanted import InputWanted
from retrain.heads.head import Head
from retrain.heads.sgd import BatchResult, StepResult
from retrain.progress import Talk

NAME = "simple_cnn"
LEAST_SIZE = 16  # a pixel is left of it after four convolutions and two poolings
FEATURES = 256
DECAY, MOMENTUM = 1e-6, 0.9
SCORED = 100  # training photos that are looked at after an epoch
LINES = 20  # about as many lines are said of a training


@dataclass(frozen=True)
class CnnSettings:
    """The tutorials' values. `grayscale`: the network sees brightness only."""

    grayscale: bool = False
    epochs: int = 200
    batch_size: int = 32
    learning_rate: float = 0.01
    seed: int = 0


def check_size(height: int, width: int) -> None:
    """Raises UsageFault for pictures that are too small for the network."""
    if min(height, width) < LEAST_SIZE:
        raise UsageFault(
            f"--input_size {height}x{width} is too small for {NAME}: "
            f"give {LEAST_SIZE}x{LEAST_SIZE} or more"
        )


def train_simple_cnn(
    pixels: np.ndarray,
    labels: np.ndarray,
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
    classes: int,
    settings: CnnSettings,
    folder: Path,
    talk: Talk,
    on_epoch: Callable[[StepResult], None],
) -> tuple[Backbone, Head]:
    """Trains on `train_rows` of pixels (N, H, W, 3) uint8 with labels (N,) int32.

    Two blocks, of 32 and of 64 filters, each of two 3x3 convolutions (ReLU, no padding), 2x2 max
    pooling and dropout 0.25; then 256 ReLU units, dropout 0.5, softmax: the "VGG-like convnet" of
    Keras' guide to its Sequential model. Its stochastic gradient descent with Nesterov's momentum
    goes through all photos, shuffled, in each epoch.

    The network up to its 256 units is frozen into the existing `folder`, the rest is the head.
    `on_epoch` is called after each epoch (a step is an epoch, counted from 1) with up to SCORED
    of its training photos and all validation photos, if any. The same arguments give the same bits
    on the same machine. Raises RetrainError when the loss is no longer a number.
    """
    height, width = pixels.shape[1:3]
    check_size(height, width)
    with deterministic_operations():
        seeds = np.random.SeedSequence(settings.seed).spawn(2)
        start, shuffle = (np.random.default_rng(seed) for seed in seeds)
        model = _model((height, width, 1 if settings.grayscale else 3), classes, settings, start)
        seen = _Pictures(pixels, settings)
        total = settings.epochs * len(train_rows)
        with talk.progress(f"Training {NAME}", total, "photos") as meter:
            for epoch in range(1, settings.epochs + 1):
                order = shuffle.permutation(train_rows)
                for rows in _batches(order, settings.batch_size):
                    model.train_on_batch(seen.take(rows), labels[rows])
                    meter.advance(len(rows))
                result = StepResult(
                    epoch,
                    Head(*model.layers[-1].get_weights()),
                    _score(model, seen, labels, order[:SCORED], settings.batch_size),
                    _score(model, seen, labels, validation_rows, settings.batch_size)
                    if len(validation_rows)
                    else None,
                )
                if not np.isfinite(result.train.cross_entropy):
                    raise RetrainError(
                        f"training diverged in epoch {epoch} with --learning_rate "
                        f"{settings.learning_rate:g}: give a smaller one"
                    )
                on_epoch(result)
                if epoch % math.ceil(settings.epochs / LINES) == 0 or epoch == settings.epochs:
                    _say(result, settings.epochs, talk)
    return _frozen(model, folder), Head(*model.layers[-1].get_weights())


class _Pictures:
    """Pixels as the network takes them."""

    def __init__(self, pixels: np.ndarray, settings: CnnSettings) -> None:
        self.pixels, self.grayscale = pixels, settings.grayscale

    def take(self, rows: np.ndarray) -> Any:
        """(n, H, W, 3 or 1) float32 in [0, 1]; grey is made as the frozen graph makes it."""
        values = self.pixels[rows] / np.float32(255)
        if not self.grayscale:
            return values
        return import_tensorflow().image.rgb_to_grayscale(values)


def _batches(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def _model(
    shape: tuple[int, int, int], classes: int, settings: CnnSettings, rng: np.random.Generator
) -> Any:
    """Pictures to logits. All chance comes from `rng`."""
    keras = import_keras()
    layers = keras.layers

    def seed() -> int:
        return int(rng.integers(2**31))

    def initial() -> Any:
        return keras.initializers.GlorotUniform(seed())

    # Names of their own, because Keras' go on counting, and the same run gives the same graph.
    stack = [keras.Input(shape, name="images")]
    for block, filters in (("block1", 32), ("block2", 64)):
        for name in ("conv1", "conv2"):
            stack.append(
                layers.Conv2D(
                    filters,
                    3,
                    activation="relu",
                    kernel_initializer=initial(),
                    name=f"{block}_{name}",
                )
            )
        stack.append(layers.MaxPooling2D(name=f"{block}_pool"))
        stack.append(layers.Dropout(0.25, seed=seed(), name=f"{block}_dropout"))
    stack += [
        layers.Flatten(name="flatten"),
        layers.Dense(FEATURES, "relu", kernel_initializer=initial(), name="features"),
        layers.Dropout(0.5, seed=seed(), name="dropout"),
        layers.Dense(classes, kernel_initializer=initial(), name="logits"),
    ]
    model = keras.Sequential(stack, name=NAME)
    schedules = keras.optimizers.schedules
    model.compile(
        optimizer=keras.optimizers.SGD(
            schedules.InverseTimeDecay(settings.learning_rate, decay_steps=1, decay_rate=DECAY),
            momentum=MOMENTUM,
            nesterov=True,
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def _score(
    model: Any, seen: _Pictures, labels: np.ndarray, rows: np.ndarray, size: int
) -> BatchResult:
    logits = [model.predict_on_batch(seen.take(some)) for some in _batches(rows, size)]
    return BatchResult.of(np.concatenate(logits), labels[rows])


def _say(result: StepResult, epochs: int, talk: Talk) -> None:
    checked = result.validation
    talk.info(
        f"Epoch {result.step} of {epochs}: train accuracy {result.train.accuracy:.1%}, "
        f"cross entropy {result.train.cross_entropy:.4f}"
        + (f", validation accuracy {checked.accuracy:.1%} (N={checked.count})" if checked else "")
    )


def _frozen(model: Any, folder: Path) -> Backbone:
    """All but the last layer."""
    from retrain.freezing.freeze import freeze
    from retrain.freezing.keras_file import network_of_model

    keras = import_keras()
    below = keras.Model(model.inputs, model.get_layer("features").output, name=NAME)
    digest = hashlib.blake2b(str(model.input_shape).encode(), digest_size=16)
    for values in below.get_weights():
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    network = network_of_model(below, folder, "network trained from scratch")
    return freeze(network, folder, NAME, digest.hexdigest(), InputWanted(), folder)
