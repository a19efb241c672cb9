"""TensorFlow Lite files in LiteRT's interpreter: inputs and outputs. Needs the extra `tflite`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrain.artifacts.safety.other_formats import check_tflite
from retrain.errors import RetrainError, one_line
from retrain.utils.optional import require
from retrain.utils.tensorflow import silent_stderr


@dataclass(frozen=True)
class Tensor:
    """An input or output; its real values are (number - zero_point) * scale.

    Attributes:
        index: Its number in the interpreter.
        name: As the file has it.
        shape: -1 where open.
        dtype: Of its numbers.
        scale: 0 where the numbers are the values.
        zero_point: See above.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    @property
    def quantized(self) -> bool:
        """Whether its numbers are whole and have a scale."""
        return bool(self.scale) and self.dtype.kind in "iu"


def open_interpreter(path: Path, threads: int) -> Any:
    """Open a file in LiteRT's interpreter and return that.

    Raises RetrainError if the package is not installed or the file cannot be used, and UnsafeGraph,
    which is one, if it holds operations that are not TensorFlow Lite's own.
    """
    check_tflite(path)
    require("ai-edge-litert", "tflite", "running TensorFlow Lite files")
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(str(path), num_threads=threads)
    except (ValueError, RuntimeError, OSError) as error:
        raise RetrainError(f"cannot run {path.absolute()}: {one_line(error)}") from error


def allocate(interpreter: Any, given: Tensor, shape: tuple[int, ...]) -> None:
    """Make an interpreter ready for an input of this shape; raise ValueError or RuntimeError."""
    with silent_stderr():  # LiteRT prints its kernels, and no option stops it (LiteRT#7420)
        interpreter.resize_tensor_input(given.index, shape)
        interpreter.allocate_tensors()


def inputs_of(interpreter: Any) -> list[Tensor]:
    """List an interpreter's inputs."""
    return [_tensor(details) for details in interpreter.get_input_details()]


def outputs_of(interpreter: Any) -> list[Tensor]:
    """List an interpreter's outputs."""
    return [_tensor(details) for details in interpreter.get_output_details()]


def shape_now(interpreter: Any, made: Tensor) -> tuple[int, ...]:
    """Return the shape of an output, once the interpreter is ready.

    A size that depends on the pictures' values is 0.
    """
    for details in interpreter.get_output_details():
        if details["index"] == made.index:
            return tuple(int(size) for size in details["shape"])
    raise KeyError(made.name)


def named(tensors: list[Tensor], name: str) -> Tensor:
    """Return the tensor with this name, with or without `:0`; raise KeyError if there is none."""
    for tensor in tensors:
        if tensor.name.removesuffix(":0") == name.removesuffix(":0"):
            return tensor
    raise KeyError(name)


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape_signature"])
    return Tensor(
        details["index"],
        details["name"],
        shape or tuple(int(size) for size in details["shape"]),
        np.dtype(details["dtype"]),
        float(scale),
        int(zero_point),
    )
