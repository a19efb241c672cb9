"""Class-activation maps, computed from the end of a network.

B. Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. Where a network
ends in the mean of a feature map over all positions and a linear layer, a class's logit is the
mean, over the positions, of what the layer makes of each position alone. So the map of these
values says how much each part of the photo speaks for the class.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.backbones.engines.openvino_model import import_openvino

FINAL = ("Softmax", "LogSoftmax", "Sigmoid")  # may end a classifier
POOLS = ("ReduceMean", "AvgPool")
RESHAPES = ("Reshape", "Squeeze", "Unsqueeze", "Transpose", "Convert")


class NoActivationMap(Exception):
    """The network does not end in pooling and a linear layer; the message says what it ends in."""


@dataclass(frozen=True)
class PooledEnding:
    """The end of a network: logits = mean of the feature map over its positions @ weights + biases.

    Attributes:
        feature_map: OpenVINO's output for one picture, with K channels.
        channel_axis: The axis of the channels: 1 for (1, K, h, w), or 3.
        weights: (K, C) float32.
        biases: (C,) float32.
    """

    feature_map: Any
    channel_axis: int
    weights: np.ndarray
    biases: np.ndarray

    def maps(self, feature_map: np.ndarray) -> np.ndarray:
        """Return the classes' maps (C, h, w) for a value of `feature_map`.

        The mean of each map is the class's logit less its bias.
        """
        channels_last = np.moveaxis(feature_map[0], self.channel_axis - 1, -1)
        return np.moveaxis(channels_last @ self.weights, -1, 0)


def pooled_ending(model: Any) -> PooledEnding:
    """Return the pooled ending of an OpenVINO model with one output and shapes for one picture.

    Linear layers in a row are put together: slim's networks have a 1x1 convolution for the classes
    they were trained on, and the old tools put theirs on top. Constants that the model computes
    are replaced by their values. Raises NoActivationMap if it has another ending.
    """
    _fold_constants(model)
    node = model.output(0).get_node().input_value(0).get_node()
    if node.get_type_name() in FINAL:
        node = node.input_value(0).get_node()
    classes = _width(node)
    weights: np.ndarray = np.ones(classes)
    biases: np.ndarray = np.zeros(classes)
    while node.get_type_name() not in POOLS:
        node, matrix, shift = _linear_step(node)
        biases = biases + _product(shift[None], weights)[0]
        weights = _product(matrix, weights)
    if weights.ndim == 1:
        weights = np.diag(weights)
    feature_map = node.input_value(0)
    channel_axis = _pooled_channel_axis(node, _shape(feature_map))
    return PooledEnding(
        feature_map, channel_axis, weights.astype(np.float32), biases.astype(np.float32)
    )


def _fold_constants(model: Any) -> None:
    import_openvino()  # imported this way it sends no usage report
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


def _linear_step(node: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the node below a linear node, and its matrix (K, C) and shift (C,).

    `node` makes x @ matrix + shift of the values x (K,) of the node below. A diagonal matrix is
    given as its diagonal (K,).
    """
    kind, width = node.get_type_name(), _width(node)
    nothing, unchanged = np.zeros(width), np.ones(width)
    below = node.input_value(0).get_node()
    if kind in RESHAPES and _width(below) == width:  # these keep one picture's channels in order
        return below, unchanged, nothing
    if len(node.inputs()) != 2:
        raise _hidden(kind)
    known = _constant(node.input_value(1))
    if known is None and kind in ("Add", "Multiply"):
        below, known = node.input_value(1).get_node(), _constant(node.input_value(0))
    if known is None:
        raise _hidden(kind)
    same_width = _width(below) == width
    if kind == "MatMul":
        return below, known.T if node.get_attributes()["transpose_b"] else known, nothing
    if kind == "Convolution" and known.shape[2:] == (1, 1):
        return below, known[:, :, 0, 0].T, nothing
    if kind == "Add" and same_width:
        return below, unchanged, nothing + known.ravel()
    if kind == "Subtract" and same_width:
        return below, unchanged, nothing - known.ravel()
    if kind == "Multiply" and same_width:
        return below, unchanged * known.ravel(), nothing
    if kind == "Divide" and same_width:
        return below, unchanged / known.ravel(), nothing
    raise _hidden(kind)


def _product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Multiply two matrices; a diagonal matrix is given, and kept, as its diagonal."""
    product: np.ndarray
    if first.ndim == 2 and second.ndim == 2:
        product = first @ second
    else:
        product = (first[:, None] if second.ndim == 2 else first) * second
    return product


def _constant(value: Any) -> np.ndarray | None:
    """Return a constant's value, also if half precision converts it; None for other nodes."""
    node = value.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.get_data().astype(np.float64) if node.get_type_name() == "Constant" else None


def _width(node: Any) -> int:
    """Return the number of channels of a tensor of one picture without positions.

    Raises NoActivationMap if it has positions.
    """
    sizes = [size for size in _shape(node.output(0)) if size != 1]
    if len(sizes) > 1:
        raise NoActivationMap("its classes look at a feature map that is not averaged")
    return sizes[0] if sizes else 1


def _shape(value: Any) -> tuple[int, ...]:
    shape = value.get_partial_shape()
    if shape.is_dynamic:
        raise NoActivationMap(f"the shape of {value.get_node().get_friendly_name()} is not known")
    return tuple(shape.to_shape())


def _pooled_channel_axis(pool: Any, shape: tuple[int, ...]) -> int:
    """Return the channel axis of a feature map with this shape, all of whose positions are pooled.

    Raises NoActivationMap if not all are pooled.
    """
    if len(shape) == 4 and pool.get_type_name() == "ReduceMean":
        axes = _constant(pool.input_value(1))
        reduced = set() if axes is None else {int(axis) % 4 for axis in axes.ravel()}
        if reduced in ({2, 3}, {1, 2}):
            return 1 if reduced == {2, 3} else 3
    elif len(shape) == 4:
        facts = pool.get_attributes()
        padding = (*facts["pads_begin"], *facts["pads_end"])
        if tuple(facts["kernel"]) == shape[2:] and not any(padding):
            return 1
    raise NoActivationMap("it does not average over all positions")


def _hidden(kind: str) -> NoActivationMap:
    return NoActivationMap(f"below its classes is a hidden layer ({kind})")
