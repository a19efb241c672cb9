"""Input specs of frozen TensorFlow graphs by other tools, found out from their nodes."""

from pathlib import Path

from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.types_pb2 import DataType

from retrain.artifacts.detect import Format
from retrain.artifacts.graphdef import cut, declared_shape, find_node, node_name, subgraph
from retrain.artifacts.safety.tensorflow_graphs import check_part
from retrain.errors import RetrainError
from retrain.inference.config import Overrides
from retrain.inference.spec.decoder_nodes import Step, decoding_steps
from retrain.inference.spec.facts import Fact, GraphFacts
from retrain.inference.spec.openvino_errors import no_layer, read_traits
from retrain.inference.spec.other_inputs import (
    LOGICAL,
    PIXELS,
    OtherInput,
    value_by_name,
    value_by_use,
)
from retrain.inference.spec.pictures import picture_input
from retrain.inference.spec.traits import Traits, logits_fact, scaling_fact

# Mean and std by the name of the input, as the tools that made such graphs scaled their pixels.
USUAL_SCALING = {"Placeholder": (0.0, 255.0), "input": (127.5, 127.5), "Mul": (128.0, 128.0)}
USUAL_OUTPUT = "final_result"
PLACEHOLDERS = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"}
NO_OUTPUTS = {"Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault"}


def frozen_facts(graph: GraphDef, path: Path, overrides: Overrides) -> GraphFacts:
    """Find out how a frozen graph is fed and return the facts.

    Raises RetrainError for what cannot be found out and has no override.
    """
    output = _output(graph, path, overrides)
    needed = subgraph(graph, [output.value])
    layer, step = _input(needed, path, overrides)
    check_part(graph, layer.value, [output.value], path=path)
    others = _others(cut(graph, layer.value, output.value), layer.value, path)
    traits = read_traits(path, layer.value, output.value, others=others)
    node = find_node(graph, layer.value)
    declared = declared_shape(node) if node is not None and node.op in PLACEHOLDERS else None
    pictures = picture_input(path, layer.value, declared or traits.shape, traits=traits)
    if step is not None and step.size is not None:
        size = Fact(step.size, "the graph's own resizing")
    else:
        size = Fact(pictures.wanted_size(path, overrides), "the shape of the input")
    return GraphFacts(
        Format.FROZEN.value,
        layer,
        size,
        _scaling(layer.value, step, traits),
        output,
        logits_fact(traits),
        layout=pictures.layout,
        channels=pictures.channels,
        batch=pictures.batch,
        others=others,
        last=traits.last,
    )


def _output(graph: GraphDef, path: Path, overrides: Overrides) -> Fact[str]:
    """Return the output layer: the override, `final_result`, or the last softmax at the end."""
    if overrides.output_layer:
        if find_node(graph, overrides.output_layer) is None:
            raise no_layer(path, overrides.output_layer)
        return Fact(overrides.output_layer, "--output_layer")
    if find_node(graph, USUAL_OUTPUT) is not None:
        return Fact(USUAL_OUTPUT, "the name that retraining tools give it")
    nodes = {node.name: node for node in graph.node}
    used = {node_name(reference) for node in graph.node for reference in node.input}
    ends = [node for node in graph.node if node.name not in used and node.op not in NO_OUTPUTS]
    made = [node.name for node in ends if _maker(node, nodes).op in ("Softmax", "Sigmoid")]
    if made:
        return Fact(made[-1], "the last softmax that nothing else uses", guessed=len(made) > 1)
    if len(ends) == 1:
        return Fact(ends[0].name, "the only node that nothing else uses")
    raise RetrainError(
        f"{path.absolute()} has no output that is known: give --output_layer, one of "
        f"{', '.join(node.name for node in ends[-5:]) or '(none found)'}"
    )


def _maker(node: NodeDef, nodes: dict[str, NodeDef]) -> NodeDef:
    """Return the node that computes a node's values, before reshaping."""
    while node.op in ("Identity", "Reshape", "Squeeze") and node.input:
        node = nodes[node_name(node.input[0])]
    return node


def _input(graph: GraphDef, path: Path, overrides: Overrides) -> tuple[Fact[str], Step | None]:
    """Return the input layer, and its step of decoding where the graph decodes photos itself."""
    steps = {step.node: step for step in decoding_steps(graph.node)}
    last = next(reversed(steps), None)
    wanted = overrides.input_layer
    if last and (wanted is None or _feeds(graph, next(iter(steps)), wanted)):
        return Fact(last, "it takes what the graph makes of a decoded photo"), steps[last]
    if wanted:
        if find_node(graph, wanted) is None:
            raise no_layer(path, wanted)
        return Fact(wanted, "--input_layer"), steps.get(wanted)
    inputs = _pictures(graph)
    usual = [name for name in USUAL_SCALING if name in inputs]
    if len(inputs) == 1:
        return Fact(inputs[0], "the only input that the output needs"), None
    if usual:
        return Fact(usual[0], "a name that older tools used"), None
    raise RetrainError(
        f"{path.absolute()} has no input that is known: give --input_layer, one of "
        f"{', '.join(inputs[:5]) or '(none found)'}"
    )


def _feeds(graph: GraphDef, decoder: str, layer: str) -> bool:
    """Tell whether a layer feeds the decoder, so that it takes a file's bytes, not pixels."""
    return layer != decoder and any(node.name == layer for node in subgraph(graph, [decoder]).node)


def _pictures(graph: GraphDef) -> list[str]:
    """List the inputs that may take pictures.

    Those with four axes; else those of unknown shape without the name of a training switch; else
    any other that takes numbers.
    """
    given = [node for node in graph.node if node.op in PLACEHOLDERS and _type(node) in PIXELS]
    shapes = {node.name: declared_shape(node) for node in given}
    four = [name for name, shape in shapes.items() if shape is not None and len(shape) == 4]
    asked = [node.name for node in given if node.op != "PlaceholderWithDefault"]
    loose = [
        name
        for name in asked
        if not shapes[name] and not any(value_by_name(name, logical=kind) for kind in (False, True))
    ]
    return four or loose or asked


def _others(graph: GraphDef, layer: str, path: Path) -> tuple[OtherInput, ...]:
    """Return what is fed to the inputs beside the pictures, where name or use makes it certain.

    Raises RetrainError for an input of which nothing is certain.
    """
    found = []
    for node in graph.node:
        if node.op not in PLACEHOLDERS or node.name == layer:
            continue
        logical = _type(node) in LOGICAL
        fed = value_by_name(node.name, logical=logical)
        if fed is None and not logical:
            fed = value_by_use(graph, node)
        if fed is not None:
            found.append(fed)
        elif node.op != "PlaceholderWithDefault":  # that kind has a value of its own
            kind = DataType.Name(_type(node)).removeprefix("DT_").lower()
            raise RetrainError(
                f"{path.absolute()} takes {node.name!r} ({kind}) beside the pictures, and nobody "
                "knows what it is when the graph is used: give a graph in which it is fixed, or "
                "--output_layer and --input_layer of the part without it"
            )
    return tuple(found)


def _type(node: NodeDef) -> int:
    return int(node.attr["dtype"].type)


def _scaling(layer: str, step: Step | None, traits: Traits) -> Fact[tuple[float, float]]:
    if step is not None:
        return Fact((step.mean, step.std), "the graph's own scaling of decoded photos")
    known = scaling_fact(traits)
    if known is not None:
        return known
    taken = USUAL_SCALING.get(layer, USUAL_SCALING["Placeholder"])
    return Fact(taken, f"as older tools fed an input called {layer!r}", guessed=True)
