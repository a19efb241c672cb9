"""ONNX files of a few bytes, as other tools export them."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

KERNEL = np.random.default_rng(0).normal(0, 0.2, (8, 3, 3, 3)).astype(np.float32)


def write_onnx(
    path: Path,
    *,
    first: bool = True,
    pooled: bool = True,
    batch: int | str = "n",
    channels: int = 3,
) -> Path:
    """A convolution and an average: a network of a few bytes, as other tools export them."""
    helper = onnx.helper
    image = [batch, channels, 32, 32] if first else [batch, 32, 32, channels]
    nodes = [] if first else [helper.make_node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2])]
    source = "image" if first else "t"
    nodes += [
        helper.make_node("Conv", [source, "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["map"]),
    ]
    output, shape = "map", [batch, 8, 16, 16]
    if pooled:
        nodes.append(helper.make_node("GlobalAveragePool", ["map"], ["p"]))
        nodes.append(helper.make_node("Flatten", ["p"], ["vector"]))
        output, shape = "vector", [batch, 8]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", 1, image)],
        [helper.make_tensor_value_info(output, 1, shape)],
        [onnx.numpy_helper.from_array(KERNEL[:, :channels], "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))
    return path
