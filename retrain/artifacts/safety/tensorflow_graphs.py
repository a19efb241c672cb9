"""Safety of frozen graphs and SavedModels: find operations that do more than compute.

A frozen graph is checked whole, its library of functions included. So is a SavedModel, except for
one part that each of them has: its saver, whose SaveV2 writes files. It is left out only where
nothing can run it:

- TensorFlow 2 restores variables by operations of its own, from the list of objects, and never
  runs the saver in the graph. Its functions are left out if nothing else reaches them and what is
  left of the SavedModel does not even know their names; TensorFlow's optimiser exchanges functions
  by attributes called `api_...`, so one that has any is not left out.
- TensorFlow 1 restores by running `restore_op_name`, so what that needs is checked as the rest is,
  except RestoreV2 itself, which may read the one file whose name the loader feeds, and no other.
  The nodes that save are left out where no signature, initialiser or collection needs them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef

from retrain.artifacts.detect import SAVED_MODEL_FILE
from retrain.artifacts.graphdef import node_name
from retrain.artifacts.safety.pure_operations import PURE
from retrain.artifacts.safety.verdict import WITHOUT_FLAG, Finding, refuse_unless_allowed
from retrain.artifacts.saved_model import parse_saved_model
from retrain.errors import RetrainError
from retrain.utils.files import cannot_read

RESTORE = "RestoreV2"


def check_graph(graph: Any, path: Path) -> None:
    """Raise UnsafeGraph if any node or function of a GraphDef does more than compute."""
    refuse_unless_allowed(graph_findings(graph), path)


def check_part(graph: Any, input_node: str, outputs: Iterable[str], *, path: Path) -> None:
    """Raise UnsafeGraph if the part of a graph that OpenVINO runs does more than compute.

    OpenVINO has no operation that touches a file, but it leaves out operations that it does not
    know, and then its answer would not be the graph's.

    Args:
        graph: The GraphDef.
        input_node: The node that is fed; what comes before it is not checked.
        outputs: Names of the nodes that are asked for.
        path: The file to name in the error.

    Raises:
        UnsafeGraph: A node or function in that part does more than compute.
    """
    nodes, functions = _reached(graph, outputs, (), stop=input_node)
    refuse_unless_allowed(
        list(_findings(graph, nodes - {input_node}, functions)), path, WITHOUT_FLAG
    )


def check_saved_model(folder: Path) -> None:
    """Raise UnsafeGraph if loading or calling a SavedModel may do more than compute.

    Raises RetrainError if it cannot be read.
    """
    refuse_unless_allowed(saved_model_findings(folder), folder)


def saved_model_findings(folder: Path) -> list[Finding]:
    """List the unsafe operations that loading or calling a SavedModel may run.

    Raises RetrainError if it cannot be read.
    """
    path = folder / SAVED_MODEL_FILE
    try:
        graphs = list(parse_saved_model(path.read_bytes()).meta_graphs)
    except OSError as error:
        raise cannot_read("SavedModel", path, error) from error
    except DecodeError as error:
        raise RetrainError(
            f"{folder.absolute()} does not load as a TensorFlow module: {SAVED_MODEL_FILE} is "
            "damaged; give a SavedModel folder of the image_feature_vector kind"
        ) from error
    return [found for graph in graphs for found in saved_findings(graph, alone=len(graphs) == 1)]


def graph_findings(graph: Any) -> list[Finding]:
    """List the unsafe operations among all nodes and functions of a GraphDef."""
    nodes = {node.name for node in graph.node}
    return list(_findings(graph, nodes, {f.signature.name for f in graph.library.function}))


def saved_findings(meta: Any, *, alone: bool) -> list[Finding]:
    """List the unsafe operations in a MetaGraphDef that loading or calling it may run.

    `alone`: the SavedModel holds no other graph. TensorFlow loads a lone graph with a list of
    objects as TensorFlow 2 does, and all others as TensorFlow 1 does.
    """
    graph, saver = meta.graph_def, meta.saver_def
    by_objects = alone and meta.HasField("object_graph_def")
    restore = [node_name(saver.restore_op_name)] if saver.restore_op_name else []
    saving = [node_name(saver.save_tensor_name)] if saver.save_tensor_name else []
    if by_objects:
        saving, restore = saving + restore, []
    saving_nodes, saving_functions = _reached(graph, saving, ())
    every_node = {node.name for node in graph.node}
    every_function = {function.signature.name for function in graph.library.function}
    run_nodes, run_functions = _reached(
        graph,
        [*_named_starts(meta), *restore, *(every_node - saving_nodes)],
        (every_function - saving_functions) | set(meta.object_graph_def.concrete_functions),
    )
    idle_nodes, idle_functions = saving_nodes - run_nodes, saving_functions - run_functions
    if idle_functions and not _forgotten(meta, idle_nodes, idle_functions):
        idle_functions = set()
    found = _findings(graph, every_node - idle_nodes, every_function - idle_functions)
    if not restore:
        return list(found)
    restored = _restoring_nodes(meta, restore)
    return [each for each in found if each.where not in restored]


def _findings(graph: Any, nodes: set[str], functions: set[str]) -> Iterator[Finding]:
    """Yield the unsafe operations among the nodes and functions with these names."""
    known = PURE | {function.signature.name for function in graph.library.function}
    for node in graph.node:
        if node.op not in known and node.name in nodes:
            yield Finding(node.op, f"node {node.name}")
    for function in graph.library.function:
        if function.signature.name in functions:
            for node in function.node_def:
                if node.op not in known:
                    yield Finding(node.op, f"function {function.signature.name}")


def _reached(
    graph: Any, starts: Iterable[str], functions: Iterable[str], *, stop: str | None = None
) -> tuple[set[str], set[str]]:
    """Return the names of the nodes and functions that run when these nodes and functions run.

    What feeds the node `stop` is not followed.
    """
    nodes = {node.name: node for node in graph.node}
    library = {function.signature.name: function for function in graph.library.function}
    seen: set[str] = set()
    called: set[str] = set()
    waiting, to_call = [name for name in starts if name in nodes], list(functions)
    while waiting or to_call:
        if waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            to_call += _functions_in(nodes[name], library)
            if name != stop:
                waiting += [n for n in map(node_name, nodes[name].input) if n in nodes]
        else:
            name = to_call.pop()
            if name in called or name not in library:
                continue
            called.add(name)
            for node in library[name].node_def:
                to_call += _functions_in(node, library)
    return seen, called


def _functions_in(node: Any, library: dict[str, Any]) -> Iterator[str]:
    """Yield the functions that a node calls, by its attributes or because its operation is one."""
    if node.op in library:
        yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        elif value.HasField("list"):
            yield from (function.name for function in value.list.func)


def _named_starts(meta: Any) -> Iterator[str]:
    """Yield the nodes that a loader or caller may ask for by name."""
    for signature in meta.signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            parts = [info.name, *(part.name for part in _composite(info))]
            yield from (node_name(name) for name in parts)
    for collection in meta.collection_def.values():
        yield from map(node_name, collection.node_list.value)


def _composite(info: Any) -> list[Any]:
    """List the tensors that make up a TensorInfo of several tensors."""
    sparse = info.coo_sparse
    names = (sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
    parts = [type(info)(name=name) for name in names if name]
    return parts + list(info.composite_tensor.components)


def _forgotten(meta: Any, nodes: set[str], functions: set[str]) -> bool:
    """Tell whether nothing that could run these functions is left once these nodes are gone."""
    left = MetaGraphDef()
    left.CopyFrom(meta)
    left.ClearField("saver_def")
    kept_nodes = [node for node in meta.graph_def.node if node.name not in nodes]
    kept = [f for f in meta.graph_def.library.function if f.signature.name not in functions]
    del left.graph_def.node[:], left.graph_def.library.function[:]
    left.graph_def.node.extend(kept_nodes)
    left.graph_def.library.function.extend(kept)
    content = left.SerializeToString()
    exchanged = any(
        key.startswith("api_")
        for function in meta.graph_def.library.function
        if function.signature.name in functions
        for key in function.attr
    )
    return not exchanged and not any(name.encode() in content for name in functions)


def _restoring_nodes(meta: Any, restore: list[str]) -> set[str]:
    """Return the RestoreV2 nodes, as findings name them, that only the loader runs on its file."""
    filename = node_name(meta.saver_def.filename_tensor_name)
    nodes = {node.name: node for node in meta.graph_def.node}
    by_others, _ = _reached(meta.graph_def, _named_starts(meta), ())
    found = set()
    for name in _reached(meta.graph_def, restore, ())[0] - by_others:
        if nodes[name].op == RESTORE and nodes[name].input:
            source = node_name(nodes[name].input[0])
            for _ in nodes:  # at most once a node, as identities may form a circle
                if source in nodes and source != filename and nodes[source].op == "Identity":
                    source = node_name(nodes[source].input[0])
            if source == filename:
                found.add(f"node {name}")
    return found
