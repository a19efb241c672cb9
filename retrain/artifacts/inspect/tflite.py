"""Inspecting TensorFlow Lite files, from their flatbuffers (schema.fbs), without an interpreter."""

import struct
from math import prod
from pathlib import Path

from retrain.artifacts.flatbuffer import Table, root_table
from retrain.artifacts.inspect.contents import Contents, Port
from retrain.artifacts.safety.other_formats import tflite_findings
from retrain.artifacts.safety.verdict import said_of
from retrain.artifacts.tflite import metadata_labels, tflite_manifest
from retrain.artifacts.tflite_metadata import read_metadata
from retrain.errors import RetrainError
from retrain.utils.files import cannot_read

# TensorType's numbers in the schema.
TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool",
         7: "int16", 9: "int8", 10: "float64", 17: "int4"}  # fmt: skip
WEIGHTS = ("float32", "float16", "float64", "int8", "uint8", "int4")


def tflite_contents(path: Path) -> Contents:
    """Read a TFLite file and return what it holds; raise RetrainError if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    metadata = read_metadata(content)
    manifest = tflite_manifest(path, metadata)
    carried = metadata_labels(metadata)
    try:
        root = root_table(content)
        graph, buffers = root.tables(2)[0], root.tables(4)
        tensors = graph.tables(0)
        weights = [
            tensor
            for tensor in tensors
            if _holds_weights(tensor) and buffers[tensor.number(2, "I")].content(0)
        ]
        return Contents(
            tuple(_port(tensors[number]) for number in graph.numbers(1, "i")),
            tuple(_port(tensors[number]) for number in graph.numbers(2, "i")),
            sum(prod(shape) for tensor in weights if (shape := tensor.numbers(0, "i"))),
            labels=manifest.labels if manifest else carried[0] if carried else None,
            manifest=manifest,
            unsafe=said_of(tflite_findings(root)),
        )
    except (struct.error, IndexError, ValueError) as error:
        raise RetrainError(f"{path.absolute()} is cut off or damaged: export it anew") from error


def _port(tensor: Table) -> Port:
    shape = tensor.numbers(7, "i") or tensor.numbers(0, "i")  # the first one has -1 for open sizes
    return Port(tensor.content(3).decode(), _type(tensor), tuple(shape))


def _holds_weights(tensor: Table) -> bool:
    """Tell whether a tensor holds weights.

    32-bit whole numbers are weights (biases) only where a scale says what they stand for.
    """
    scales = tensor.table(4)
    scaled = scales is not None and bool(scales.content(2, 4))
    return _type(tensor) in WEIGHTS or (_type(tensor) == "int32" and scaled)


def _type(tensor: Table) -> str:
    number = int(tensor.number(1, "b"))
    return TYPES.get(number, f"type {number}")
