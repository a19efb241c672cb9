"""What a graph's own operations tell of its input and output, in whatever format it came."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.label.describing.facts import Fact

PASSING = {"Convert", "FakeQuantize", "Reshape", "Result", "Squeeze", "Transpose", "Unsqueeze"}
PROBABILITY = {"Softmax": "a softmax", "Sigmoid": "a sigmoid"}
LINEAR = {"Add", "Convolution", "LogSoftmax", "MatMul", "Multiply", "Subtract"}
UNIT_VALUES = 4.0  # networks see values near [-1, 1], or in units of their standard deviation


@dataclass(frozen=True)
class Traits:
    """`sizes`: height and width of the input, 0 where left open. `last`: the kind of operation
    that makes the output. `slope`, `offset`: the graph first takes slope * x + offset of its input
    (1 and 0 where it does not scale)."""

    sizes: tuple[int, int]
    takes_bytes: bool
    last: str
    slope: float
    offset: float


def traits_of(model: Any) -> Traits:
    """Of OpenVINO's model with one input, a batch of NHWC pictures, and one output."""
    given = model.input()
    shape = given.get_partial_shape()
    open_sizes = not shape.rank.is_static or shape.rank.get_length() != 4
    sizes = (0, 0) if open_sizes else (_length(shape[1]), _length(shape[2]))
    operation = model.output().get_node()
    while operation.get_type_name() in PASSING:
        operation = operation.input_value(0).get_node()
    slope, offset = _first_scaling(given)
    takes_bytes = given.get_element_type().get_type_name() == "u8"
    return Traits(sizes, takes_bytes, operation.get_type_name(), slope, offset)


def scaling_fact(traits: Traits) -> Fact[tuple[float, float]] | None:
    """Mean and std, where the graph's first operations leave no doubt about them."""
    if traits.takes_bytes:
        return Fact((0.0, 1.0), "the input takes bytes")
    if (traits.slope, traits.offset) == (1.0, 0.0):
        return None
    for top, scaling in ((255.0, (0.0, 1.0)), (1.0, (0.0, 255.0))):
        high = traits.slope * top + traits.offset
        if -UNIT_VALUES <= traits.offset <= 0 and 0.5 < high <= UNIT_VALUES:
            own = f"{traits.slope:.4g} * x" + (f" - {-traits.offset:.4g}" if traits.offset else "")
            return Fact(scaling, f"the graph itself takes {own}, so x goes from 0 to {top:g}")
    return None


def logits_fact(traits: Traits) -> Fact[bool]:
    """Whether a softmax is to be applied to the output."""
    if traits.last in PROBABILITY:
        return Fact(False, f"the output is {PROBABILITY[traits.last]}")
    if traits.last in LINEAR:
        return Fact(True, "the graph ends without one")
    return Fact(False, f"nobody knows what its last operation, {traits.last}, gives", guessed=True)


def _length(dimension: Any) -> int:
    return dimension.get_length() if dimension.is_static else 0


def _first_scaling(tensor: Any) -> tuple[float, float]:
    """Slope and offset; of those that differ by channel, the means."""
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
    """The mean of the constant that is the other of two operands; None for anything else."""
    if operation.get_input_size() != 2:
        return None
    other = operation.input_value(1 - position).get_node()
    if other.get_type_name() != "Constant":
        return None
    return float(np.mean(other.get_data()))
