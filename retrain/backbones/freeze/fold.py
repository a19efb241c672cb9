"""Making a frozen graph small: fold constants, merge batch normalisation into convolutions."""

from typing import Any

import numpy as np

STEPS = ("pruning", "constfold", "common_subgraph_elimination", "arithmetic", "dependency")


def fold(tf: Any, graph: Any, outputs: list[str]) -> Any:
    """Return the part of a graph that `outputs` (nodes) need, as the same function in fewer nodes.

    Uses TensorFlow's graph optimiser and those parts of its `optimize_for_inference` that merge
    batch normalisations, fused and decomposed ones, into the convolutions before them.
    """
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.python.grappler import tf_optimizer
    from tensorflow.python.tools import optimize_for_inference_lib as inference

    v1 = tf.compat.v1
    graph = v1.graph_util.remove_training_nodes(graph, protected_nodes=outputs)
    graph = inference.fold_batch_norms(inference.fuse_decomposed_batch_norm(graph))
    meta = MetaGraphDef(graph_def=graph)
    meta.collection_def["train_op"].node_list.value.extend(outputs)
    config = v1.ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.optimizers.extend(STEPS)
    rewrites.min_graph_nodes = -1
    graph = _scale_depthwise(tf, tf_optimizer.OptimizeGraph(config, meta))
    for node in graph.node:  # no node has side effects, so the order of execution does not matter
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
    return v1.graph_util.extract_sub_graph(graph, outputs)


def _scale_depthwise(tf: Any, graph: Any) -> Any:
    """Merge constant scales after depthwise convolutions into their kernels.

    TensorFlow's optimiser does so for ordinary convolutions only.
    """
    nodes = {node.name: node for node in graph.node}
    used: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            used[name] = used.get(name, 0) + 1
    for node in graph.node:
        if node.op != "Mul":
            continue
        sources = [nodes.get(name) for name in node.input]
        convolution = next((s for s in sources if s and s.op == "DepthwiseConv2dNative"), None)
        scale = next((s for s in sources if s and s.op == "Const"), None)
        if convolution is None or scale is None or used[convolution.name] != 1:
            continue
        kernel = nodes.get(convolution.input[1])
        if kernel is None or kernel.op != "Const" or used[kernel.name] != 1:
            continue
        weights, factors = (tf.make_ndarray(n.attr["value"].tensor) for n in (kernel, scale))
        channels = weights.shape[2] * weights.shape[3]
        if factors.size not in (1, channels) or factors.shape[-1:] not in ((), (factors.size,)):
            continue
        scaled = weights * np.broadcast_to(factors.ravel(), channels).reshape(weights.shape[2:])
        kernel.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(scaled.astype(weights.dtype)))
        merged = tf.compat.v1.NodeDef()
        merged.CopyFrom(convolution)
        merged.name = node.name
        node.CopyFrom(merged)
    return graph
