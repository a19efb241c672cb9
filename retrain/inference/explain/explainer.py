"""A graph as a classifier that also says where in a photo it sees what it says."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from retrain.artifacts.detect import Format, find_artefact
from retrain.backbones.engines.openvino import compile_model, read_model
from retrain.errors import RetrainError
from retrain.inference.classifier import Classifier, feed_of
from retrain.inference.explain.activation_map import NoActivationMap, pooled_ending
from retrain.inference.spec.openvino_errors import openvino_faults
from retrain.inference.spec.spec import GraphInput

Token = TypeVar("Token")


class NotExplainable(RetrainError):
    """The graph labels photos, but has no class-activation maps; the text says why."""


@dataclass(frozen=True)
class Explanation:
    """`heat` (h, w) float32: how much each part of the photo, from its top left, speaks for
    `label`, the likeliest class, which has `score`. Negative values speak against it; the mean is
    the class's logit less its bias."""

    label: str
    score: float
    heat: np.ndarray


class MapEngine:
    """Runs a graph picture by picture; `maps` (C, h, w) float32 are the class-activation maps of
    the latest one, from the inference that gave its scores.

    The mean of a class's map is its logit less its bias. Raises NotExplainable, and RetrainError
    as `compile_classifier` does.
    """

    def __init__(self, path: Path, spec: GraphInput) -> None:
        artefact = find_artefact(path)
        if artefact.format is Format.TFLITE:
            raise NotExplainable(
                f"{path.absolute()} is run by TensorFlow Lite, which shows only the scores: "
                "give the frozen graph or SavedModel that it was made of"
            )
        with openvino_faults(artefact.path):
            model = read_model(artefact.path, feed_of(spec))
            try:
                self.ending = pooled_ending(model)
            except NoActivationMap as error:
                raise NotExplainable(
                    f"there is no class-activation map of {path.absolute()}: {error}, and the map "
                    "needs average pooling over all positions with a linear head right on it"
                ) from error
            model.add_outputs([self.ending.feature_map])
            self._request = compile_model(model, "f32", 1).create_infer_request()
        self.name = "OpenVINO with class-activation maps"
        self.outputs = len(self.ending.biases)
        self._batch = spec.batch
        self.maps = np.zeros((self.outputs, 0, 0), np.float32)

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        for token, pixels in photos:
            self._request.infer({0: pixels[None].repeat(self._batch, axis=0)})
            maps = self.ending.maps(self._request.get_output_tensor(1).data)
            # Of two classes told apart by one output, what speaks for one speaks against the other.
            self.maps = np.concatenate([-maps, maps]) if self.outputs == 1 else maps
            yield token, self._request.get_output_tensor(0).data.reshape(self._batch, -1)[0].copy()


class Explainer:
    """A classifier whose answers come with their maps. Raises NotExplainable, and RetrainError as
    a Classifier."""

    def __init__(self, path: Path, spec: GraphInput, labels_file: Path | None = None) -> None:
        self.engine = MapEngine(path, spec)
        self.classifier = Classifier(path, spec, self.engine, labels_file=labels_file)

    def explain(
        self, photos: Iterable[tuple[Token, np.ndarray]]
    ) -> Iterator[tuple[Token, np.ndarray, np.ndarray]]:
        """Probabilities (C,) and the engine's maps of each decoded photo (H, W, 3) uint8."""
        for token, scores in self.classifier.scores(photos):
            yield token, scores, self.engine.maps

    def explanation(self, scores: np.ndarray) -> Explanation:
        """Of the photo that `scores` (C,) are of, which must be the latest that was asked about."""
        best = int(scores.argmax())
        return Explanation(
            self.classifier.labels[best], float(scores[best]), self.engine.maps[best]
        )
