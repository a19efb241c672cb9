"""Traits: what a graph's own operations tell of its input and output, in any format."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.inference.spec.facts import Fact
from retrain.inference.spec.spec import NCHW, NHWC

PASSING = {"Convert", "FakeQuantize", "Reshape", "Result", "Squeeze", "Transpose", "Unsqueeze"}
PROBABILITY = {"Softmax": "a softmax", "Sigmoid": "a sigmoid"}
LINEAR = {"Add", "Convolution", "LogSoftmax", "MatMul", "Multiply", "Subtract"}
WHOLE_NUMBERS = {"u8": 0, "i8": -128, "i16": 0, "u16": 0, "i32": 0, "u32": 0, "i64": 0}
BEFORE_CONVOLUTION = {"Add", "Convert", "Divide", "FakeQuantize", "Multiply", "Pad", "Subtract"}
MOST_STEPS = 20
UNIT_VALUES = 4.0  # networks see values near [-1, 1], or in units of their standard deviation


@dataclass(frozen=True)
class Traits:
    """What the operations tell.

    Attributes:
        shape: Of the input: -1 where left open, None where all of it is.
        black: Where the input takes whole numbers, which of them is black.
        last: The kind of operation that makes the output.
        slope: The graph first computes slope * x + offset of its input; 1 where it does not scale.
        offset: See `slope`; 0 where it does not scale.
        layout: As the first convolution takes it; "" where there is none to see.
        channels: As the first convolution takes them; 0 where there is none to see.
    """

    shape: tuple[int, ...] | None = None
    black: int | None = None
    last: str = ""
    slope: float = 1.0
    offset: float = 0.0
    layout: str = ""
    channels: int = 0


def traits_of(model: Any) -> Traits:
    """Return the traits of an OpenVINO model from a batch of pictures to one output."""
    given = model.input()
    partial = given.get_partial_shape()
    shape = tuple(_length(each) for each in partial) if partial.rank.is_static else None
    operation = model.output().get_node()
    while operation.get_type_name() in PASSING:
        operation = operation.input_value(0).get_node()
    slope, offset = _first_scaling(given)
    black = WHOLE_NUMBERS.get(given.get_element_type().get_type_name())
    return Traits(
        shape, black, operation.get_type_name(), slope, offset, *_first_convolution(given)
    )


def scaling_fact(traits: Traits) -> Fact[tuple[float, float]] | None:
    """Return mean and std, or None where the graph's first operations leave a doubt about them."""
    if traits.black is not None:
        return Fact((float(-traits.black), 1.0), "the input takes bytes")
    if (traits.slope, traits.offset) == (1.0, 0.0):
        return None
    for top, scaling in ((255.0, (0.0, 1.0)), (1.0, (0.0, 255.0))):
        high = traits.slope * top + traits.offset
        if -UNIT_VALUES <= traits.offset <= 0 and 0.5 < high <= UNIT_VALUES:
            own = f"{traits.slope:.4g} * x" + (f" - {-traits.offset:.4g}" if traits.offset else "")
            return Fact(scaling, f"the graph itself takes {own}, so x goes from 0 to {top:g}")
    return None


def logits_fact(traits: Traits) -> Fact[bool]:
    """Return whether a softmax has to be applied to the output."""
    if traits.last in PROBABILITY:
        return Fact(False, f"the output is {PROBABILITY[traits.last]}")
    if traits.last in LINEAR:
        return Fact(True, "the graph ends without one")
    return Fact(False, f"nobody knows what its last operation, {traits.last}, gives", guessed=True)


def _length(dimension: Any) -> int:
    return dimension.get_length() if dimension.is_static else -1


def _first_convolution(tensor: Any) -> tuple[str, int]:
    """Return layout and channels as the first convolution takes them; "" and 0 if none is seen.

    OpenVINO's convolutions take channels first, so pictures that come with channels last are
    transposed before.
    """
    layout = NCHW
    for _ in range(MOST_STEPS):
        uses = [
            use for use in tensor.get_target_inputs() if use.get_node().get_type_name() != "ShapeOf"
        ]
        if len(uses) != 1:
            return "", 0
        operation = uses[0].get_node()
        kind = operation.get_type_name()
        if kind in ("Convolution", "GroupConvolution") and uses[0].get_index() == 0:
            kernel = operation.input_value(1).get_partial_shape()
            at = 1 if kind == "Convolution" else 0  # [out, in, h, w] or [groups, out, in, h, w]
            known = kernel.rank.is_static and kernel[at].is_static
            return layout, kernel[at].get_length() if known else 0
        if kind == "Transpose":
            order = operation.input_value(1).get_node()
            if order.get_type_name() != "Constant" or list(order.get_data()) != [0, 3, 1, 2]:
                return "", 0
            layout = NHWC
        elif kind not in BEFORE_CONVOLUTION:
            return "", 0
        tensor = operation.output(0)
    return "", 0


def _first_scaling(tensor: Any) -> tuple[float, float]:
    """Return slope and offset; the means of those that differ by channel."""
    slope, offset = 1.0, 0.0
    while True:
        uses = [
            use for use in tensor.get_target_inputs() if use.get_node().get_type_name() != "ShapeOf"
        ]
        if len(uses) != 1:
            return slope, offset
        operation, position = uses[0].get_node(), uses[0].get_index()
        kind = operation.get_type_name()
        if kind not in ("Convert", "Transpose"):
            value = _other_operand(operation, position)
            if value is None:
                return slope, offset
            if kind == "Multiply":
                slope, offset = slope * value, offset * value
            elif kind == "Divide" and position == 0:
                slope, offset = slope / value, offset / value
            elif kind == "Add":
                offset += value
            elif kind == "Subtract" and position == 0:
                offset -= value
            else:
                return slope, offset
        tensor = operation.output(0)


def _other_operand(operation: Any, position: int) -> float | None:
    """Return the mean of the constant that is the other of two operands; None for anything else."""
    if operation.get_input_size() != 2:
        return None
    other = operation.input_value(1 - position).get_node()
    if other.get_type_name() != "Constant":
        return None
    with np.errstate(all="ignore"):  # a damaged file may hold anything
        return float(np.mean(other.get_data()))
