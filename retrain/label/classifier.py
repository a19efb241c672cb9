"""An exported graph, ours or an older tool's, as a classifier."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from retrain.backbones.openvino_engine import GraphFeed, OpenVinoEngine, compile_graph
from retrain.errors import RetrainError, counted, one_line
from retrain.heads.head import softmax
from retrain.label.spec import GraphInput

Token = TypeVar("Token")


def streams_for(photos: int | None) -> int:
    """Pictures worked on at a time; a lone photo is answered by all cores together."""
    return min(photos or 1 << 30, os.cpu_count() or 1)


def compile_classifier(path: Path, spec: GraphInput, streams: int) -> Any:
    """OpenVINO's compiled model. Raises RetrainError if the graph cannot be run as `spec` says."""
    feed = GraphFeed(
        output_node=spec.output_layer,
        input_node=spec.input_layer,
        size=(spec.recipe.height, spec.recipe.width),
        mean=spec.mean,
        std=spec.std,
    )
    try:
        return compile_graph(path, feed, "f32", streams)
    except KeyError as error:
        raise RetrainError(
            f"{path.absolute()} has no layer {error.args[0]!r}: give --input_layer and "
            "--output_layer as they are called in the graph"
        ) from error
    except RuntimeError as error:
        raise RetrainError(f"cannot run {path.absolute()}: {one_line(error)}") from error


class Classifier:
    """A compiled graph with its labels. Raises RetrainError if they do not fit each other."""

    def __init__(self, path: Path, spec: GraphInput, compiled: Any) -> None:
        self.spec = spec
        self.engine = OpenVinoEngine(compiled)
        if spec.labels is None:
            raise RetrainError(
                f"{path.absolute()} does not carry its labels: give --labels, the text file that "
                "was made with it"
            )
        if len(spec.labels) != self.engine.outputs:
            raise RetrainError(
                f"{counted(len(spec.labels), 'label')} for a graph with "
                f"{counted(self.engine.outputs, 'class', 'classes')}: "
                "give the labels file that was made with this graph"
            )
        self.labels = spec.labels

    def scores(
        self, photos: Iterable[tuple[Token, np.ndarray]]
    ) -> Iterator[tuple[Token, np.ndarray]]:
        """Probabilities (C,) float32 for each decoded photo (H, W, 3) uint8, in order."""
        for token, output in self.engine.run(photos):
            yield token, softmax(output[None])[0] if self.spec.logits else output


def open_classifier(path: Path, spec: GraphInput, photos: int | None = None) -> Classifier:
    """Compiles the graph anew; `photos`: how many will come, if known."""
    return Classifier(path, spec, compile_classifier(path, spec, streams_for(photos)))


def top(labels: tuple[str, ...], scores: np.ndarray, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest labels with their scores, best first; ties in class order."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(labels[position], float(scores[position])) for position in order]
