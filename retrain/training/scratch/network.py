"""The small VGG-like network of the tutorials, in Keras, and as a frozen backbone."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.input_config import InputConfig
from retrain.errors import UsageFault
from retrain.utils.tensorflow import import_keras

NAME = "simple_cnn"
LEAST_SIZE = 16  # four convolutions and two poolings leave one pixel
MOST_PIXELS = 512 * 512  # beyond it the weights alone take more than 4 GB
FEATURES = 256


def check_size(height: int, width: int) -> None:
    """Raise UsageFault for pictures that are too small or too large for the network."""
    if min(height, width) < LEAST_SIZE:
        raise UsageFault(
            f"--input_size {height}x{width} is too small for {NAME}: "
            f"give {LEAST_SIZE}x{LEAST_SIZE} or more"
        )
    if height * width > MOST_PIXELS:
        raise UsageFault(
            f"--input_size {height}x{width} is too large for {NAME}: give 512x512 or less"
        )


def new_network(shape: tuple[int, int, int], classes: int, rng: np.random.Generator) -> Any:
    """Return a new Keras model from pictures (n, *shape) to logits (n, classes).

    All chance comes from `rng`. Two blocks, of 32 and of 64 filters, each of two 3x3 convolutions
    (ReLU, no padding), 2x2 max pooling and dropout 0.25; then 256 ReLU units, dropout 0.5 and the
    logits: the "VGG-like convnet" of Keras' guide to its Sequential model.
    """
    keras = import_keras()
    layers = keras.layers

    def seed() -> int:
        return int(rng.integers(2**31))

    def initial() -> Any:
        return keras.initializers.GlorotUniform(seed())

    # Fixed names, so that the same run gives the same graph: Keras' own count on.
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
    return keras.Sequential(stack, name=NAME)


def freeze_network(model: Any, folder: Path) -> Backbone:
    """Freeze all but the last layer into the existing `folder` and return the backbone."""
    from retrain.backbones.freeze.freeze import freeze
    from retrain.backbones.freeze.keras_file import network_of_model

    keras = import_keras()
    below = keras.Model(model.inputs, model.get_layer("features").output, name=NAME)
    digest = hashlib.blake2b(str(model.input_shape).encode(), digest_size=16)
    for values in below.get_weights():
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    network = network_of_model(below, folder, "network trained from scratch")
    return freeze(
        network, folder, NAME, fingerprint=digest.hexdigest(), wanted=InputConfig(), folder=folder
    )
