"""Graphs that decode photos themselves: the nodes between the decoder and the network.

Inception v3 of 2015 begins with DecodeJpeg, Cast, ExpandDims, ResizeBilinear, Sub 128 and
Mul 1/128 (the node `Mul`). We decode and resize as for every graph and feed the last of these; its
size and scaling are constants of the graph.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import Message
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_INT32

from retrain.artifacts.graphdef import node_name

DECODERS = {"DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeGif"}
RESIZERS = {"ResizeBilinear", "ResizeBicubic", "ResizeArea", "ResizeNearestNeighbor"}
PASSING = {"Cast", "ExpandDims", "Identity", "Squeeze"}


@dataclass(frozen=True)
class Step:
    """A node after the decoder, and how pixels leave it.

    Attributes:
        node: Its name.
        mean: Pixels, from 0 to 255, leave it as (pixel - mean) / std.
        std: See `mean`.
        size: (height, width), if this node or one before it resizes; else None.
    """

    node: str
    mean: float
    std: float
    size: tuple[int, int] | None


def decoding_steps(nodes: Iterable[NodeDef]) -> list[Step]:
    """List the nodes from the decoder to the last one that only resizes or scales.

    Empty without a decoder.
    """
    by_name = {node.name: node for node in nodes}
    users: dict[str, list[NodeDef]] = {}
    for node in by_name.values():
        for reference in node.input:
            users.setdefault(node_name(reference), []).append(node)
    here = next((node for node in by_name.values() if node.op in DECODERS), None)
    steps: list[Step] = []
    mean, std, size = 0.0, 1.0, None
    while here is not None:
        steps.append(Step(here.name, mean, std, size))
        following = users.get(here.name, [])
        if len(following) != 1:
            break
        user, here = following[0], None
        others = [by_name.get(node_name(name)) for name in user.input]
        values = [_numbers(other) for other in others if other is not None and other.op == "Const"]
        if user.op in PASSING:
            here = user
        elif user.op in RESIZERS and values and values[0].size == 2:
            here, size = user, (int(values[0][0]), int(values[0][1]))
        elif user.op in ("Sub", "Mul", "Div", "RealDiv") and values and values[0].size == 1:
            here, value = user, float(values[0].flat[0])
            if user.op == "Sub":
                mean += value * std
            else:
                std = std / value if user.op == "Mul" else std * value
    return steps


def _numbers(node: NodeDef) -> np.ndarray:
    """Return the values of a float or int32 constant; an empty array for any other node."""
    tensor: Message = node.attr["value"].tensor
    if tensor.dtype not in (DT_FLOAT, DT_INT32):
        return np.empty(0)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, "<f4" if tensor.dtype == DT_FLOAT else "<i4")
    return np.array(tensor.float_val if tensor.dtype == DT_FLOAT else tensor.int_val)
