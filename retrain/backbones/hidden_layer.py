"""A backbone with a hidden layer on top, whose outputs become its features."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.artifacts.graphdef import (
    add_float_constant,
    add_node,
    find_node,
    read_graph,
    subgraph,
)
from retrain.artifacts.onnx import add_constant, import_onnx, read_onnx
from retrain.artifacts.onnx import add_node as add_onnx_node
from retrain.backbones.backbone import (
    FEATURE_NODE,
    GRAPH_FILE,
    ONNX_FILE,
    REFERENCE_FILE,
    Backbone,
    read_backbone,
    write_info,
)

SCOPE = "hidden_layer"
BELOW = f"{SCOPE}/features"  # the new name of what the backbone alone gives


@dataclass(frozen=True)
class HiddenLayer:
    """relu(features @ weights + biases); weights (D, H) float32, biases (H,) float32."""

    weights: np.ndarray
    biases: np.ndarray

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """Compute outputs (n, H) of features (n, D)."""
        outputs: np.ndarray = np.maximum(features @ self.weights + self.biases, np.float32(0))
        return outputs


def write_extended(backbone: Backbone, layer: HiddenLayer, folder: Path) -> Backbone:
    """Write the backbone with the layer on top into the existing `folder`; return it."""
    if backbone.is_onnx:
        model = with_hidden_onnx_layer(read_onnx(backbone.graph_path), layer)
        (folder / ONNX_FILE).write_bytes(model.SerializeToString(deterministic=True))
    else:
        graph = with_hidden_layer(read_graph(backbone.graph_path), layer)
        (folder / GRAPH_FILE).write_bytes(graph.SerializeToString(deterministic=True))
    pixels, features = backbone.read_reference()
    np.savez_compressed(folder / REFERENCE_FILE, pixels=pixels, features=layer.outputs(features))
    digest = hashlib.blake2b(backbone.info.fingerprint.encode(), digest_size=16)
    for values in (layer.weights, layer.biases):
        digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    info = replace(
        backbone.info,
        fingerprint=digest.hexdigest(),
        feature_width=len(layer.biases),
        has_logits=False,
    )
    write_info(folder, info)
    return read_backbone(folder)


def with_hidden_layer(backbone: GraphDef, layer: HiddenLayer) -> GraphDef:
    """Return a frozen graph with the layer on top: FEATURE_NODE is [n, H], and BELOW [n, D]."""
    graph = subgraph(backbone, [FEATURE_NODE])
    below = find_node(graph, FEATURE_NODE)
    assert below is not None
    below.name = BELOW
    weights, biases = f"{SCOPE}/weights", f"{SCOPE}/biases"
    product, total = f"{SCOPE}/MatMul", f"{SCOPE}/add"
    add_float_constant(graph, weights, layer.weights)
    add_float_constant(graph, biases, layer.biases)
    matmul = add_node(graph, "MatMul", product, inputs=[BELOW, weights])
    matmul.attr["transpose_a"].b = False
    matmul.attr["transpose_b"].b = False
    add_node(graph, "AddV2", total, inputs=[product, biases])
    add_node(graph, "Relu", FEATURE_NODE, inputs=[total])
    return graph


def with_hidden_onnx_layer(backbone: Any, layer: HiddenLayer) -> Any:
    """Return a frozen ONNX model with the layer on top: FEATURE_NODE is [n, H], BELOW [n, D]."""
    onnx = import_onnx()
    model = onnx.ModelProto()
    model.CopyFrom(backbone)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [BELOW if name == FEATURE_NODE else name for name in names]
    weights = add_constant(model, f"{SCOPE}/weights", layer.weights)
    biases = add_constant(model, f"{SCOPE}/biases", layer.biases)
    product = add_onnx_node(model, "MatMul", [BELOW, weights], output=f"{SCOPE}/MatMul")
    total = add_onnx_node(model, "Add", [product, biases], output=f"{SCOPE}/add")
    add_onnx_node(model, "Relu", [total], output=FEATURE_NODE)
    del model.graph.output[:]
    shape = ["n", len(layer.biases)]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(FEATURE_NODE, onnx.TensorProto.FLOAT, shape)
    )
    return model
