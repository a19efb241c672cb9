"""Exporting a frozen graph as an ONNX model. Needs TensorFlow and the extra `onnx`."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.manifest import NODE as MANIFEST_KEY
from retrain.artifacts.manifest import Manifest, manifest_text
from retrain.artifacts.onnx import import_onnx
from retrain.errors import RetrainError, one_line
from retrain.export.format_module import Conversion, Run, unit_pixels
from retrain.utils.files import write_bytes
from retrain.utils.optional import require
from retrain.utils.tensorflow import import_tensorflow


def write(conversion: Conversion, path: Path) -> None:
    """Write an ONNX file, as `onnx_from_graph` makes it; raise RetrainError if it cannot be."""
    write_bytes(path, onnx_from_graph(conversion.graph, conversion.manifest))


def open_runtime(path: Path, manifest: Manifest) -> Run:
    """Open an ONNX file in onnxruntime; raise RetrainError without it."""
    require("onnxruntime", "onnx", "running ONNX files")
    # Since 1.32 importing it opens a session with Microsoft's collector, which it reports to.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    source, result = manifest.input_node, manifest.output_node
    return lambda batch: session.run([result], {source: unit_pixels(batch)})[0]


def onnx_from_graph(graph: bytes, manifest: Manifest) -> bytes:
    """Convert a frozen graph to an ONNX file and return its bytes.

    It goes from pixels at the manifest's input [n, H, W, 3] in [0, 1] to probabilities at its
    output [n, C]. The names are the graph's own, the manifest is in the metadata, as in the
    classifier of an ONNX module. The same graph gives the same bytes. Raises RetrainError without
    the extra `onnx`, and for a network that ONNX cannot have.
    """
    require("tf2onnx", "onnx", "making an ONNX file")
    tf, onnx = import_tensorflow(), import_onnx()
    from tf2onnx.convert import from_graph_def

    names = {f"{name}:0": name for name in (manifest.input_node, manifest.output_node)}
    source, result = names
    definition = tf.compat.v1.GraphDef.FromString(_without_defaults(graph))
    with _converting():
        model, _ = from_graph_def(
            definition,
            name="retrain",
            input_names=[source],
            output_names=[result],
            tensors_to_rename=names,
        )
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        del model.graph.value_info[:]  # readers compute these shapes themselves
        _number_names(model, keep=tuple(names.values()))
        onnx.helper.set_model_props(model, {MANIFEST_KEY: manifest_text(manifest)})
        onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _without_defaults(graph: bytes) -> bytes:
    """Return the graph without its second input: tf2onnx knows no computed default."""
    definition = GraphDef.FromString(graph)
    for node in definition.node:
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].type = node.attr["dtype"].type
            del node.attr["dtype"], node.attr["shape"]
    content: bytes = definition.SerializeToString()
    return content


def _number_names(model: Any, keep: tuple[str, ...]) -> None:
    """Rename nodes, values and constants by their order: tf2onnx's names differ each time."""
    named = {name: name for name in keep}
    constants = {constant.name: constant for constant in model.graph.initializer}
    used: list[Any] = []
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
        for position, name in enumerate(node.input):
            if name in constants and name not in named:
                named[name] = f"constant_{len(used)}"
                used.append(constants[name])
                constants[name].name = named[name]
            node.input[position] = named.get(name, name)
        for position, name in enumerate(node.output):
            node.output[position] = named.setdefault(name, f"{node.name}:{position}")
    kept = [constant.SerializeToString() for constant in used]
    del model.graph.initializer[:]
    for content in kept:
        model.graph.initializer.add().ParseFromString(content)


@contextmanager
def _converting() -> Iterator[None]:
    """Hold back the converter's log and its libraries' warnings; an error becomes one line."""
    log = logging.getLogger("tf2onnx")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:  # the converter's, of many kinds
        raise RetrainError(
            f"no ONNX file can be made of this network: {one_line(error)}; leave it out"
        ) from error
    finally:
        log.setLevel(before)
