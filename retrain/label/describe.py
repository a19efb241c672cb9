"""What to feed a graph, found out from its manifest or, in an older tool's graph, its nodes."""

from dataclasses import replace
from pathlib import Path

from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.errors import RetrainError
from retrain.graphs import find_node, placeholder_shape, read_graph
from retrain.images.decode import Recipe
from retrain.label.spec import GraphInput, Overrides
from retrain.manifest import NODE as MANIFEST_KEY
from retrain.manifest import Manifest, find_manifest, parse_manifest
from retrain.onnx_graphs import SUFFIX as ONNX
from retrain.onnx_graphs import read_onnx

# Mean and std by the name of the input, as the tools that made such graphs scaled their pixels.
LEGACY_SCALING = {"Placeholder": (0.0, 255.0), "input": (127.5, 127.5), "Mul": (128.0, 128.0)}
DEFAULT_OUTPUT = "final_result"


def describe_graph(path: Path, overrides: Overrides | None = None) -> GraphInput:
    """What to feed the graph, from its manifest or, in an older tool's graph, from its nodes.

    What `overrides` says wins. `guesses` lists, for the user to read, what nobody said and the
    graph does not know. Raises RetrainError if the graph or the labels cannot be used.
    """
    said = overrides or Overrides()
    if path.suffix.lower() == ONNX:
        found = _describe_own(onnx_manifest(path))
    else:
        graph = read_graph(path)
        manifest = find_manifest(graph)
        found = _describe_own(manifest) if manifest else _describe_foreign(graph, path, said)
    recipe = Recipe(
        height=said.height or found.recipe.height, width=said.width or found.recipe.width
    )
    if said.std == 0:
        raise RetrainError("--input_std 0 would divide by zero: give the scale of the pixels")
    return replace(
        found,
        input_layer=said.input_layer or found.input_layer,
        output_layer=said.output_layer or found.output_layer,
        recipe=recipe,
        mean=found.mean if said.mean is None else said.mean,
        std=found.std if said.std is None else said.std,
    )


def _describe_own(manifest: Manifest) -> GraphInput:
    recipe = Recipe.parse(manifest.recipe)
    return GraphInput(
        manifest.input_node,
        manifest.output_node,
        recipe,
        0.0,
        255.0,
        manifest.labels,
        unknown_below=manifest.unknown_below,
    )


def onnx_manifest(path: Path) -> Manifest:
    """The manifest in an ONNX classifier. Raises RetrainError for one that other tools made."""
    properties = {entry.key: entry.value for entry in read_onnx(path).metadata_props}
    if MANIFEST_KEY not in properties:
        raise RetrainError(
            f"{path.absolute()} was not made by retrain: of ONNX files, only those that it wrote "
            "can be used"
        )
    return parse_manifest(properties[MANIFEST_KEY])


def _describe_foreign(graph: GraphDef, path: Path, said: Overrides) -> GraphInput:
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    layer = said.input_layer or next((name for name in LEGACY_SCALING if name in inputs), None)
    if layer is None and len(inputs) == 1:
        layer = inputs[0]
    node = find_node(graph, layer) if layer else None
    if layer is None or node is None:
        raise RetrainError(
            f"{path.absolute()} has no input {said.input_layer or 'that is known'}: "
            f"give --input_layer, one of {', '.join(inputs[:5]) or '(none found)'}"
        )
    shape = placeholder_shape(node)
    height, width = said.height, said.width
    if len(shape) == 4 and shape[1] > 0 and shape[2] > 0:
        height, width = height or shape[1], width or shape[2]
    if not height or not width:
        raise RetrainError(
            f"{path.absolute()} does not fix the size of its input: "
            "give --input_height and --input_width"
        )
    mean, std = LEGACY_SCALING.get(layer, (0.0, 255.0))
    guesses: tuple[str, ...] = ()
    if said.mean is None or said.std is None:
        mean_taken, std_taken = (mean if said.mean is None else said.mean,
                                 std if said.std is None else said.std)  # fmt: skip
        guesses = (
            f"the graph does not say how its pixels are scaled; taken (x - {mean_taken:g}) / "
            f"{std_taken:g}, as older tools fed an input called {layer!r} "
            "(--input_mean and --input_std set it)",
        )
    output = said.output_layer or DEFAULT_OUTPUT
    return GraphInput(layer, output, Recipe(height, width), mean, std, None, guesses=guesses)
