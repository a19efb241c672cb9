"""Classifier: a graph of any format that is ready to run, with its labels."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from retrain.artifacts.detect import Format, find_artefact
from retrain.artifacts.labels import Labels, find_labels
from retrain.backbones.engines.engine import Engine
from retrain.backbones.engines.openvino import GraphFeed, OpenVinoEngine, compile_graph
from retrain.errors import RetrainError
from retrain.inference.spec.openvino_errors import no_layer, openvino_faults
from retrain.inference.spec.spec import SOFTMAX_APPLIED, InputSpec
from retrain.utils.numerics import softmax

Token = TypeVar("Token")


class ClassEngine(Engine, Protocol):
    """An engine that gives `outputs` scores for each picture."""

    outputs: int


def streams_for(photos: int | None) -> int:
    """Return how many pictures to work on at a time; all cores together answer a lone photo."""
    return min(photos or 1 << 30, os.cpu_count() or 1)


def compile_classifier(path: Path, spec: InputSpec, streams: int) -> Any:
    """Compile a graph with OpenVINO and return the compiled model.

    Raises RetrainError if the graph cannot be run as its input spec says.
    """
    with openvino_faults(path):
        compiled = compile_graph(path, feed_of(spec), "f32", streams=streams)
        made = compiled.output().get_partial_shape()
        shape = tuple(each.get_length() if each.is_static else 0 for each in made)
    _check_scores(path, spec, shape)
    return compiled


def _check_scores(path: Path, spec: InputSpec, shape: tuple[int, ...]) -> None:
    """Raise RetrainError unless an output of this shape has a row of scores for each picture.

    A size of 0 is not known before the graph runs. Axes of length 1 are ignored.
    """
    rest = shape[1:] if shape[:1] == (spec.batch,) else shape
    alone = spec.batch == 1 or len(rest) < len(shape)
    if 0 not in shape and alone and sum(size != 1 for size in rest) <= 1:
        return
    sizes = ", ".join(str(size or "?") for size in shape)
    raise RetrainError(
        f"{path.absolute()} gives [{sizes}] at {spec.output_layer}, which is no row of scores, one "
        "for each class: give --output_layer, or a graph that classifies pictures"
    )


def feed_of(spec: InputSpec) -> GraphFeed:
    """Convert an input spec into what engines take."""
    return GraphFeed(
        output_node=spec.output_layer,
        input_node=spec.input_layer,
        size=(spec.recipe.height, spec.recipe.width),
        mean=spec.mean,
        std=spec.std,
        layout=spec.layout,
        channels=spec.channels,
        batch=spec.batch,
        fixed=spec.fixed,
    )


class Classifier:
    """A graph that is ready to run, with its labels.

    Attributes:
        spec: The input spec.
        engine: What runs the graph.
        one_output: The graph gives one score, which is that of the second label.
        labels: In class order; of `labels_file`, if that is given.
        remarks: What had to be guessed, for the user to read.
    """

    def __init__(
        self, path: Path, spec: InputSpec, engine: ClassEngine, *, labels_file: Path | None = None
    ) -> None:
        """Find the labels; raise RetrainError if there are none, or they do not fit the graph."""
        self.spec = spec
        self.engine = engine
        self._path = path
        self.one_output = engine.outputs == 1
        found = labels_of_graph(path, spec, engine.outputs, labels_file=labels_file)
        self.labels = found.names
        self.remarks = spec.guesses
        if self.one_output:
            self.remarks = tuple(said for said in spec.guesses if said != SOFTMAX_APPLIED)
            kind = "a sigmoid is applied to it" if spec.logits else "a sigmoid"
            self.remarks += (
                f"the graph has one output ({kind}): taken for the score of the second label, "
                f"{self.labels[1]!r}; {self.labels[0]!r} gets the rest",
            )
        elif spec.last == "Sigmoid":
            self.remarks += (
                "the graph scores each class by itself (a sigmoid): scores do not add up to 1",
            )
        if found.beside is not None:
            self.remarks += (f"labels are taken from {found.beside} (--labels names another file)",)

    def scores(
        self, photos: Iterable[tuple[Token, np.ndarray]]
    ) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield probabilities (C,) float32 for each decoded photo (H, W, 3) uint8, in order."""
        fed = ((token, _grey(rgb)) for token, rgb in photos) if self.spec.channels == 1 else photos
        for token, output in self.engine.run(fed):
            yield token, self._probabilities(output)

    def _probabilities(self, output: np.ndarray) -> np.ndarray:
        """Convert a graph's output (C,) into probabilities; raise RetrainError if it is none."""
        known = self.spec.logits or self.spec.last in ("", "Softmax", "Sigmoid")
        odd = output[np.isnan(output)] if known else output[~((output > -0.01) & (output < 1.01))]
        if self.spec.last and odd.size:
            raise RetrainError(
                f"{self._path.absolute()} gives {odd[0]:g} at {self.spec.output_layer}, which is "
                "no probability: give --output_layer, its softmax or what goes into it"
            )
        if self.one_output:
            second = _sigmoid(output) if self.spec.logits else output
            return np.concatenate([1 - second, second])
        if not self.spec.logits:
            return output
        probabilities: np.ndarray = softmax(output[None])[0]
        return probabilities


def open_classifier(
    path: Path, spec: InputSpec, photos: int | None = None, *, labels_file: Path | None = None
) -> Classifier:
    """Open a graph of any format as a classifier.

    Args:
        path: The graph's file or folder.
        spec: Its input spec.
        photos: How many photos will come, if known.
        labels_file: Labels to use instead of the graph's own.

    Returns:
        The classifier, ready to run.

    Raises:
        RetrainError: The graph cannot be run, or has no labels that fit.
    """
    return Classifier(path, spec, open_engine(path, spec, photos), labels_file=labels_file)


def open_engine(path: Path, spec: InputSpec, photos: int | None = None) -> ClassEngine:
    """Open the engine that runs a graph; raise RetrainError if it cannot run as `spec` says."""
    artefact = find_artefact(path)
    if artefact.format is Format.TFLITE:
        return _tflite_engine(artefact.path, spec)
    return OpenVinoEngine(compile_classifier(artefact.path, spec, streams_for(photos)))


def _tflite_engine(path: Path, spec: InputSpec) -> ClassEngine:
    from retrain.backbones.engines.litert import TfliteEngine

    try:
        engine = TfliteEngine(path, feed_of(spec))
    except KeyError as error:
        raise no_layer(path, error.args[0]) from error
    _check_scores(path, spec, engine.output_shape)
    return engine


def labels_of_graph(
    path: Path, spec: InputSpec, outputs: int, *, labels_file: Path | None = None
) -> Labels:
    """Find the labels of a graph.

    Args:
        path: The graph's file or folder.
        spec: Its input spec.
        outputs: How many scores it gives. One score stands for two labels, which it tells apart.
        labels_file: Labels to use instead of the graph's own.

    Returns:
        The labels and where they come from.

    Raises:
        RetrainError: There are none, they do not fit, or the one output is no score.
    """
    if outputs != 1:
        return find_labels(path, spec.labels, outputs, given=labels_file)
    if spec.last != "Sigmoid" and not spec.logits:
        why = (
            "a softmax over one number is always 1"
            if spec.last == "Softmax"
            else f"nobody knows what its last operation, {spec.last or 'unknown'}, gives"
        )
        raise RetrainError(
            f"{path.absolute()} has one output, and {why}: give --output_layer, a sigmoid or what "
            "goes into one, or a graph with an output for each class"
        )
    try:
        return find_labels(path, spec.labels, 2, given=labels_file)
    except RetrainError as error:
        if labels_file is not None and not labels_file.is_file():
            raise
        raise RetrainError(
            f"{path.absolute()} has one output, which tells two classes apart: give --labels, a "
            f"file with two lines, first the class whose score is near 0 ({error})"
        ) from error


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) without overflow, however large the numbers are."""
    small = np.exp(-np.abs(logits))
    found: np.ndarray = np.where(logits >= 0, 1 / (1 + small), small / (1 + small))
    return found.astype(np.float32)


def _grey(rgb: np.ndarray) -> np.ndarray:
    """Convert pixels (H, W, 3) uint8 to grey (H, W, 1) uint8, as Pillow does (ITU-R 601-2)."""
    luma = np.array([19595, 38470, 7471], np.uint32)
    grey: np.ndarray = ((rgb @ luma + 0x8000) >> 16).astype(np.uint8)[..., None]
    return grey


def top(labels: tuple[str, ...], scores: np.ndarray, count: int) -> list[tuple[str, float]]:
    """Return the `count` likeliest labels with their scores, best first; ties in class order."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(labels[position], float(scores[position])) for position in order]
