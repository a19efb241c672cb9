"""Exported graphs: what other programs rely on."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS, TINY, Run
from PIL import Image

from retrain.artifacts.graphdef import find_node, read_graph
from retrain.artifacts.manifest import NODE, find_manifest
from retrain.backbones.bundled import bundled_backbone
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.export.frozen_graph import build_graph
from retrain.export.parity import compare, graph_scores
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph
from retrain.training.head import Head
from retrain.utils.tensorflow import import_tensorflow

FAST = ("--tfhub_module", TINY, "--how_many_training_steps", 40, "--no-report")


@pytest.fixture(scope="module")
def tf() -> Any:
    return import_tensorflow()


def old_label_image(tf: Any, graph_file: Path, labels_file: Path, photo: Path) -> dict[str, float]:
    """What TensorFlow's own label_image did with such graphs; it knows two names and the size."""
    graph = tf.compat.v1.GraphDef.FromString(graph_file.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        source, result = tf.graph_util.import_graph_def(
            graph, return_elements=["Placeholder:0", "final_result:0"]
        )
        pixels = tf.image.decode_png(photo.read_bytes(), channels=3)
        batch = tf.expand_dims(tf.cast(pixels, tf.float32), 0)
        resized = tf.compat.v1.image.resize_bilinear(batch, source.shape[1:3])
        image = session.run((resized - 0) / 255)
        scores = session.run(result, {source: image})[0]
    labels = labels_file.read_text().splitlines()
    return dict(zip(labels, scores.tolist(), strict=True))


def test_a_plain_tensorflow_program_gets_the_same_scores(
    trained: Path, run: Run, tf: Any, tmp_path: Path
) -> None:
    for number, source in enumerate(sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::35]):
        # At the input's own size neither program resizes, so both see the same pixels.
        photo = tmp_path / f"{number}.png"
        Image.open(source).convert("RGB").resize((128, 128)).save(photo)
        expected = old_label_image(
            tf, trained / "output_graph.pb", trained / "output_labels.txt", photo
        )
        done = run("label-image", "--graph", trained / "output_graph.pb", photo)
        found = dict(line[:-1].split(" (score=") for line in done.stdout.splitlines())
        assert found.keys() == expected.keys()
        for label, score in found.items():
            assert float(score) == pytest.approx(expected[label], abs=1e-4)


def test_names_are_those_of_retrain_py(trained: Path) -> None:
    graph = read_graph(trained / "output_graph.pb")
    ops = {node.name: node.op for node in graph.node}
    assert ops["Placeholder"] == "Placeholder"
    assert ops["input/BottleneckInputPlaceholder"] == "PlaceholderWithDefault"
    assert ops["final_retrain_ops/weights/final_weights"] == "Const"
    assert ops["final_retrain_ops/biases/final_biases"] == "Const"
    assert ops["final_retrain_ops/Wx_plus_b/MatMul"] == "MatMul"
    assert ops["final_retrain_ops/Wx_plus_b/add"] == "AddV2"
    assert ops["final_result"] == "Softmax"


def test_features_can_be_fed(trained: Path, tf: Any) -> None:
    graph = tf.compat.v1.GraphDef.FromString((trained / "output_graph.pb").read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        names = ["input/BottleneckInputPlaceholder:0", "final_result:0"]
        features, result = tf.graph_util.import_graph_def(graph, return_elements=names)
        scores = session.run(result, {features: np.zeros((7, 256), np.float32)})
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)


def test_manifest_says_what_it_was_made_of(trained: Path) -> None:
    manifest = find_manifest(read_graph(trained / "output_graph.pb"))
    assert manifest is not None
    assert manifest.labels == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert (manifest.height, manifest.width) == (128, 128)
    assert Recipe.parse(manifest.recipe) == Recipe(128, 128)
    assert manifest.backbone["fingerprint"] == bundled_backbone(TINY).info.fingerprint
    assert manifest.training["seed"] == 0 and manifest.training["precision"] == "f32"
    assert manifest.data["train"] + manifest.data["validation"] + manifest.data["test"] == 175
    assert 0 < manifest.metrics["test_accuracy"] <= 1
    assert {"retrain", "python", "numpy", "openvino", "pillow"} == manifest.versions.keys()


def test_a_later_manifest_is_refused(trained: Path, tmp_path: Path) -> None:
    graph = read_graph(trained / "output_graph.pb")
    node = find_node(graph, NODE)
    assert node is not None
    text = json.loads(node.attr["value"].tensor.string_val[0])
    node.attr["value"].tensor.string_val[0] = json.dumps({**text, "format": 2}).encode()
    (tmp_path / "later.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(RetrainError, match="format 2, this version reads 1: install"):
        describe_graph(tmp_path / "later.pb")


def test_final_tensor_name(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--final_tensor_name", "softmax/out")
    assert done.returncode == 0, done.stderr
    graph = tmp_path / "work/output_graph.pb"
    assert find_node(read_graph(graph), "softmax/out") is not None
    labelled = run("label-image", "--graph", graph, colour_tree / "red/000.png")
    assert labelled.stdout.startswith("red (score=")


def test_intermediate_graphs(colour_tree: Path, run: Run, tmp_path: Path) -> None:
    done = run(
        "retrain",
        "--image_dir",
        colour_tree,
        *FAST,
        "--checkpoint_path",
        "kept/head",
        "--intermediate_store_frequency",
        15,
        "--intermediate_output_graphs_dir",
        "steps",
    )
    assert done.returncode == 0, done.stderr
    work = tmp_path / "work"
    assert sorted(p.name for p in (work / "steps").iterdir()) == [
        "intermediate_15.pb", "intermediate_30.pb",
    ]  # fmt: skip
    for graph in ("steps/intermediate_15.pb", "steps/intermediate_30.pb", "output_graph.pb"):
        labelled = run("label-image", "--graph", work / graph, colour_tree / "red/000.png")
        assert labelled.stdout.startswith("red (score=")
    with np.load(work / "kept/head.npz") as head:
        assert head["weights"].shape == (256, 3) and int(head["step"]) == 40


def test_legacy_labels(tmp_path: Path, run: Run, colour_tree: Path) -> None:
    shutil.move(colour_tree / "red", colour_tree / "Émile_Red")
    done = run("retrain", "--image_dir", colour_tree, *FAST, "--legacy_labels")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work/output_labels.txt").read_text() == "blue\ngreen\n mile red\n"


def test_parity_notices_another_head(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wrong = Head(rng.normal(size=(256, 5)).astype(np.float32), np.zeros(5, np.float32))
    backbone = read_graph(bundled_backbone(TINY).graph_path)
    graph = build_graph(backbone, wrong, "final_result")
    manifest = find_node(read_graph(trained / "output_graph.pb"), NODE)
    graph.node.add().CopyFrom(manifest)
    (tmp_path / "wrong.pb").write_bytes(graph.SerializeToString())
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::20]
    pixels = [decode(p.read_bytes(), Recipe(128, 128)) for p in photos]
    good = open_classifier(trained / "output_graph.pb", describe_graph(trained / "output_graph.pb"))
    expected = np.stack([s for _, s in sorted(good.scores(enumerate(pixels)), key=lambda p: p[0])])
    assert compare(graph_scores(trained / "output_graph.pb", pixels), expected).holds("f32")
    parity = compare(graph_scores(tmp_path / "wrong.pb", pixels), expected)
    assert not parity.holds("f32") and not parity.holds("bf16")
    assert parity.photos == 9 and parity.agree < 9
