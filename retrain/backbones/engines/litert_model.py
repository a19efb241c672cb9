"""TensorFlow Lite files: their interpreter, inputs and outputs. Needs the extra `tflite`."""

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
    """An input or output. `shape`: -1 where open. Real values are (number - zero_point) * scale;
    scale 0: the numbers are the values."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    @property
    def quantized(self) -> bool:
        return bool(self.scale) and self.dtype.kind in "iu"


def open_interpreter(path: Path, threads: int) -> Any:
    """Raises RetrainError if the package is not installed or the file cannot be used, its kind
    UnsafeGraph if it holds operations that are not TensorFlow Lite's own."""
    check_tflite(path)
    require("ai-edge-litert", "tflite", "running TensorFlow Lite files")
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(str(path), num_threads=threads)
    except (ValueError, RuntimeError, OSError) as error:
        raise RetrainError(f"cannot run {path.absolute()}: {one_line(error)}") from error


def allocate(interpreter: Any, given: Tensor, shape: tuple[int, ...]) -> None:
    """Makes it ready for an input of this shape. Raises ValueError or RuntimeError if it cannot."""
    with silent_stderr():  # LiteRT tells of its kernels, and cannot be told not to (LiteRT#7420)
        interpreter.resize_tensor_input(given.index, shape)
        interpreter.allocate_tensors()


def inputs_of(interpreter: Any) -> list[Tensor]:
    return [_tensor(details) for details in interpreter.get_input_details()]


def outputs_of(interpreter: Any) -> list[Tensor]:
    return [_tensor(details) for details in interpreter.get_output_details()]


def shape_now(interpreter: Any, made: Tensor) -> tuple[int, ...]:
    """The shape of an output, once the interpreter is ready; a size that follows from the values of
    the pictures is 0."""
    for details in interpreter.get_output_details():
        if details["index"] == made.index:
            return tuple(int(size) for size in details["shape"])
    raise KeyError(made.name)


def named(tensors: list[Tensor], name: str) -> Tensor:
    """The one with this name, `:0` or not. Raises KeyError."""
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
