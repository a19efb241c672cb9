"""Running a TensorFlow Lite file with LiteRT's interpreter. Needs the extra `tflite`."""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from retrain.backbones.engines.litert_model import (
    Tensor,
    allocate,
    inputs_of,
    named,
    open_interpreter,
    outputs_of,
    shape_now,
)
from retrain.backbones.engines.openvino import GraphFeed
from retrain.errors import RetrainError, counted, one_line

Token = TypeVar("Token")


class TfliteEngine:
    """Runs a TensorFlow Lite file, one picture at a time, on all cores.

    Quantized inputs and outputs are real values outside of the engine.
    """

    def __init__(self, path: Path, feed: GraphFeed) -> None:
        """Load the file and make it ready for the pictures of `feed`.

        Raises KeyError if an input or output is missing, RetrainError if the file cannot be run.
        """
        cores = os.cpu_count() or 1
        self.name = f"LiteRT on {counted(cores, 'core')}"
        self._interpreter = open_interpreter(path, cores)
        self._input = named(inputs_of(self._interpreter), feed.input_node)
        self._output = named(outputs_of(self._interpreter), feed.output_node)
        try:
            height, width = feed.size or self._input.shape[1:3]
            axes = {"N": feed.batch, "H": height, "W": width, "C": feed.channels}
            allocate(self._interpreter, self._input, tuple(axes[axis] for axis in feed.layout))
            for name, value in feed.fixed:
                other = named(inputs_of(self._interpreter), name)
                sizes = [max(length, 1) for length in other.shape]
                self._interpreter.set_tensor(other.index, np.full(sizes, value, other.dtype))
        except (ValueError, RuntimeError) as error:
            raise RetrainError(f"cannot run {path.absolute()}: {one_line(error)}") from error
        self._batch = feed.batch
        self._order = ["NHWC".index(axis) for axis in feed.layout]
        self.output_shape = shape_now(self._interpreter, self._output)
        self.outputs = math.prod(self.output_shape) // feed.batch
        self._values = _values_of_pixels(self._input, feed.mean, feed.std)

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield scores (C,) float32 for each (H, W, 3) uint8 picture, in order."""
        for token, pixels in photos:
            values = self._values[pixels][None].repeat(self._batch, axis=0)
            self._interpreter.set_tensor(self._input.index, values.transpose(self._order))
            self._interpreter.invoke()
            numbers = self._interpreter.get_tensor(self._output.index)
            yield token, _real(self._output, numbers).reshape(self._batch, -1)[0]


def _values_of_pixels(given: Tensor, mean: float, std: float) -> np.ndarray:
    """Return the input's number for each of the 256 values of a pixel (256,)."""
    real = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(std)
    if given.dtype.kind == "f":
        return real.astype(given.dtype)
    numbers = real / given.scale + given.zero_point if given.quantized else real
    limits = np.iinfo(given.dtype)
    rounded: np.ndarray = np.rint(numbers).clip(limits.min, limits.max).astype(given.dtype)
    return rounded


def _real(tensor: Tensor, numbers: np.ndarray) -> np.ndarray:
    values: np.ndarray = numbers.astype(np.float32)
    if tensor.quantized:
        values = (values - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
    return values
