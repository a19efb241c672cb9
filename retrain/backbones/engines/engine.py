"""Choosing the engine for a backbone, from those in the table."""

import logging
from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.table import AUTO, ENGINES, EngineEntry
from retrain.errors import RetrainError, UsageFault
from retrain.utils.tensorflow import PIP_LINE

log = logging.getLogger(__name__)

Token = TypeVar("Token")

# Of the largest feature. Measured differences are near 1e-5 in f32; bf16 keeps 8 bits in each of
# some thirty layers.
TOLERANCES = {"f32": 1e-3, "bf16": 0.15}


class Engine(Protocol):
    """Runs a graph on pictures; `name` says for users what runs where."""

    name: str

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield a feature vector (D,) float32 for each (H, W, 3) uint8 picture, in order.

        A picture's features do not depend on its neighbours, to the bit.
        """
        ...


def choose_engine(wanted: str, backbone: Backbone, precision: str) -> Engine:
    """Return the engine that is wanted, or the best one for this machine and module.

    Args:
        wanted: A name in ENGINES, or `auto`: the first installed one that can run the module, on a
            machine with an NVIDIA GPU the one for that.
        backbone: The module.
        precision: `f32` or `bf16`.

    Raises:
        UsageFault: The wanted engine does not run modules that came in ONNX.
        RetrainError: It cannot run this one, or its answers are not those of the reference,
            which were recorded when the module was frozen.
    """
    able = {name: one for name, one in ENGINES.items() if one.runs_onnx or not backbone.is_onnx}
    if wanted != AUTO:
        if wanted not in able:
            raise UsageFault(
                f"{ENGINES[wanted].title} cannot run the ONNX module {backbone.info.name}: leave "
                f"out --engine {wanted}"
            )
        return _opened(ENGINES[wanted], backbone, precision)
    absent = [one.title for one in able.values() if not one.is_installed]
    able = {name: one for name, one in able.items() if one.is_installed}
    if _nvidia_gpu_present():
        on_gpu = {name: one for name, one in able.items() if one.on_gpu}
        if not on_gpu and absent:
            log.warning(f"the GPU is not used, because {absent[0]} is not installed: {PIP_LINE}")
        able = on_gpu or able
    for entry, then in pairwise(able.values()):
        try:
            return _opened(entry, backbone, precision)
        except RetrainError as error:
            log.warning(f"{error}; using {then.title}, which is slower")
    try:
        return _opened([*able.values()][-1], backbone, precision)
    except RetrainError as error:
        if not absent:
            raise
        raise RetrainError(f"{error}; {absent[0]} may, and is not installed: {PIP_LINE}") from error


def _opened(entry: EngineEntry, backbone: Backbone, precision: str) -> Engine:
    """Open an engine; one that is not the reference is compared with it."""
    engine: Engine = import_module(entry.module).open_backbone(backbone, precision)
    if not entry.is_reference:
        _check_answers(engine, entry.title, backbone, tolerance=TOLERANCES[precision])
    return engine


def _check_answers(engine: Engine, title: str, backbone: Backbone, *, tolerance: float) -> None:
    own = "ONNX's reference" if backbone.is_onnx else "TensorFlow's"
    pixels, expected = backbone.read_reference()
    given = feature_vectors(engine, pixels)
    gap = float(np.abs(given - expected).max() / np.abs(expected).max())
    if not gap <= tolerance:
        raise RetrainError(
            f"{title}'s features of {backbone.info.name} differ from {own} by {gap:.1%}"
        )


def feature_vectors(engine: Engine, pixels: Iterable[np.ndarray]) -> np.ndarray:
    """Return the features (n, D) float32 of n pictures, each (H, W, 3) uint8, in their order."""
    return np.stack([vector for _, vector in engine.run(enumerate(pixels))])


def _nvidia_gpu_present() -> bool:
    """Tell whether there is an NVIDIA GPU, by its driver's file in /proc, without TensorFlow."""
    return Path("/proc/driver/nvidia/version").exists()
