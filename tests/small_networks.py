"""A network of a few layers: what depends on the kind of a module and not on its depth is tested
with it, for each layer of a real one takes TensorFlow a tenth of a second each time."""

from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.freeze.freeze import freeze
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.freeze.saved_model import read_saved_model
from retrain.backbones.sources.keras_applications import as_hub_module
from retrain.utils.tensorflow import import_tensorflow

SIDE, SMALL_WIDTH = 32, 16  # of the module's pictures, and how many features


def small_network(height: int | None, width: int | None) -> Any:
    """What MobileNets and Inceptions are made of, once each. Batch statistics as after training."""
    tf = import_tensorflow()
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(1)
    images = tf.keras.Input((height, width, 3))
    values = _block(tf, _block(tf, images, 8, kernel=3), 8, kernel=3, depthwise=True)
    narrow = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(values))
    values = layers.Add()([values, narrow])
    pooled = layers.AveragePooling2D(3, 1, "same")(values)  # padding is not counted
    values = layers.Concatenate()([_block(tf, values, 12), _block(tf, pooled, 4)])
    values = _block(tf, _block(tf, values, 16, kernel=3, depthwise=True), SMALL_WIDTH)
    features = layers.GlobalAveragePooling2D()(values)
    network = tf.keras.Model(images, features, name="mobilenet_small")  # which tells its range
    rng = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            *scales, mean, variance = (weight.shape for weight in layer.get_weights())
            alive = [rng.uniform(0.5, 1.5, size) for size in (*scales, variance)]
            layer.set_weights([*alive[:-1], rng.uniform(-0.2, 0.2, mean), alive[-1]])
    return network


def _block(tf: Any, values: Any, width: int, kernel: int = 1, depthwise: bool = False) -> Any:
    """A convolution, its batch normalisation without or with a scale, and ReLU6."""
    layers = tf.keras.layers
    convolution = (
        layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)
        if depthwise
        else layers.Conv2D(width, kernel, 2 if kernel > 1 else 1, "same", use_bias=False)
    )
    return layers.ReLU(6)(layers.BatchNormalization(scale=depthwise)(convolution(values)))


def scaled(values: Any) -> Any:
    """Values from 0 to 255 as the network takes them."""
    return values / 127.5 - 1.0


def write_small_module(folder: Path) -> None:
    """The network as a TF2 SavedModel that can be trained, with TF Hub's interface."""
    tf = import_tensorflow()
    module = as_hub_module(small_network(SIDE, SIDE), scaled, SIDE)
    tf.saved_model.save(module, str(folder), signatures=module.serving)


def frozen(module: Path, folder: Path) -> Backbone:
    """The module's backbone."""
    folder.mkdir()
    return freeze(
        read_saved_model(module),
        module,
        "small",
        fingerprint="f1ngerpr1nt",
        wanted=InputConfig(),
        folder=folder,
    )
