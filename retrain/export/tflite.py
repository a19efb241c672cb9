"""Exporting a frozen graph as a TensorFlow Lite model. Needs TensorFlow."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.manifest import FILE as MANIFEST_FILE
from retrain.artifacts.manifest import LABELS_FILE, Manifest, labels_bytes, manifest_text
from retrain.artifacts.tflite_metadata import TfliteMetadata, with_metadata
from retrain.errors import RetrainError, one_line
from retrain.export.format_module import Conversion, Run
from retrain.export.formats import FLOAT16, FLOAT32, INT8
from retrain.utils.files import write_bytes
from retrain.utils.tensorflow import import_tensorflow, silent_stderr


def write(conversion: Conversion, path: Path) -> None:
    """Write a `.tflite` file, as `tflite_bytes` makes it; raise RetrainError if it cannot be."""
    content = tflite_bytes(
        conversion.graph,
        conversion.manifest,
        conversion.numbers,
        representative=conversion.representative,
    )
    write_bytes(path, content)


def open_runtime(path: Path, manifest: Manifest) -> Run:
    """Open a `.tflite` file in ai-edge-litert; raise RetrainError without it."""
    from retrain.backbones.engines.litert import TfliteEngine
    from retrain.backbones.engines.openvino import GraphFeed

    size = (manifest.height, manifest.width)
    engine = TfliteEngine(path, GraphFeed(manifest.output_node, manifest.input_node, size))
    return lambda batch: np.stack([scores for _, scores in engine.run(enumerate(batch))])


def tflite_bytes(
    graph: bytes, manifest: Manifest, quantization: str, *, representative: Sequence[np.ndarray]
) -> bytes:
    """Convert a frozen graph to a `.tflite` file from one picture [1, H, W, 3] to scores [1, C].

    float32, float16 and dynamic take float32 in [0, 1], as the graph does, and give float32; int8
    takes the pixels themselves and gives scores, both as uint8 (scales 1/255 and 1/256, zero points
    0). Metadata, `labels.txt` and `manifest.json` are inside.

    Args:
        graph: The frozen graph's content.
        manifest: The graph's.
        quantization: One of `formats.TFLITE.agreement`.
        representative: Decoded photos (H, W, 3) uint8 that show int8 the range of each layer; the
            others look at none.

    Returns:
        The file's content.

    Raises:
        RetrainError: TFLite cannot have the network.
    """
    tf = import_tensorflow()
    with _converting():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [_function(tf, graph, manifest)]
        )
        if quantization != FLOAT32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if quantization == INT8:
            converter.representative_dataset = lambda: _feeds(representative)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        model = converter.convert()
    files = {
        LABELS_FILE: labels_bytes(manifest.labels),
        MANIFEST_FILE: manifest_text(manifest).encode(),
    }
    return with_metadata(model, TfliteMetadata("retrain", 0.0, 255.0, files))


def _function(tf: Any, graph: bytes, manifest: Manifest) -> Any:
    """Return the graph as a function of one picture: phones' runtimes plan for a fixed size."""
    definition = tf.compat.v1.GraphDef.FromString(graph)
    source, result = f"{manifest.input_node}:0", f"{manifest.output_node}:0"

    def classify() -> None:
        tf.graph_util.import_graph_def(definition, name="")

    for node in definition.node:
        if node.name == manifest.input_node:
            node.attr["shape"].shape.dim[0].size = 1
    wrapped = tf.compat.v1.wrap_function(classify, [])
    return wrapped.prune(wrapped.graph.get_tensor_by_name(source),
                         wrapped.graph.get_tensor_by_name(result))  # fmt: skip


def _feeds(photos: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield what the converter runs to see ranges.

    One pixel of the first photo becomes black and one white, so that the input's range is 0..1 and
    a pixel its own quantized value.
    """
    for number, pixels in enumerate(photos):
        image = pixels[None].astype(np.float32) / 255
        if number == 0:
            image[0, 0, 0], image[0, -1, -1] = 0, 1
        yield [image]


@contextmanager
def _converting() -> Iterator[None]:
    """Hold back what the converter says of itself; an error becomes one line."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    fault = None
    with warnings.catch_warnings(), silent_stderr():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # the converter's, of many kinds; stderr holds pages of it
            fault = error
    logging.set_verbosity(before)
    if fault is not None:
        raise RetrainError(
            f"no TFLite file can be made of this network: {one_line(fault)}; leave it out"
        ) from fault
