"""Inspecting ONNX files. Needs the extra `onnx`."""

from math import prod
from pathlib import Path
from typing import Any

from retrain.artifacts.inspect.contents import Contents, Port
from retrain.artifacts.manifest import NODE, parse_manifest
from retrain.artifacts.onnx import import_onnx, read_onnx


def onnx_contents(path: Path) -> Contents:
    """Read an ONNX file and return what it holds; raise RetrainError if it cannot be read."""
    model, types = read_onnx(path), import_onnx().TensorProto
    floats = (types.FLOAT, types.FLOAT16, types.DOUBLE, types.BFLOAT16)
    weights = {tensor.name for tensor in model.graph.initializer}
    properties = {entry.key: entry.value for entry in model.metadata_props}
    manifest = (
        parse_manifest(properties[NODE], str(path.absolute())) if NODE in properties else None
    )
    return Contents(
        tuple(_port(each) for each in model.graph.input if each.name not in weights),
        tuple(_port(each) for each in model.graph.output),
        sum(
            prod(tensor.dims)
            for tensor in model.graph.initializer
            if tensor.data_type in floats and tensor.dims
        ),
        labels=manifest.labels if manifest else None,
        manifest=manifest,
    )


def _port(value: Any) -> Port:
    tensor = value.type.tensor_type
    name = import_onnx().TensorProto.DataType.Name(tensor.elem_type).lower()
    shape = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
    return Port(value.name, "float32" if name == "float" else name, tuple(shape))
