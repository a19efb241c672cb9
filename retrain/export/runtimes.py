"""Exported files, each run by the runtime that its users have."""

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.tensorflow import import_tensorflow, silent_stderr
from retrain.errors import RetrainError
from retrain.manifest import Manifest
from retrain.onnx_graphs import SUFFIX as ONNX

TFLITE = ".tflite"

Run = Callable[[np.ndarray], np.ndarray]


def own_scores(path: Path, manifest: Manifest, pixels: Iterable[np.ndarray]) -> np.ndarray:
    """Probabilities (n, C) float32 of decoded photos, (H, W, 3) uint8, one after the other.

    A folder is a SavedModel, run by TensorFlow through `serving_default`; `.tflite` is run by
    ai-edge-litert, `.onnx` by onnxruntime, another file, a frozen graph, by TensorFlow. Raises
    RetrainError where that is not installed.
    """
    if path.is_dir():
        run = _saved_model(path)
    elif path.suffix.lower() == TFLITE:
        run = _tflite(path)
    elif path.suffix.lower() == ONNX:
        run = _onnx(path, manifest)
    else:
        run = _frozen(path, manifest)
    rows = [run(photo[None])[0] for photo in pixels]
    return np.array(rows, np.float32).reshape(-1, len(manifest.labels))


def _saved_model(folder: Path) -> Run:
    tf = import_tensorflow()
    loaded = tf.saved_model.load(str(folder))

    def run(batch: np.ndarray) -> np.ndarray:
        answer = loaded.signatures["serving_default"](image=tf.constant(_unit(batch)))
        return np.asarray(answer["prediction"])

    return run


def _frozen(path: Path, manifest: Manifest) -> Run:
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
        tf.graph_util.import_graph_def(definition, name="")
    session = tf.compat.v1.Session(graph=graph)
    source, result = f"{manifest.input_node}:0", f"{manifest.output_node}:0"
    return lambda batch: session.run(result, {source: _unit(batch)})


def _onnx(path: Path, manifest: Manifest) -> Run:
    runtime = _import("onnxruntime", "onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    source, result = manifest.input_node, manifest.output_node
    return lambda batch: session.run([result], {source: _unit(batch)})[0]


def _tflite(path: Path) -> Run:
    runtime = _import("ai_edge_litert.interpreter", "tflite")
    with silent_stderr():  # names the kernels that it has chosen
        interpreter = runtime.Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(batch: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source["index"], _quantized(_unit(batch), source))
        interpreter.invoke()
        return _real(interpreter.get_tensor(result["index"]), result)

    return run


def _quantized(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """The values as the tensor holds them; a scale of 0 says that it is not quantized."""
    scale, zero = tensor["quantization"]
    if not scale:
        return values
    limits = np.iinfo(tensor["dtype"])
    whole = (values / scale + zero).round().clip(limits.min, limits.max)
    return np.asarray(whole, tensor["dtype"])


def _real(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """What the tensor's values stand for."""
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale else values


def _unit(batch: np.ndarray) -> np.ndarray:
    return batch.astype(np.float32) / np.float32(255)


def _import(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0].replace("_", "-")
        raise RetrainError(
            f'running this file needs the package {package}: pip install "retrain[{extra}]"'
        ) from error
