"""An exported graph, ours or an older tool's, as a classifier."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from retrain.artefact import Format, find_artefact
from retrain.backbones.engine import Engine
from retrain.backbones.openvino_engine import GraphFeed, OpenVinoEngine, compile_graph
from retrain.heads.head import softmax
from retrain.label.describing.model import no_layer, openvino_faults
from retrain.label.labels_file import find_labels
from retrain.label.spec import GraphInput

Token = TypeVar("Token")


class ClassEngine(Engine, Protocol):
    """`outputs`: how many scores a picture gets."""

    outputs: int


def streams_for(photos: int | None) -> int:
    """Pictures worked on at a time; a lone photo is answered by all cores together."""
    return min(photos or 1 << 30, os.cpu_count() or 1)


def compile_classifier(path: Path, spec: GraphInput, streams: int) -> Any:
    """OpenVINO's compiled model. Raises RetrainError if the graph cannot be run as `spec` says."""
    with openvino_faults(path):
        return compile_graph(path, feed_of(spec), "f32", streams)


def feed_of(spec: GraphInput) -> GraphFeed:
    return GraphFeed(
        output_node=spec.output_layer,
        input_node=spec.input_layer,
        size=(spec.recipe.height, spec.recipe.width),
        mean=spec.mean,
        std=spec.std,
    )


class Classifier:
    """A graph that is ready to run, with its labels; `labels_file` is used instead of the graph's.

    `remarks`: what had to be guessed, for the user to read. Raises RetrainError if there are no
    labels, or if they do not fit the graph.
    """

    def __init__(
        self, path: Path, spec: GraphInput, engine: ClassEngine, labels_file: Path | None = None
    ) -> None:
        self.spec = spec
        self.engine = engine
        found = find_labels(path, spec.labels, engine.outputs, labels_file)
        self.labels = found.names
        self.remarks = spec.guesses
        if found.beside is not None:
            self.remarks += (f"labels are taken from {found.beside} (--labels names another file)",)

    def scores(
        self, photos: Iterable[tuple[Token, np.ndarray]]
    ) -> Iterator[tuple[Token, np.ndarray]]:
        """Probabilities (C,) float32 for each decoded photo (H, W, 3) uint8, in order."""
        for token, output in self.engine.run(photos):
            yield token, softmax(output[None])[0] if self.spec.logits else output


def open_classifier(
    path: Path, spec: GraphInput, photos: int | None = None, labels_file: Path | None = None
) -> Classifier:
    """Makes the graph, of any format, ready to run; `photos`: how many will come, if known."""
    return Classifier(path, spec, open_engine(path, spec, photos), labels_file)


def open_engine(path: Path, spec: GraphInput, photos: int | None = None) -> ClassEngine:
    """What runs the graph. Raises RetrainError if it cannot be run as `spec` says."""
    artefact = find_artefact(path)
    if artefact.format is Format.TFLITE:
        return _tflite_engine(artefact.path, spec)
    return OpenVinoEngine(compile_classifier(artefact.path, spec, streams_for(photos)))


def _tflite_engine(path: Path, spec: GraphInput) -> ClassEngine:
    from retrain.backbones.tflite_engine import TfliteEngine

    size = (spec.recipe.height, spec.recipe.width)
    try:
        return TfliteEngine(path, spec.input_layer, spec.output_layer, size, spec.mean, spec.std)
    except KeyError as error:
        raise no_layer(path, error.args[0]) from error


def top(labels: tuple[str, ...], scores: np.ndarray, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest labels with their scores, best first; ties in class order."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(labels[position], float(scores[position])) for position in order]
