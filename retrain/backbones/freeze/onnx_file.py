"""Freezing ONNX files: an ONNX graph of the same form as the frozen TensorFlow ones."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.onnx import add_constant, add_node, import_onnx, read_onnx
from retrain.backbones.backbone import (
    FEATURE_NODE,
    INPUT_NODE,
    ONNX_FILE,
    REFERENCE_FILE,
    Backbone,
    BackboneInfo,
    read_backbone,
    reference_pixels,
    write_info,
)
from retrain.backbones.freeze.freeze import input_size
from retrain.backbones.freeze.input_config import InputConfig
from retrain.backbones.freeze.network import UNIT_RANGE
from retrain.errors import RetrainError, one_line

LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R 601-2, as Pillow's


def freeze_onnx(
    path: Path, name: str, fingerprint: str, *, wanted: InputConfig, folder: Path
) -> Backbone:
    """Write an ONNX module's frozen graph, its facts and reference answers; return the backbone.

    The graph goes from `Placeholder` [n, H, W, 3] in [0, 1] to `feature_vector` [n, D]. The file's
    own input may be [n, C, H, W] or [n, H, W, C], C being 1 or 3; a feature map is averaged. The
    answers that engines are compared with come from ONNX's reference implementation.

    Args:
        path: The ONNX file.
        name: The module's name.
        fingerprint: The identity of the module's files.
        wanted: The user's settings of the input.
        folder: An existing folder for the files.

    Returns:
        The backbone in `folder`.

    Raises:
        RetrainError: The file cannot be used as a module.
    """
    onnx = import_onnx()
    source = _with_names_of_its_own(read_onnx(path))
    image = _image_input(source, path)
    dims = image.type.tensor_type.shape.dim
    sizes = [dim.dim_value for dim in dims]
    if len(sizes) != 4 or not {1, 3} & {sizes[1], sizes[3]}:
        raise RetrainError(
            f"{path.absolute()} does not take pictures as [batch, 3, height, width] or "
            f"[batch, height, width, 3] (its input: {sizes}): give a model for images"
        )
    first = sizes[3] not in (1, 3)  # channels come before height and width
    own_height, own_width, channels = (sizes[2], sizes[3], sizes[1]) if first else sizes[1:]
    height, width = input_size(own_height or None, own_width or None, wanted, module=path)
    known = (channels, height, width) if first else (height, width, channels)
    for dim, size in zip(dims[1:], known, strict=True):
        dim.dim_value = size
    low, high = wanted.value_range or UNIT_RANGE

    output = onnx.shape_inference.infer_shapes(source).graph.output[0]
    shape = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
    if len(shape) not in (2, 4) or not shape[1]:
        raise RetrainError(
            f"{path.absolute()} does not give one feature vector for each picture "
            f"(its output {output.name}: {shape}): give a model without its classifier"
        )

    model = onnx.ModelProto()
    model.CopyFrom(source)
    graph = model.graph
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    value_info = onnx.helper.make_tensor_value_info
    graph.input.append(value_info(INPUT_NODE, 1, ["n", height, width, 3]))
    graph.output.append(value_info(FEATURE_NODE, 1, ["n", shape[1]]))
    current = INPUT_NODE
    if channels == 1:
        luma = add_constant(model, "retrain/luma", LUMA)
        current = add_node(model, "MatMul", [current, luma], output="retrain/grey")
    scale = add_constant(model, "retrain/scale", np.array(high - low, np.float32))
    offset = add_constant(model, "retrain/offset", np.array(low, np.float32))
    current = add_node(model, "Mul", [current, scale], output="retrain/scaled")
    current = add_node(model, "Add", [current, offset], output="retrain/ranged")
    moved = {"perm": [0, 3, 1, 2]} if first else {"perm": [0, 1, 2, 3]}
    add_node(model, "Transpose", [current], output=image.name, **moved)
    graph.node.extend(source.graph.node)
    features = output.name
    if len(shape) == 4:
        features = add_node(model, "GlobalAveragePool", [features], output="retrain/pooled")
    add_node(model, "Flatten", [features], output=FEATURE_NODE, axis=1)
    onnx.save(model, str(folder / ONNX_FILE))

    pixels = reference_pixels(height, width)[:1]  # one: the reference implementation is slow
    expected = _reference_answer(model, pixels, path)
    if expected.shape != (1, shape[1]):
        raise RetrainError(
            f"{path.absolute()} says that its output {output.name} holds {shape[1]} numbers for a "
            f"picture, and gives {math.prod(expected.shape[1:])}: export it again"
        )
    np.savez_compressed(folder / REFERENCE_FILE, pixels=pixels, features=expected)
    write_info(
        folder,
        BackboneInfo(
            name=name,
            fingerprint=fingerprint + wanted.suffix,
            height=height,
            width=width,
            feature_width=shape[1],
            has_logits=False,
            kind="ONNX model",
            channels=channels,
            input_range=(low, high),
        ),
    )
    return read_backbone(folder)


def _with_names_of_its_own(model: Any) -> Any:
    """Return the model, with `module/` before each name if it uses ours, as our exports do."""
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    names |= {value.name for value in (*model.graph.input, *model.graph.initializer)}
    ours = {INPUT_NODE, FEATURE_NODE}
    if not any(name in ours or name.startswith("retrain/") for name in names):
        return model
    return import_onnx().compose.add_prefix(model, "module/")


def _image_input(model: Any, path: Path) -> Any:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise RetrainError(
            f"{path.absolute()} has {len(inputs)} inputs: give a model that takes one batch of "
            "pictures"
        )
    return inputs[0]


def _reference_answer(model: Any, pixels: np.ndarray, path: Path) -> np.ndarray:
    from onnx.reference import ReferenceEvaluator

    try:
        (features,) = ReferenceEvaluator(model).run(None, {INPUT_NODE: pixels / np.float32(255)})
    except Exception as error:  # an operation that the reference lacks raises its own kind
        raise RetrainError(
            f"{path.absolute()} cannot be run by ONNX's reference implementation: "
            f"{one_line(error)}; give it as a SavedModel folder"
        ) from error
    return np.asarray(features, np.float32)
