"""Choosing the engine for a backbone: OpenVINO, or TensorFlow as the reference."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from retrain.backbones.backbone import FEATURE_NODE, Backbone
from retrain.errors import RetrainError, UsageFault, one_line

log = logging.getLogger(__name__)

Token = TypeVar("Token")

F32_TOLERANCE = 1e-3  # of the largest feature; measured differences are near 1e-5
BF16_TOLERANCE = 0.15  # bf16 keeps 8 bits in each of some thirty layers


class Engine(Protocol):
    """Runs a graph on pictures; `name` says for users what runs where."""

    name: str

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield a feature vector (D,) float32 for each (H, W, 3) uint8 picture, in order.

        A picture's features do not depend on its neighbours, to the bit.
        """
        ...


def choose_engine(wanted: str, backbone: Backbone, precision: str) -> Engine:
    """Return the engine for `auto`, `openvino` or `tensorflow`, at precision `f32` or `bf16`.

    `auto` is TensorFlow where there is an NVIDIA GPU, else OpenVINO. OpenVINO is first compared
    with TensorFlow's own answers, recorded when the module was frozen; if it cannot read the graph
    or its answers differ, `auto` falls back to TensorFlow and `openvino` raises RetrainError.
    A module that came in ONNX is run by OpenVINO only.
    """
    if backbone.is_onnx:
        if wanted == "tensorflow":
            raise UsageFault(
                f"TensorFlow cannot run the ONNX module {backbone.info.name}: leave out "
                "--engine tensorflow"
            )
        return _checked_openvino(backbone, precision)
    if wanted == "tensorflow" or (wanted == "auto" and _nvidia_gpu_present()):
        return _tensorflow(backbone, precision)
    try:
        return _checked_openvino(backbone, precision)
    except RetrainError as error:
        if wanted == "openvino":
            raise
        log.warning(f"{error}; using TensorFlow, which is slower")
        return _tensorflow(backbone, precision)


def _tensorflow(backbone: Backbone, precision: str) -> Engine:
    from retrain.backbones.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(backbone.graph_path, FEATURE_NODE, precision)


def _checked_openvino(backbone: Backbone, precision: str) -> Engine:
    from retrain.backbones.engines.openvino import GraphFeed, OpenVinoEngine, compile_graph

    try:
        feed = GraphFeed(FEATURE_NODE)
        engine = OpenVinoEngine(
            compile_graph(backbone.graph_path, feed, precision, streams=os.cpu_count() or 1)
        )
    except RuntimeError as error:
        raise RetrainError(
            f"OpenVINO cannot run {backbone.info.name}: {one_line(error)}"
        ) from error
    own = "ONNX's reference" if backbone.is_onnx else "TensorFlow's"
    pixels, expected = backbone.read_reference()
    given = np.stack([vector for _, vector in sorted(engine.run(enumerate(pixels)),
                                                     key=lambda pair: pair[0])])  # fmt: skip
    gap = float(np.abs(given - expected).max() / np.abs(expected).max())
    if not gap <= (F32_TOLERANCE if precision == "f32" else BF16_TOLERANCE):
        raise RetrainError(
            f"OpenVINO's features of {backbone.info.name} differ from {own} by {gap:.1%}"
        )
    return engine


def _nvidia_gpu_present() -> bool:
    """Tell whether there is an NVIDIA GPU, by its driver's file in /proc, without TensorFlow."""
    return Path("/proc/driver/nvidia/version").exists()
