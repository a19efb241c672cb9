"""A module's inference network, read from whatever format it came in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrain.errors import RetrainError

UNIT_RANGE = (0.0, 1.0)  # TF Hub's common signature for images


@dataclass(frozen=True)
class Network:
    """A TensorFlow graph whose variables have become constants.

    `features` and `logits` are the names of its output tensors, `images` that of its input:
    float32 [batch, height, width, channels] with values in `input_range`; a size is None where the
    network takes any. `answer` runs the module itself, before anything was done to it.
    `remarks` are for the user: what was chosen for him.
    """

    kind: str
    graph: Any
    images: str
    features: str
    logits: str | None
    height: int | None
    width: int | None
    channels: int
    input_range: tuple[float, float]
    answer: Callable[[np.ndarray], np.ndarray]
    remarks: tuple[str, ...] = ()


def image_shape(shape: Any, path: Path) -> tuple[int | None, int | None, int]:
    """Height, width (None where open) and channels of an input's `TensorShape`.

    Raises RetrainError unless it is [batch, height, width, 1 or 3].
    """
    if shape.rank != 4 or shape[3] not in (1, 3):
        raise RetrainError(
            f"{path.absolute()} does not take pictures as [batch, height, width, 3] "
            f"(its input: {shape}): give a module for images"
        )
    return shape[1], shape[2], shape[3]


def chosen_output(names: list[str], path: Path) -> str:
    """Which of a module's named outputs is the feature vector: `default`, or the only one."""
    known = ("default", "feature_vector", "image_feature_vector")
    found = next((name for name in known if name in names), None)
    if found is None and len(names) == 1:
        return names[0]
    if found is None:
        raise RetrainError(
            f"{path.absolute()} has several outputs ({', '.join(sorted(names)[:8])}) and none is "
            "called 'default': give a module of the image_feature_vector kind"
        )
    return found
