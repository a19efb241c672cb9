"""Inputs beside the pictures: what to feed to switches between training and use."""

import re
from dataclasses import dataclass

from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.types_pb2 import (
    DT_BFLOAT16,
    DT_BOOL,
    DT_DOUBLE,
    DT_FLOAT,
    DT_HALF,
    DT_INT8,
    DT_INT16,
    DT_INT32,
    DT_INT64,
    DT_UINT8,
    DT_UINT16,
)

from retrain.artifacts.graphdef import node_name

PIXELS = {DT_FLOAT, DT_HALF, DT_BFLOAT16, DT_DOUBLE, DT_UINT8, DT_INT8, DT_UINT16, DT_INT16,
          DT_INT32, DT_INT64}  # fmt: skip
LOGICAL = {DT_BOOL, DT_INT32, DT_INT64, DT_UINT8}
# Matched at the end of the name, after any scopes.
KEEP = re.compile(r"keep_?(prob(ability)?|rate|p)?(_ph|_placeholder)?(_\d+)?$")
RATE = re.compile(r"drop(_?out)?_?(rate|prob(ability)?)(_ph|_placeholder)?(_\d+)?$")
TRAINING = re.compile(
    r"(^|[^a-z])((is|for)_?)?train(ing)?(_?(phase|mode|flag|ph|placeholder))*(_\d+)?$"
    r"|phase_?train(ing)?(_\d+)?$|learning_?phase(_\d+)?$|(^|[^a-z])phase(_\d+)?$"
)
USING = re.compile(r"(^|[^a-z])is_?(test|testing|eval|inference|predict\w*)(_\d+)?$")


@dataclass(frozen=True)
class OtherInput:
    """A number to feed at an input, and in words why."""

    name: str
    value: float
    source: str


def value_by_name(name: str, *, logical: bool) -> OtherInput | None:
    """Return what to feed an input of this name when a graph is used, not trained.

    None where the name does not make it certain. `logical`: the input takes yes or no, or whole
    numbers.
    """
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix(":0")).lower()
    if logical:
        if TRAINING.search(plain):
            return OtherInput(name, 0, "which is how a graph is used, not trained")
        if USING.search(plain):
            return OtherInput(name, 1, "which is how a graph is used, not trained")
        return None
    if KEEP.search(plain):
        return OtherInput(name, 1, "so that no dropout is done")
    return OtherInput(name, 0, "so that no dropout is done") if RATE.search(plain) else None


def value_by_use(graph: GraphDef, placeholder: NodeDef) -> OtherInput | None:
    """Return what to feed a placeholder that dropout uses when a graph is used, not trained.

    Dropout divides values by the share that it keeps, which is the input itself, or 1 less the
    input. None where the operations do not make it certain.
    """
    name = placeholder.name
    if _is_divisor(graph, name):
        return OtherInput(name, 1, "the share that dropout keeps, so that none is done")
    rests = [node.name for node in _users(graph, name, "Sub") if node_name(node.input[1]) == name]
    if any(_is_divisor(graph, rest) for rest in rests):
        return OtherInput(name, 0, "the share that dropout leaves out, so that none is done")
    again = [
        node.name
        for rest in rests
        for node in _users(graph, rest, "Sub")
        if node_name(node.input[1]) == rest
    ]
    if any(_is_divisor(graph, kept) for kept in again):
        return OtherInput(name, 1, "the share that dropout keeps, so that none is done")
    return None


def _is_divisor(graph: GraphDef, name: str) -> bool:
    return bool(_users(graph, name, "Reciprocal", "Inv")) or any(
        node_name(node.input[1]) == name for node in _users(graph, name, "RealDiv", "Div")
    )


def _users(graph: GraphDef, name: str, *operations: str) -> list[NodeDef]:
    """List the nodes of these operations that take the output of the node `name`."""
    return [
        node
        for node in graph.node
        if node.op in operations and any(node_name(each) == name for each in node.input)
    ]
