"""A hidden layer between the module and the classes."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY

from retrain.artifacts.graphdef import find_node, read_graph
from retrain.artifacts.manifest import Manifest
from retrain.backbones.backbone import FEATURE_NODE, Backbone
from retrain.backbones.bundled import bundled_backbone
from retrain.backbones.engines.engine import choose_engine
from retrain.backbones.engines.tensorflow import TensorFlowEngine
from retrain.backbones.hidden_layer import HiddenLayer, with_hidden_layer, write_extended
from retrain.data.decoding.decode import Recipe
from retrain.errors import RetrainError
from retrain.export.frozen_graph import graph_bytes
from retrain.features.matrix import FeatureMatrix
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph
from retrain.training.head import Head, accuracy, cross_entropy
from retrain.training.hidden_layer import (
    HiddenHead,
    HiddenSettings,
    hidden_features,
    train_hidden,
)
from retrain.training.sgd import StepResult
from retrain.utils.numerics import softmax

pytestmark = pytest.mark.slow

FAST = HiddenSettings(
    steps=150,
    learning_rate=0.01,
    train_batch_size=32,
    validation_batch_size=-1,
    eval_step_interval=50,
    sampling="uniform",
    seed=3,
    units=16,
    dropout=0.2,
)


def rings() -> tuple[np.ndarray, np.ndarray]:
    """Two classes, one around the other, that no linear head tells apart."""
    rng = np.random.default_rng(5)
    labels = rng.permutation(np.repeat([0, 1], 200)).astype(np.int32)
    angle, radius = rng.uniform(0, 2 * np.pi, 400), np.where(labels, 2.0, 0.7)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return (points + rng.normal(0, 0.1, points.shape)).astype(np.float32), labels


@cache
def train(settings: HiddenSettings, validated: int = 100) -> tuple[HiddenHead, list[StepResult]]:
    """Trains on the first 300 points of the rings, and validates on so many others."""
    features, labels = rings()
    seen: list[StepResult] = []
    head = train_hidden(
        FeatureMatrix.of(features),
        labels,
        np.arange(300),
        validation_rows=np.arange(300, 300 + validated),
        classes=2,
        settings=settings,
        on_step=lambda step, head: None,
        on_evaluation=seen.append,
    )
    return head, seen


def random_layer(width: int, units: int = 12) -> HiddenLayer:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.2, (width, units)).astype(np.float32)
    return HiddenLayer(weights, rng.normal(0, 0.2, units).astype(np.float32))


def test_it_learns_what_no_linear_head_can() -> None:
    found, seen = train(FAST)
    features, labels = rings()
    assert accuracy(softmax(found.logits(features[300:])), labels[300:]) > 0.97
    assert [result.step for result in seen] == [0, 50, 100, 149]
    last = seen[-1].validation
    assert last is not None and last.count == 100 and last.logits.shape == (100, 2)
    assert last.accuracy == accuracy(softmax(found.logits(features[300:])), labels[300:])


def test_the_same_seed_gives_the_same_bits() -> None:
    first, again, other = (
        train(FAST)[0],
        train.__wrapped__(FAST)[0],
        train(replace(FAST, seed=4))[0],
    )
    for a, b in ((first.layer, again.layer), (first.head, again.head)):
        np.testing.assert_array_equal(a.weights, b.weights)
        np.testing.assert_array_equal(a.biases, b.biases)
    assert (first.layer.weights != other.layer.weights).any()


def test_looking_at_fewer_photos_does_not_change_the_head() -> None:
    """All validation photos decide which step is kept, however many are looked at on the way."""
    few, _ = train(replace(FAST, validation_batch_size=10))
    many, _ = train(FAST)
    np.testing.assert_array_equal(few.layer.weights, many.layer.weights)


def test_dropout_is_for_training_only() -> None:
    with_dropout, _ = train(replace(FAST, dropout=0.5))
    without, _ = train(replace(FAST, dropout=0.0))
    assert (with_dropout.layer.weights != without.layer.weights).any()
    features, _ = rings()
    np.testing.assert_array_equal(with_dropout.logits(features), with_dropout.logits(features))
    layer = with_dropout.layer
    by_hand = np.maximum(features @ layer.weights + layer.biases, 0)
    np.testing.assert_allclose(
        with_dropout.logits(features),
        by_hand @ with_dropout.head.weights + with_dropout.head.biases,
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_penalty_shrinks_both_layers() -> None:
    (free, _), (bound, _) = (train(replace(FAST, l2=l2)) for l2 in (0.0, 0.1))
    for loose, tight in ((free.layer, bound.layer), (free.head, bound.head)):
        assert np.abs(tight.weights).sum() < 0.7 * np.abs(loose.weights).sum()


def test_smoothed_labels_make_it_less_sure() -> None:
    features, _ = rings()
    (sure, _), (smoothed, _) = (train(replace(FAST, label_smoothing=s)) for s in (0.0, 0.4))
    surety = [softmax(head.logits(features)).max(axis=1).mean() for head in (sure, smoothed)]
    assert surety[0] > 0.9 and surety[1] == pytest.approx(0.8, abs=0.05)  # 1 - s + s / classes


def test_a_cosine_ends_at_rest() -> None:
    """The last tenth of the steps moves the weights less than the tenth before the middle."""

    def moved(schedule: str) -> float:
        found: list[np.ndarray] = []
        train_hidden(
            FeatureMatrix.of(rings()[0]),
            rings()[1],
            np.arange(300),
            validation_rows=np.arange(0),
            classes=2,
            settings=replace(FAST, schedule=schedule),
            on_step=lambda step, head: found.append(head.head.weights),
            on_evaluation=lambda result: None,
        )
        return float(np.abs(found[-1] - found[-15]).sum() / np.abs(found[75] - found[61]).sum())

    assert moved("cosine") < 0.1 < moved("constant")


def test_class_weights_do_what_more_photos_do() -> None:
    """Of one class a fifth: with weights its photos are found as often as the other's."""
    features, labels = rings()
    noisy = features + np.random.default_rng(1).normal(0, 0.8, features.shape).astype(np.float32)
    rows = np.arange(300)
    few = np.concatenate([rows[labels[:300] == 0], rows[labels[:300] == 1][:30]])
    recall = {}
    for rule in ("none", "balanced"):
        head = train_hidden(
            FeatureMatrix.of(noisy),
            labels,
            few,
            validation_rows=np.arange(0),
            classes=2,
            settings=replace(FAST, class_weight=rule),
            on_step=lambda step, head: None,
            on_evaluation=lambda result: None,
        )
        found = head.logits(noisy[300:]).argmax(axis=1)
        recall[rule] = [float((found == c)[labels[300:] == c].mean()) for c in (0, 1)]
    assert recall["balanced"][1] > recall["none"][1] + 0.1
    assert abs(np.diff(recall["balanced"])[0]) < abs(np.diff(recall["none"])[0])


def test_early_stopping_keeps_the_best_of_both_layers() -> None:
    """A rate so large that the loss jumps about."""
    found, seen = train(
        replace(FAST, learning_rate=0.5, patience=5, eval_step_interval=10, steps=2000)
    )
    losses = [one.validation.cross_entropy for one in seen if one.validation is not None]
    best = int(np.argmin(losses))
    assert len(seen) == best + 1 + 5 < 201
    assert seen[-1].best.number == seen[best].step
    features, labels = rings()
    probabilities = softmax(found.logits(features[300:]))
    assert cross_entropy(probabilities, labels[300:]) == pytest.approx(losses[best], rel=1e-6)


def test_no_validation_photos_and_no_steps() -> None:
    _, seen = train(replace(FAST, steps=3), validated=0)
    assert [result.validation for result in seen] == [None, None]
    untrained, seen = train(replace(FAST, steps=0))
    assert seen == [] and untrained.layer.weights.shape == (2, 16)
    assert untrained.head.weights.shape == (16, 2)


def test_a_diverging_training_is_said_in_one_line() -> None:
    with pytest.raises(RetrainError, match="diverged at step .* --learning_rate 1e[+]30"):
        train(replace(FAST, learning_rate=1e30))


def test_hidden_features_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _ = rings()
    layer = random_layer(2)
    monkeypatch.setattr("retrain.training.hidden_layer.BLOCK", 64)
    found = hidden_features(FeatureMatrix.of(features), layer)
    assert found.shape == (400, 12)
    np.testing.assert_allclose(
        found.take(np.arange(400)), layer.outputs(features), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_the_extended_graph_gives_the_layers_outputs(engine: str, tmp_path: Path) -> None:
    tiny = bundled_backbone(TINY)
    layer = random_layer(tiny.info.feature_width)
    extended = write_extended(tiny, layer, tmp_path)
    assert extended.info.feature_width == 12 and not extended.info.has_logits
    assert extended.info.fingerprint != tiny.info.fingerprint
    pixels, features = tiny.read_reference()
    expected = np.maximum(features @ layer.weights + layer.biases, 0)
    assert (expected == 0).any() and (expected > 0).any()
    runner = choose_engine(engine, extended, "f32")
    found = np.stack([vector for _, vector in runner.run(enumerate(pixels))])
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_the_old_graph_is_left_as_it_was() -> None:
    graph = read_graph(bundled_backbone(TINY).graph_path)
    before = graph.SerializeToString(deterministic=True)
    extended = with_hidden_layer(graph, random_layer(256))
    assert graph.SerializeToString(deterministic=True) == before
    names = [node.name for node in extended.node]
    assert len(names) == len(set(names))
    last = find_node(extended, FEATURE_NODE)
    assert last is not None and last.op == "Relu"


def test_the_exported_graph_says_what_was_trained(tmp_path: Path) -> None:
    tiny = bundled_backbone(TINY)
    layer = random_layer(tiny.info.feature_width)
    extended = write_extended(tiny, layer, tmp_path)
    rng = np.random.default_rng(2)
    head = HiddenHead(layer, Head(rng.normal(size=(12, 3)).astype("f"), np.zeros(3, "f")))
    found = scores(extended, head.head, tmp_path / "graph.pb", tiny.read_reference()[0])
    expected = softmax(head.logits(tiny.read_reference()[1]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def scores(backbone: Backbone, head: Head, path: Path, pixels: np.ndarray) -> np.ndarray:
    """What label-image's code makes of pixels with the exported graph."""
    info = backbone.info
    labels = ("a", "b", "c")
    recipe = Recipe(info.height, info.width).text
    manifest = Manifest(labels, "Placeholder", info.height, info.width, recipe, "final_result")
    path.write_bytes(graph_bytes(read_graph(backbone.graph_path), head, manifest))
    classifier = open_classifier(path, describe_graph(path))
    return np.stack([found for _, found in classifier.scores(enumerate(pixels))])


def test_an_onnx_backbone_is_extended_the_same_way(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from retrain.backbones.freeze.input_config import InputConfig
    from retrain.backbones.freeze.onnx_file import freeze_onnx

    value_info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [node("GlobalAveragePool", ["x"], ["p"]), node("Flatten", ["p"], ["y"])],
        "mean colour",
        [value_info("x", 1, ["n", 3, 16, 16])],
        [value_info("y", 1, ["n", 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "mean.onnx"))
    for name in ("frozen", "extended"):
        (tmp_path / name).mkdir()
    wanted = InputConfig()
    frozen = freeze_onnx(
        tmp_path / "mean.onnx", "mean", "0" * 32, wanted=wanted, folder=tmp_path / "frozen"
    )
    layer = random_layer(3)
    extended = write_extended(frozen, layer, tmp_path / "extended")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    engine = choose_engine("openvino", extended, "f32")
    found = np.stack([vector for _, vector in engine.run(enumerate(pixels))])
    expected = layer.outputs((pixels / np.float32(255)).mean(axis=(1, 2)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_tensorflow_runs_the_extended_graph_as_a_plain_graph(tmp_path: Path) -> None:
    tiny = bundled_backbone(TINY)
    extended = write_extended(tiny, random_layer(256), tmp_path)
    engine = TensorFlowEngine(extended.graph_path, "hidden_layer/features")
    pixels, features = tiny.read_reference()
    found = np.stack([vector for _, vector in engine.run(enumerate(pixels))])
    np.testing.assert_allclose(found, features, atol=1e-3 * features.max())
