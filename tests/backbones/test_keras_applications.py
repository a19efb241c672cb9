"""Modules made of Keras Applications: they compute what Keras' networks do, or say what is missing.

Networks have random weights: Keras' own would have to be downloaded.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import SMALL_WIDTH, frozen, scaled, small_network

from retrain.backbones.backbone import reference_pixels
from retrain.backbones.sources.keras_applications import (
    KerasApplication,
    as_hub_module,
    build_keras_application,
    preprocessing_of,
)
from retrain.errors import RetrainError
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow

CAFFE_MEANS = np.array([103.939, 116.779, 123.68])  # blue, green, red
TORCH_MEANS, TORCH_STDS = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
FAMILIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "InceptionV3": lambda x: 2 * x - 1,
    "NASNetMobile": lambda x: 2 * x - 1,
    "MobileNet": lambda x: 2 * x - 1,
    "MobileNetV2": lambda x: 2 * x - 1,
    "ResNet50V2": lambda x: 2 * x - 1,
    "ResNet50": lambda x: 255 * x[..., ::-1] - CAFFE_MEANS,
    "DenseNet121": lambda x: (x - TORCH_MEANS) / TORCH_STDS,
    "EfficientNetB0": lambda x: 255 * x,
    "EfficientNetV2B0": lambda x: 255 * x,
    "ConvNeXtTiny": lambda x: 255 * x,
}


def pictures(size: int) -> np.ndarray:
    """(3, size, size, 3) float32 in [0, 1]."""
    return reference_pixels(size, size) / np.float32(255)


def saved_and_loaded(module: Any, folder: Path) -> Any:
    tf = import_tensorflow()
    tf.saved_model.save(module, str(folder), signatures=module.serving)
    return tf.saved_model.load(str(folder))


@pytest.mark.parametrize("name", FAMILIES)
def test_preprocessing_of_each_family_is_inside(name: str, tmp_path: Path) -> None:
    keras = import_tensorflow().keras
    preprocess = preprocessing_of(getattr(keras.applications, name))
    means = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    loaded = saved_and_loaded(as_hub_module(means, preprocess, 8), tmp_path / "module")
    expected = FAMILIES[name](pictures(8)).mean(axis=(1, 2))
    np.testing.assert_allclose(loaded(pictures(8)), expected, rtol=1e-4, atol=1e-4)


def test_module_computes_what_the_network_does_and_freezes(tmp_path: Path) -> None:
    model = small_network(32, 32)
    images = pictures(32)
    expected = np.asarray(model(scaled(255 * images)))

    loaded = saved_and_loaded(as_hub_module(model, scaled, 32), tmp_path / "module")
    np.testing.assert_allclose(loaded(images), expected, rtol=1e-4, atol=1e-5)
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    assert len(loaded.variables) == len(model.variables)

    backbone = frozen(tmp_path / "module", tmp_path / "frozen")
    info = backbone.info
    assert (info.height, info.width, info.feature_width) == (32, 32, SMALL_WIDTH)
    np.testing.assert_allclose(backbone.read_reference()[1], expected, rtol=1e-4, atol=1e-5)


def test_module_can_be_trained(tmp_path: Path) -> None:
    tf = import_tensorflow()
    keras = tf.keras
    layers = [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), *layers, keras.layers.GlobalAveragePooling2D()]
    )
    loaded = saved_and_loaded(as_hub_module(model, lambda x: x / 255.0, 8), tmp_path / "module")
    before = np.asarray(loaded(pictures(8)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(loaded(pictures(8), training=True) ** 2)
    gradients = tape.gradient(loss, loaded.trainable_variables)
    assert len(gradients) == 4 and all(gradient is not None for gradient in gradients)
    assert not np.allclose(loaded(pictures(8)), before)  # moving averages have moved


# Keras writes files in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_missing_weights_are_named_and_can_be_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.backend import config

    home, module = tmp_path / "keras", tmp_path / "module"
    home.mkdir()
    module.mkdir()
    nowhere = "http://127.0.0.1:9"  # a proxy that refuses: no network
    monkeypatch.setenv("https_proxy", nowhere)
    monkeypatch.setenv("no_proxy", "")
    keras = import_tensorflow().keras
    monkeypatch.setattr(config, "_KERAS_DIR", str(home))  # read from KERAS_HOME when imported
    tiny = KerasApplication("MobileNet", 0.25)

    def fault() -> str:
        with pytest.raises(RetrainError) as caught:
            build_keras_application(tiny, 128, module)
        return str(caught.value)

    missing = fault()
    place = Path(missing.split("put that file at ")[1])
    place.write_bytes(b"<html>not found</html>")
    damaged = fault()
    network = keras.applications.MobileNet(
        input_shape=(128, 128, 3), alpha=0.25, include_top=False, weights=None
    )
    network.save(place)
    build_keras_application(tiny, 128, module)
    name = "mobilenet_2_5_128_tf_no_top.h5"
    assert "could not fetch the weights of MobileNet from https://storage.goo" in missing
    assert f"/{name} (" in missing and missing.endswith(f"put that file at {home}/models/{name}")
    assert f"{home}/models/{name} are damaged" in damaged
    loaded = import_tensorflow().saved_model.load(str(module))
    assert np.asarray(loaded(pictures(128))).shape == (3, 256)
