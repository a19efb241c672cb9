"""The exported frozen graph: backbone, head and manifest, with the names of TF Hub's retrain.py."""

import re

from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.graphdef import add_float_constant, add_node, subgraph, with_prefix
from retrain.artifacts.manifest import NODE as MANIFEST_NODE
from retrain.artifacts.manifest import Manifest, add_manifest
from retrain.backbones.backbone import FEATURE_NODE, INPUT_NODE
from retrain.errors import UsageFault
from retrain.training.head import Head

MODULE_SCOPE = "module"
BOTTLENECK_NODE = "input/BottleneckInputPlaceholder"
HEAD_SCOPE = "final_retrain_ops"


def check_final_tensor_name(name: str) -> None:
    """Raise UsageFault unless the graph can have its output under this name."""
    taken = (INPUT_NODE, BOTTLENECK_NODE, MANIFEST_NODE)
    scopes = (f"{MODULE_SCOPE}/", f"{HEAD_SCOPE}/", "input/")
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*", name):
        raise UsageFault(
            f"--final_tensor_name {name!r} is no name for a TensorFlow operation: "
            "use letters, digits, '_', '.', '/' and '-'"
        )
    if name in taken or name.startswith(scopes):
        raise UsageFault(f"--final_tensor_name {name!r} is in use inside the graph: take another")


def build_graph(backbone: GraphDef, head: Head, final_tensor_name: str) -> GraphDef:
    """Build the graph from `Placeholder` [n, H, W, 3] in [0, 1] to `final_tensor_name` [n, C].

    `backbone` is a frozen graph with INPUT_NODE and FEATURE_NODE. The output is probabilities. The
    features can also be fed, as in retrain.py, at `input/BottleneckInputPlaceholder` [n, D].
    """
    graph = with_prefix(subgraph(backbone, [FEATURE_NODE]), MODULE_SCOPE, keep=[INPUT_NODE])
    width, _ = head.weights.shape
    features = graph.node.add(
        op="PlaceholderWithDefault", name=BOTTLENECK_NODE, input=[f"{MODULE_SCOPE}/{FEATURE_NODE}"]
    )
    features.attr["dtype"].type = 1  # DT_FLOAT
    for size in (-1, width):
        features.attr["shape"].shape.dim.add(size=size)
    weights, biases = f"{HEAD_SCOPE}/weights/final_weights", f"{HEAD_SCOPE}/biases/final_biases"
    product, logits = f"{HEAD_SCOPE}/Wx_plus_b/MatMul", f"{HEAD_SCOPE}/Wx_plus_b/add"
    add_float_constant(graph, weights, head.weights)
    add_float_constant(graph, biases, head.biases)
    matmul = add_node(graph, "MatMul", product, inputs=[BOTTLENECK_NODE, weights])
    matmul.attr["transpose_a"].b = False
    matmul.attr["transpose_b"].b = False
    add_node(graph, "AddV2", logits, inputs=[product, biases])
    add_node(graph, "Softmax", final_tensor_name, inputs=[logits])
    return graph


def graph_bytes(backbone: GraphDef, head: Head, manifest: Manifest) -> bytes:
    """Return the file's content: the graph of `build_graph` with the manifest in it."""
    graph = build_graph(backbone, head, manifest.output_node)
    add_manifest(graph, manifest)
    content: bytes = graph.SerializeToString(deterministic=True)
    return content
