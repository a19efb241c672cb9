"""The bundled modules: the SavedModels, their frozen graphs, and where both come from."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY

from retrain.artifacts.graphdef import read_graph
from retrain.backbones.bundled import (
    BUNDLED,
    BUNDLED_FOLDER,
    DEFAULT_MODULE,
    IMAGENET_LABELS,
    bundled_backbone,
)
from retrain.backbones.sources.cache import fingerprint_of
from retrain.data.decoding.decode import Recipe, decode
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow

SOURCES = {
    "mobilenet_v1_100_224": "mobilenet_v1_1.0_224_frozen.pb",
    "mobilenet_v1_025_128": "mobilenet_v1_0.25_128_frozen.pb",
}


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


@pytest.fixture(scope="module", params=BUNDLED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def module(name: str, tf: Any) -> Any:
    import tensorflow_hub as hub

    return hub.load(str(BUNDLED_FOLDER / name))


def daisies(name: str, count: int) -> np.ndarray:
    """Real photos as float32 [n, H, W, 3] in [0, 1]."""
    info = bundled_backbone(name).info
    recipe = Recipe(info.height, info.width)
    photos = sorted((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))[:count]
    return np.stack([decode(p.read_bytes(), recipe) for p in photos]) / np.float32(255)


def run_graph(tf: Any, path: Path, source: str, images: np.ndarray, outputs: list[str]) -> Any:
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tensors = tf.graph_util.import_graph_def(
            graph, return_elements=[f"{node}:0" for node in (source, *outputs)]
        )
        return session.run(tensors[1:], {tensors[0]: images})


def test_features_and_logits_equal_the_source_graph(
    name: str, module: Any, tf: Any, shared: Path
) -> None:
    source = shared / "weights" / SOURCES[name]
    images = daisies(name, 4)
    names = ["MobilenetV1/Logits/AvgPool_1a/AvgPool", "MobilenetV1/Predictions/Reshape"]
    by_one = [run_graph(tf, source, "input", 2 * i[None] - 1, names) for i in images]
    pooled = np.concatenate([found[0].reshape(1, -1) for found in by_one])
    logits = np.concatenate([found[1].reshape(1, -1) for found in by_one])

    np.testing.assert_allclose(module(images), pooled, atol=1e-4)
    served = module.signatures["serving_default"](inputs=tf.constant(images))
    np.testing.assert_allclose(served["feature_vector"], pooled, atol=1e-4)
    classified = module.signatures["image_classification"](inputs=tf.constant(images))
    np.testing.assert_allclose(classified["logits"], logits, atol=1e-4)

    frozen = bundled_backbone(name).graph_path
    found = run_graph(tf, frozen, "Placeholder", images, ["feature_vector", "logits"])
    np.testing.assert_allclose(found[0], pooled, atol=1e-4)
    np.testing.assert_allclose(found[1], logits, atol=1e-4)


def test_imagenet_names_daisies(name: str, module: Any, tf: Any) -> None:
    labels = [line.split(":", 1)[1] for line in IMAGENET_LABELS.read_text().splitlines()]
    assert len(labels) == 1001
    images = tf.constant(daisies(name, 10))
    logits = module.signatures["image_classification"](inputs=images)["logits"]
    named = [labels[best] for best in np.argmax(logits, axis=1)]
    # The tiny network names fewer than half of ImageNet right; these photos are easy ones.
    assert named.count("daisy") >= (9 if name == DEFAULT_MODULE else 6), named


def test_interface_is_the_hubs(name: str, module: Any, tf: Any) -> None:
    info = bundled_backbone(name).info
    assert len(module.variables) == 27 * 5
    assert len(module.trainable_variables) == 27 * 3
    assert list(module.regularization_losses) == []
    outputs = module(tf.zeros([2, info.height, info.width, 3]), training=False)
    assert outputs.shape == (2, info.feature_width)


def test_module_can_be_trained(tf: Any) -> None:
    import tensorflow_hub as hub

    module = hub.load(str(BUNDLED_FOLDER / TINY))
    images = tf.constant(daisies(TINY, 4))
    variables = list(module.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(images, training=True) ** 2)
    gradients = tape.gradient(loss, variables)
    assert all(gradient is not None for gradient in gradients)
    assert any(float(tf.norm(gradient)) > 0 for gradient in gradients)

    means = [v for v in module.variables if "moving_mean" in v.name]
    before = [v.numpy() for v in means]
    module(images, training=True)
    assert any((v.numpy() != old).any() for v, old in zip(means, before, strict=True))
    after = [v.numpy() for v in means]
    module(images, trainable=False, training=True)
    module(images, training=False)
    assert all((v.numpy() == old).all() for v, old in zip(means, after, strict=True))


def test_recorded_fingerprint_is_that_of_the_files(name: str) -> None:
    assert bundled_backbone(name).info.fingerprint == fingerprint_of(BUNDLED_FOLDER / name)


def test_frozen_graph_is_folded(name: str) -> None:
    """Constants only, one convolution for each layer, and what is left of the normalisation is an
    addition."""
    ops = Counter(node.op for node in read_graph(bundled_backbone(name).graph_path).node)
    assert not [op for op in ops if "Variable" in op or "Call" in op]
    assert (ops["Conv2D"], ops["DepthwiseConv2dNative"], ops["Relu6"]) == (14, 13, 27)
    assert not ops["Rsqrt"] and not ops["FusedBatchNormV3"]
    assert ops["Mul"] == 1  # of the pixels


@pytest.mark.parametrize("name", BUNDLED)
def test_example_labels_file_is_complete(name: str) -> None:
    readme = (BUNDLED_FOLDER / "README.md").read_text()
    assert name in readme and "Apache License 2.0" in readme
