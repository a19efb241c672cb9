"""TensorFlow Lite files: what is inside them, how small they are and how well they agree."""

import json
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from conftest import EXAMPLE_FLOWERS

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest, parse_manifest
from retrain.artifacts.tflite_metadata import read_metadata
from retrain.commands.train import train
from retrain.config import TrainConfig
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.export.config import QUANTIZATIONS
from retrain.export.formats import FLOAT32
from retrain.export.onnx import onnx_from_graph
from retrain.export.parity import compare
from retrain.export.runtimes import own_scores
from retrain.export.tflite import tflite_bytes

pytestmark = pytest.mark.slow


def manifest_of(graph: Path) -> Manifest:
    manifest = find_manifest(read_graph(graph))
    assert manifest is not None
    return manifest


def decoded(photos: list[Path], manifest: Manifest) -> list[np.ndarray]:
    recipe = Recipe.parse(manifest.recipe)
    return [decode(photo.read_bytes(), recipe) for photo in photos]


def test_a_network_that_no_file_can_hold_is_one_line(
    trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = read_graph(trained / "output_graph.pb")
    for node in graph.node:
        if node.name == "final_result":
            node.op = "BesselI0e"  # which neither format knows
    content, manifest = graph.SerializeToString(), manifest_of(trained / "output_graph.pb")
    with pytest.raises(RetrainError, match="^no TFLite file can be made of this .*BesselI0e"):
        tflite_bytes(content, manifest, FLOAT32, representative=[])
    with pytest.raises(RetrainError, match="^no ONNX file can be made of this network: "):
        onnx_from_graph(content, manifest)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_file_says_what_it_is(
    quantization: str, trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    graph = trained / "output_graph.pb"
    manifest = manifest_of(graph)
    photos = decoded(sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::25], manifest)
    content = tflite_bytes(graph.read_bytes(), manifest, quantization, representative=photos)
    assert content == tflite_bytes(
        graph.read_bytes(), manifest, quantization, representative=photos
    )
    assert capfd.readouterr() == ("", "")
    metadata = read_metadata(content)
    assert metadata is not None
    assert (metadata.mean, metadata.std) == (0, 255)
    assert metadata.files["labels.txt"] == (trained / "output_labels.txt").read_bytes()
    assert parse_manifest(metadata.files["manifest.json"].decode()) == manifest
    assert json.loads(metadata.files["manifest.json"])["labels"] == list(manifest.labels)
    interpreter = Interpreter(model_content=content)
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["shape"].tolist() == [1, 128, 128, 3] and result["shape"].tolist() == [1, 5]
    if quantization == "int8":
        assert source["dtype"] == result["dtype"] == np.uint8
        assert source["quantization"] == (pytest.approx(1 / 255), 0)
        assert result["quantization"] == (1 / 256, 0)
    else:
        assert source["dtype"] == result["dtype"] == np.float32


def test_int8_is_small_and_agrees_on_flowers(
    flower_photos: Path, session_cache: Path, tmp_path: Path
) -> None:
    graph = tmp_path / "output_graph.pb"
    config = TrainConfig.from_flat(
        image_dir=str(EXAMPLE_FLOWERS),
        bottleneck_dir=session_cache / "bottlenecks",
        how_many_training_steps=500,
        output_graph=graph,
        output_labels=tmp_path / "output_labels.txt",
        summaries_dir=None,
        report=False,
    )
    train(config)
    manifest = manifest_of(graph)
    learned = decoded(sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::10], manifest)
    sizes, scores = {}, {}
    photos = decoded(sorted(flower_photos.glob("*/*.jpg"))[::3], manifest)
    for quantization in ("float32", "int8"):
        content = tflite_bytes(graph.read_bytes(), manifest, quantization, representative=learned)
        path = tmp_path / f"{quantization}.tflite"
        path.write_bytes(content)
        sizes[quantization] = len(content)
        scores[quantization] = own_scores(path, manifest, photos)
    assert sizes["int8"] <= 0.3 * sizes["float32"]
    parity = compare(scores["int8"], scores["float32"])
    # A run asks for 0.97; of a hundred photos two more may be close by chance.
    assert parity.photos > 100 and parity.agree >= 0.95 * parity.photos
