"""Running exported files in the runtimes that their users have."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from retrain.artifacts.manifest import Manifest
from retrain.artifacts.onnx import SUFFIX as ONNX
from retrain.utils.optional import require
from retrain.utils.tensorflow import import_tensorflow

Run = Callable[[np.ndarray], np.ndarray]


def own_scores(path: Path, manifest: Manifest, pixels: Iterable[np.ndarray]) -> np.ndarray:
    """Compute probabilities (n, C) float32 of decoded photos, (H, W, 3) uint8, one after the other.

    A folder is a SavedModel, run by TensorFlow through `serving_default`; `.onnx` is run by
    onnxruntime, another file, a TFLite one, by ai-edge-litert. Raises RetrainError where that is
    not installed.
    """
    if path.is_dir():
        run = _saved_model(path)
    elif path.suffix.lower() == ONNX:
        run = _onnx(path, manifest)
    else:
        run = _tflite(path, manifest)
    rows = [run(photo[None])[0] for photo in pixels]
    return np.array(rows, np.float32).reshape(-1, len(manifest.labels))


def _saved_model(folder: Path) -> Run:
    tf = import_tensorflow()
    loaded = tf.saved_model.load(str(folder))

    def run(batch: np.ndarray) -> np.ndarray:
        answer = loaded.signatures["serving_default"](image=tf.constant(_unit(batch)))
        return np.asarray(answer["prediction"])

    return run


def _onnx(path: Path, manifest: Manifest) -> Run:
    require("onnxruntime", "onnx", "running ONNX files")
    # Since 1.32 importing it opens a session with Microsoft's collector, which it reports to.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    source, result = manifest.input_node, manifest.output_node
    return lambda batch: session.run([result], {source: _unit(batch)})[0]


def _tflite(path: Path, manifest: Manifest) -> Run:
    from retrain.backbones.engines.litert import TfliteEngine
    from retrain.backbones.engines.openvino import GraphFeed

    size = (manifest.height, manifest.width)
    engine = TfliteEngine(path, GraphFeed(manifest.output_node, manifest.input_node, size))
    return lambda batch: np.stack([scores for _, scores in engine.run(enumerate(batch))])


def _unit(batch: np.ndarray) -> np.ndarray:
    return batch.astype(np.float32) / np.float32(255)
