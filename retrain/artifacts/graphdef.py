"""GraphDef protobufs without TensorFlow: reading, cutting, renaming, small nodes.

TensorBoard carries generated copies of TensorFlow's public protobufs and imports in 0.1 s.
"""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING

from retrain.errors import RetrainError
from retrain.utils.files import cannot_read, open_regular

LOOPS = ("NextIteration", "RefNextIteration")  # the edges back, by which TensorFlow 1 builds loops


def read_graph(path: Path) -> GraphDef:
    """Read a binary GraphDef file and return the graph.

    Raises RetrainError if it is missing, damaged or another format.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    graph = GraphDef()
    try:
        graph.ParseFromString(content)
    except DecodeError:
        graph.Clear()
    if not graph.node:
        raise RetrainError(
            f"{path.absolute()} is not a frozen TensorFlow graph (a binary GraphDef): "
            "give the .pb file that retrain wrote"
        )
    check_references(graph, path)
    return graph


def check_references(graph: GraphDef, path: Path, ends: Iterable[str] = ()) -> None:
    """Raise RetrainError if a graph refers to nodes that are missing, or to itself in a circle.

    `ends` are further references that must be there, such as a signature's. OpenVINO would read a
    graph with a circle for ever. Loops of TensorFlow 1 are no such circle.
    """
    names = {node.name for node in graph.node}
    taken = chain(ends, (reference for node in graph.node for reference in node.input))
    missing = next((each for each in taken if node_name(each) not in names), None)
    if missing is not None:
        raise RetrainError(
            f"{path.absolute()} is cut off or damaged: a node {missing!r} is taken, which is not "
            "there; export it anew"
        )
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        try:
            TopologicalSorter(
                {
                    node.name: [node_name(each) for each in node.input]
                    for node in nodes
                    if node.op not in LOOPS
                }
            ).prepare()
        except CycleError as error:
            raise RetrainError(
                f"{path.absolute()} is damaged: the node {error.args[1][0]!r} takes what is made "
                "of it; export it anew"
            ) from error


def node_name(reference: str) -> str:
    """Return the name of the node that an input reference (`^name`, `name:1`) points at."""
    return reference.lstrip("^").split(":")[0]


def find_node(graph: GraphDef, name: str) -> NodeDef | None:
    """Return the node with a name, or None."""
    return next((node for node in graph.node if node.name == name), None)


def cut(graph: GraphDef, given: str, output: str) -> GraphDef:
    """Return the part of a graph between two nodes: `given`, which is fed, and `output`."""
    return subgraph(graph, [output], given)


def subgraph(graph: GraphDef, outputs: Iterable[str], given: str | None = None) -> GraphDef:
    """Return the part of a graph that its nodes `outputs` need, in the old order of nodes.

    What feeds the node `given` is left out, as its value is given.
    """
    nodes = {node.name: node for node in graph.node}
    wanted: set[str] = set()
    stack = list(outputs)
    while stack:
        name = stack.pop()
        if name not in wanted:
            wanted.add(name)
            if name == given:
                continue
            stack.extend(node_name(reference) for reference in nodes[name].input)
    part = GraphDef()
    part.versions.CopyFrom(graph.versions)
    part.node.extend(node for node in graph.node if node.name in wanted)
    return part


def with_prefix(graph: GraphDef, prefix: str, keep: Iterable[str] = ()) -> GraphDef:
    """Copy a graph with `prefix/` before each node's name, except those in `keep`."""
    kept = set(keep)
    renamed = GraphDef()
    renamed.CopyFrom(graph)
    for node in renamed.node:
        if node.name not in kept:
            node.name = f"{prefix}/{node.name}"
        for position, reference in enumerate(node.input):
            if node_name(reference) not in kept:
                control = "^" if reference.startswith("^") else ""
                node.input[position] = f"{control}{prefix}/{reference.lstrip('^')}"
    return renamed


def add_node(graph: GraphDef, op: str, name: str, *, inputs: Iterable[str]) -> NodeDef:
    """Append a float32 node to a graph and return it, for further attributes.

    Args:
        graph: The graph, which is changed.
        op: The operation, such as `MatMul`.
        name: The new node's name.
        inputs: References to the nodes that it takes.

    Returns:
        The new node.
    """
    node: NodeDef = graph.node.add(op=op, name=name, input=list(inputs))
    node.attr["T"].type = DT_FLOAT
    return node


def add_float_constant(graph: GraphDef, name: str, values: np.ndarray) -> None:
    """Append a float32 constant with these values to a graph."""
    node = graph.node.add(op="Const", name=name)
    node.attr["dtype"].type = DT_FLOAT
    tensor = node.attr["value"].tensor
    tensor.dtype = DT_FLOAT
    for size in values.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = np.ascontiguousarray(values, dtype="<f4").tobytes()


def add_text_constant(graph: GraphDef, name: str, text: str) -> None:
    """Append a constant that holds one text, in UTF-8, to a graph."""
    node = graph.node.add(op="Const", name=name)
    node.attr["dtype"].type = DT_STRING
    tensor = node.attr["value"].tensor
    tensor.dtype = DT_STRING
    tensor.tensor_shape.SetInParent()
    tensor.string_val.append(text.encode())


def read_text_constant(node: NodeDef) -> bytes:
    """Return the text in a node made by `add_text_constant`, in UTF-8; empty for another node."""
    return b"".join(node.attr["value"].tensor.string_val[:1])


def has_shape(node: NodeDef) -> bool:
    """Tell whether a placeholder declares a shape; old tools wrote none where any shape fits."""
    shape = node.attr["shape"].shape
    return "shape" in node.attr and not shape.unknown_rank


def declared_shape(node: NodeDef) -> tuple[int, ...] | None:
    """Return a placeholder's declared shape, -1 where a size is open.

    None where it declares none. In old graphs that looks like the shape of a single number, ().
    """
    if not has_shape(node):
        return None
    return tuple(dim.size for dim in node.attr["shape"].shape.dim)
