"""TensorFlow's engine: the reference, and the engine on a GPU."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from retrain.artifacts.safety.tensorflow_graphs import check_graph
from retrain.backbones.backbone import FEATURE_NODE, INPUT_NODE, Backbone
from retrain.utils.tensorflow import import_tensorflow, require_tensorflow

Token = TypeVar("Token")

GPU_BATCH = 32


def open_backbone(backbone: Backbone, precision: str) -> "TensorFlowEngine":
    """Return the engine of a frozen module, at precision `f32` or `bf16`."""
    require_tensorflow("--engine tensorflow")
    return TensorFlowEngine(backbone.graph_path, FEATURE_NODE, precision)


class TensorFlowEngine:
    """Runs a frozen graph with TensorFlow.

    On CPUs one picture at a time, because the last bits of a picture's features depend on its place
    in a batch there (on AMD's processors, by 3e-6). On a GPU in full batches only; the last one is
    filled up.
    """

    def __init__(self, graph: Path, output: str, precision: str = "f32") -> None:
        tf = import_tensorflow()
        definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
        check_graph(definition, graph)
        with tf.Graph().as_default() as runnable:
            self._pixels = tf.compat.v1.placeholder(tf.uint8)
            images = tf.cast(self._pixels, tf.float32) / 255.0
            (self._features,) = tf.graph_util.import_graph_def(
                definition,
                input_map={f"{INPUT_NODE}:0": images},
                return_elements=[f"{output}:0"],
                name="",
            )
        # A session has its own precision; that of tf.function would hold for the whole process.
        self._session = tf.compat.v1.Session(graph=runnable, config=_config(tf, precision))
        gpus = tf.config.list_physical_devices("GPU")
        self._batch = GPU_BATCH if gpus else 1
        self.name = f"TensorFlow {tf.__version__} on {'GPU' if gpus else 'CPU'}"

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield a feature vector (D,) for each picture, in order; see `Engine.run`."""
        rest = iter(photos)
        while batch := list(islice(rest, self._batch)):
            pixels = np.stack([picture for _, picture in batch])
            padding = np.zeros((self._batch - len(batch), *pixels.shape[1:]), np.uint8)
            full = np.concatenate([pixels, padding])
            features = self._session.run(self._features, {self._pixels: full})
            for (token, _), vector in zip(batch, features[: len(batch)], strict=True):
                yield token, vector


def _config(tf: Any, precision: str) -> Any:
    config = tf.compat.v1.ConfigProto()
    if precision == "bf16":
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = type(rewrites).ON
    return config
