"""Explainer: a classifier that also shows where in a photo it sees the label."""

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
from retrain.inference.spec.spec import InputSpec

Token = TypeVar("Token")


class NotExplainable(RetrainError):
    """The graph labels photos, but has no class-activation maps; the message says why."""


@dataclass(frozen=True)
class Explanation:
    """The likeliest label of a photo, and how much each part of the photo speaks for it.

    Attributes:
        label: The likeliest class.
        score: Its probability.
        heat: (h, w) float32, from the photo's top left. Negative values speak against the label;
            the mean is the class's logit less its bias.
    """

    label: str
    score: float
    heat: np.ndarray


class MapEngine:
    """An engine that runs a graph picture by picture and keeps the class-activation maps.

    `maps` (C, h, w) float32 are those of the latest picture, from the inference that gave its
    scores. The mean of a class's map is its logit less its bias.
    """

    def __init__(self, path: Path, spec: InputSpec) -> None:
        """Compile the graph; raise NotExplainable, or RetrainError as `compile_classifier` does."""
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
        """Yield the scores (C,) of each decoded photo (H, W, 3) uint8, in order."""
        for token, pixels in photos:
            self._request.infer({0: pixels[None].repeat(self._batch, axis=0)})
            maps = self.ending.maps(self._request.get_output_tensor(1).data)
            # With one output for two classes, what speaks for one speaks against the other.
            self.maps = np.concatenate([-maps, maps]) if self.outputs == 1 else maps
            yield token, self._request.get_output_tensor(0).data.reshape(self._batch, -1)[0].copy()


class Explainer:
    """A classifier whose answers come with their maps."""

    def __init__(self, path: Path, spec: InputSpec, labels_file: Path | None = None) -> None:
        """Open the graph; raise NotExplainable, or RetrainError as `Classifier` does."""
        self.engine = MapEngine(path, spec)
        self.classifier = Classifier(path, spec, self.engine, labels_file=labels_file)

    def explain(
        self, photos: Iterable[tuple[Token, np.ndarray]]
    ) -> Iterator[tuple[Token, np.ndarray, np.ndarray]]:
        """Yield probabilities (C,) and maps (C, h, w) of each decoded photo (H, W, 3) uint8."""
        for token, scores in self.classifier.scores(photos):
            yield token, scores, self.engine.maps

    def explanation(self, scores: np.ndarray) -> Explanation:
        """Return the explanation of the latest photo, which has these `scores` (C,)."""
        best = int(scores.argmax())
        return Explanation(
            self.classifier.labels[best], float(scores[best]), self.engine.maps[best]
        )
