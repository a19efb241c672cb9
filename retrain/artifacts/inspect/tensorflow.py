"""Inspecting frozen TensorFlow graphs and SavedModels, from their protobufs."""

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.meta_graph_pb2 import SignatureDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.types_pb2 import (
    DT_BFLOAT16,
    DT_DOUBLE,
    DT_FLOAT,
    DT_HALF,
    DataType,
)

from retrain.artifacts.graphdef import node_name, read_graph, subgraph
from retrain.artifacts.inspect.contents import Contents, Port, Signature
from retrain.artifacts.labels import INSIDE_SAVED_MODEL, read_labels
from retrain.artifacts.manifest import find_manifest
from retrain.artifacts.safety.tensorflow_graphs import graph_findings, saved_model_findings
from retrain.artifacts.safety.verdict import said_of
from retrain.artifacts.saved_model import SERVING, read_saved_model, saved_model_manifest

FLOATS = (DT_FLOAT, DT_HALF, DT_BFLOAT16, DT_DOUBLE)
VARIABLES = ("VarHandleOp", "Variable", "VariableV2")
PROTOBUF_NAMES = {"float": "float32", "double": "float64", "half": "float16"}


def frozen_contents(path: Path) -> Contents:
    """Read a frozen graph and return what it holds; raise RetrainError if it cannot be read.

    Its inputs are the placeholders, its outputs the nodes that no other node uses.
    """
    graph = read_graph(path)
    manifest = find_manifest(graph, path.absolute())
    used = {node_name(reference) for node in graph.node for reference in node.input}
    inputs = [node for node in graph.node if node.op == "Placeholder"]
    outputs = [
        node
        for node in graph.node
        if node.name not in used and node.op not in ("Const", "NoOp", "Placeholder")
    ]
    return Contents(
        tuple(Port(node.name, _type(node.attr["dtype"].type), _shape(node)) for node in inputs),
        tuple(Port(node.name, _type(node.attr["T"].type), None) for node in outputs),
        _parameters(graph.node),
        labels=manifest.labels if manifest else None,
        manifest=manifest,
        unsafe=said_of(graph_findings(graph)),
    )


def saved_model_contents(folder: Path) -> Contents:
    """Read a SavedModel and return what it holds; raise RetrainError if it cannot be read.

    Inputs, outputs and parameters are those of `serving_default`, if it has one.
    """
    model = read_saved_model(folder)
    manifest = saved_model_manifest(model)
    signatures = tuple(
        Signature(name, _ports(signature.inputs), _ports(signature.outputs))
        for name, signature in model.signatures.items()
    )
    serving = next((each for each in signatures if each.name == SERVING), None)
    inside = [folder / name for name in INSIDE_SAVED_MODEL if (folder / name).is_file()]
    labels = manifest.labels if manifest else read_labels(inside[0]) if inside else None
    return Contents(
        serving.inputs if serving else (),
        serving.outputs if serving else (),
        _parameters(_nodes_behind(model.graph, model.signatures.get(SERVING))),
        signatures,
        labels,
        manifest,
        said_of(saved_model_findings(folder)),
    )


def _nodes_behind(graph: GraphDef, signature: SignatureDef | None) -> list[NodeDef]:
    """List the nodes that a signature needs, down into called functions; all nodes without one."""
    library = {function.signature.name: function.node_def for function in graph.library.function}
    if signature is None:
        return [*graph.node, *(node for nodes in library.values() for node in nodes)]
    outputs = {node_name(info.name) for info in signature.outputs.values()}
    found = list(subgraph(graph, outputs).node)
    for node in found:  # grows while it is read
        for attribute in node.attr.values():
            found.extend(library.pop(attribute.func.name, ()))
    return found


def _parameters(nodes: Iterable[NodeDef]) -> int:
    """Count the numbers in float variables and in float constants other than single numbers."""
    total = 0
    for node in nodes:
        if node.op in VARIABLES and node.attr["dtype"].type in FLOATS:
            total += prod(dim.size for dim in node.attr["shape"].shape.dim)
        elif node.op == "Const" and node.attr["dtype"].type in FLOATS:
            sizes = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
            total += prod(sizes) if sizes else 0
    return total


def _ports(tensors: Any) -> tuple[Port, ...]:
    """Return the inputs or outputs in a map from names to TensorInfos."""
    return tuple(
        Port(
            key,
            _type(info.dtype),
            None
            if info.tensor_shape.unknown_rank
            else tuple(dim.size for dim in info.tensor_shape.dim),
        )
        for key, info in sorted(tensors.items())
    )


def _shape(node: NodeDef) -> tuple[int, ...] | None:
    declared = node.attr["shape"].shape
    if declared.unknown_rank or "shape" not in node.attr:
        return None
    return tuple(dim.size for dim in declared.dim)


def _type(number: int) -> str:
    name: str = DataType.Name(number).removeprefix("DT_").lower()
    return PROTOBUF_NAMES.get(name, name)
