"""A module's inference network, in the form that freezing needs."""

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

    Attributes:
        kind: The format that it came in, for users.
        graph: The GraphDef.
        images: The input tensor's name: float32 [batch, height, width, channels].
        features: The name of the output tensor with the features.
        logits: The name of the output tensor with class scores, if there is one.
        height: Of the input; None where the network takes any.
        width: Of the input; None where the network takes any.
        channels: 3, or 1 for grey.
        input_range: (low, high) of the input's values.
        answer: Runs the module itself, before anything was done to it.
        remarks: What was chosen for the user, in words.
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
    """Return height, width (None where open) and channels of an input's `TensorShape`.

    Raises RetrainError unless it is [batch, height, width, 1 or 3].
    """
    if shape.rank != 4 or shape[3] not in (1, 3):
        raise RetrainError(
            f"{path.absolute()} does not take pictures as [batch, height, width, 3] "
            f"(its input: {shape}): give a module for images"
        )
    return shape[1], shape[2], shape[3]


def chosen_output(names: list[str], path: Path) -> str:
    """Return which of a module's named outputs has the features: `default`, or the only one.

    Raises RetrainError if that is not clear.
    """
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
