"""Each artefact of one run, read back in a fresh process by its own runtime, says the same."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLE_FLOWERS
from run_commands import PATIENCE_S

from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import Manifest, find_manifest
from retrain.data.decoding.decode import Recipe, decode
from retrain.errors import RetrainError
from retrain.export.config import QUANTIZATIONS
from retrain.export.onnx import onnx_from_graph
from retrain.export.parity import Parity, compare
from retrain.export.runtimes import own_scores
from retrain.export.tflite import tflite_bytes
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph

pytestmark = pytest.mark.slow

SCORES = """
import sys
from pathlib import Path
import numpy as np
from retrain.export.config import QUANTIZATIONS
from retrain.export.runtimes import own_scores
from retrain.artifacts.graphdef import read_graph
from retrain.artifacts.manifest import find_manifest
graph, artefact, pixels, scores = map(Path, sys.argv[1:])
np.save(scores, own_scores(artefact, find_manifest(read_graph(graph)), np.load(pixels)))
"""
GAPS = {"float32.tflite": 1e-4, "float16.tflite": 0.03, "dynamic.tflite": 0.25, "int8.tflite": 0.3}


@pytest.fixture(scope="module")
def graph(trained: Path) -> Path:
    return trained / "output_graph.pb"


@pytest.fixture(scope="module")
def manifest(graph: Path) -> Manifest:
    found = find_manifest(read_graph(graph))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pixels(manifest: Manifest) -> np.ndarray:
    """Every fourth example photo, (n, H, W, 3) uint8."""
    recipe = Recipe.parse(manifest.recipe)
    photos = sorted(EXAMPLE_FLOWERS.glob("*/*.jpg"))[::4]
    return np.stack([decode(photo.read_bytes(), recipe) for photo in photos])


@pytest.fixture(scope="module")
def expected(graph: Path, pixels: np.ndarray) -> np.ndarray:
    """What `label-image` says of the frozen graph."""
    classifier = open_classifier(graph, describe_graph(graph))
    return np.stack([scores for _, scores in classifier.scores(enumerate(pixels))])


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, graph: Path, manifest: Manifest, pixels: np.ndarray
) -> Path:
    """Everything that can be made of the graph."""
    made, content = tmp_path_factory.mktemp("artefacts"), graph.read_bytes()
    (made / "model.onnx").write_bytes(onnx_from_graph(content, manifest))
    for quantization in QUANTIZATIONS:
        model = tflite_bytes(content, manifest, quantization, representative=list(pixels[::2]))
        (made / f"{quantization}.tflite").write_bytes(model)
    return made


@pytest.fixture
def fresh(graph: Path, tmp_path: Path) -> Callable[[Path, np.ndarray], np.ndarray]:
    """`own_scores` in a process of its own."""

    def run(artefact: Path, pixels: np.ndarray) -> np.ndarray:
        np.save(tmp_path / "pixels.npy", pixels)
        files = (graph, artefact, tmp_path / "pixels.npy", tmp_path / "scores.npy")
        command = [sys.executable, "-W", "error", "-c", SCORES, *map(str, files)]
        done = subprocess.run(
            command, env=os.environ, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert (done.returncode, done.stderr) == (0, "")
        scores: np.ndarray = np.load(tmp_path / "scores.npy")
        return scores

    return run


@pytest.mark.parametrize("name", list(GAPS))  # the others: test_exports.py
def test_an_artefact_agrees_with_the_graph(
    name: str,
    folder: Path,
    pixels: np.ndarray,
    expected: np.ndarray,
    fresh: Callable[[Path, np.ndarray], np.ndarray],
) -> None:
    scores = fresh(folder / name, pixels)
    assert scores.dtype == np.float32
    parity = compare(scores, expected)
    assert parity.largest_gap <= GAPS[name]
    rounded = name in ("dynamic.tflite", "int8.tflite")
    assert parity.agree >= (0.9 if rounded else 1) * parity.photos
    assert parity.photos == len(pixels) >= 40


def test_no_photos_give_no_scores(folder: Path, manifest: Manifest) -> None:
    assert own_scores(folder / "int8.tflite", manifest, []).shape == (0, 5)


def test_compare_counts_other_classes_and_the_largest_gap() -> None:
    expected = np.array([[0.5, 0.5, 0.0], [0.2, 0.7, 0.1]], np.float32)
    found = np.array([[0.4, 0.6, 0.0], [0.2, 0.75, 0.05]], np.float32)
    assert compare(found, expected) == Parity(2, 1, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("name", "module", "line"),
    [
        ("float32.tflite", "ai_edge_litert", 'ai-edge-litert: pip install "retrain[tflite]"'),
        ("model.onnx", "onnxruntime", 'onnxruntime: pip install "retrain[onnx]"'),
    ],
)
def test_a_missing_runtime_is_named(
    name: str,
    module: str,
    line: str,
    folder: Path,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for imported in [key for key in sys.modules if key.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, imported)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RetrainError) as caught:
        own_scores(folder / name, manifest, [])
    assert str(caught.value).endswith(line)
