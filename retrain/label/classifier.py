"""An exported graph, ours or an older tool's, as a classifier."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from tensorboard.compat.proto.graph_pb2 import GraphDef

from retrain.backbones.backbone import INPUT_NODE, LOGITS_NODE
from retrain.backbones.catalogue import DEFAULT_MODULE, IMAGENET_LABELS, bundled_backbone
from retrain.backbones.openvino_engine import OpenVinoEngine
from retrain.errors import RetrainError, counted, one_line
from retrain.graphs import find_node, placeholder_shape, read_graph
from retrain.heads.head import softmax
from retrain.images.decode import Recipe
from retrain.manifest import find_manifest

Token = TypeVar("Token")

# Mean and std by the name of the input, as the tools that made such graphs scaled their pixels.
LEGACY_SCALING = {"Placeholder": (0.0, 255.0), "input": (127.5, 127.5), "Mul": (128.0, 128.0)}
DEFAULT_OUTPUT = "final_result"


@dataclass(frozen=True)
class GraphInput:
    """How to feed a graph: pixels (x - mean) / std at `input_layer`, after `recipe`."""

    input_layer: str
    output_layer: str
    recipe: Recipe
    mean: float
    std: float
    labels: tuple[str, ...] | None
    logits: bool = False
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overrides:
    """What the user says about a graph; None where nothing was said (0 is a value)."""

    labels: Path | None = None
    input_layer: str | None = None
    output_layer: str | None = None
    height: int | None = None
    width: int | None = None
    mean: float | None = None
    std: float | None = None


def imagenet_graph() -> tuple[Path, GraphInput]:
    """The bundled module with its own 1001 ImageNet classes."""
    backbone = bundled_backbone(DEFAULT_MODULE)
    lines = IMAGENET_LABELS.read_text(encoding="utf-8").splitlines()
    labels = tuple(line.split(":", 1)[1] for line in lines)
    recipe = Recipe(backbone.info.height, backbone.info.width)
    spec = GraphInput(INPUT_NODE, LOGITS_NODE, recipe, 0.0, 255.0, labels, logits=True)
    return backbone.graph_path, spec


def describe_graph(path: Path, overrides: Overrides | None = None) -> GraphInput:
    """What to feed the graph, from its manifest or, in an older tool's graph, from its nodes.

    What `overrides` says wins. `guesses` lists, for the user to read, what nobody said and the
    graph does not know. Raises RetrainError if the graph or the labels cannot be used.
    """
    said = overrides or Overrides()
    graph = read_graph(path)
    manifest = find_manifest(graph)
    if manifest is not None:
        recipe = Recipe.parse(manifest.recipe)
        found = GraphInput(
            manifest.input_node, manifest.output_node, recipe, 0.0, 255.0, manifest.labels
        )
    else:
        found = _describe_foreign(graph, path, said)
    recipe = Recipe(
        height=said.height or found.recipe.height, width=said.width or found.recipe.width
    )
    if said.std == 0:
        raise RetrainError("--input_std 0 would divide by zero: give the scale of the pixels")
    return replace(
        found,
        input_layer=said.input_layer or found.input_layer,
        output_layer=said.output_layer or found.output_layer,
        recipe=recipe,
        mean=found.mean if said.mean is None else said.mean,
        std=found.std if said.std is None else said.std,
        labels=found.labels if said.labels is None else read_labels(said.labels),
    )


def _describe_foreign(graph: GraphDef, path: Path, said: Overrides) -> GraphInput:
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    layer = said.input_layer or next((name for name in LEGACY_SCALING if name in inputs), None)
    if layer is None and len(inputs) == 1:
        layer = inputs[0]
    node = find_node(graph, layer) if layer else None
    if layer is None or node is None:
        raise RetrainError(
            f"{path.absolute()} has no input {said.input_layer or 'that is known'}: "
            f"give --input_layer, one of {', '.join(inputs[:5]) or '(none found)'}"
        )
    shape = placeholder_shape(node)
    height, width = said.height, said.width
    if len(shape) == 4 and shape[1] > 0 and shape[2] > 0:
        height, width = height or shape[1], width or shape[2]
    if not height or not width:
        raise RetrainError(
            f"{path.absolute()} does not fix the size of its input: "
            "give --input_height and --input_width"
        )
    mean, std = LEGACY_SCALING.get(layer, (0.0, 255.0))
    guesses: tuple[str, ...] = ()
    if said.mean is None or said.std is None:
        mean_taken, std_taken = (mean if said.mean is None else said.mean,
                                 std if said.std is None else said.std)  # fmt: skip
        guesses = (
            f"the graph does not say how its pixels are scaled; taken (x - {mean_taken:g}) / "
            f"{std_taken:g}, as older tools fed an input called {layer!r} "
            "(--input_mean and --input_std set it)",
        )
    output = said.output_layer or DEFAULT_OUTPUT
    return GraphInput(layer, output, Recipe(height, width), mean, std, None, guesses=guesses)


def read_labels(path: Path) -> tuple[str, ...]:
    """Labels, one a line, in class order. Raises RetrainError."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RetrainError(f"cannot read labels {path.absolute()}: {reason}") from error
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))


class Classifier:
    """A compiled graph. Raises RetrainError if it cannot be run, or the labels do not fit it."""

    def __init__(self, path: Path, spec: GraphInput, photos: int | None = None) -> None:
        """`photos`: how many will come, if known; one photo is answered by all cores."""
        self.spec = spec
        streams = min(photos or 1 << 30, os.cpu_count() or 1)
        try:
            self.engine = OpenVinoEngine(
                path,
                spec.output_layer,
                input_node=spec.input_layer,
                size=(spec.recipe.height, spec.recipe.width),
                mean=spec.mean,
                std=spec.std,
                streams=streams,
            )
        except KeyError as error:
            raise RetrainError(
                f"{path.absolute()} has no layer {error.args[0]!r}: give --input_layer and "
                "--output_layer as they are called in the graph"
            ) from error
        except RuntimeError as error:
            raise RetrainError(f"cannot run {path.absolute()}: {one_line(error)}") from error
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
        """Probabilities (C,) float32 for each decoded photo (H, W, 3) uint8, in any order."""
        for token, output in self.engine.run(photos):
            yield token, softmax(output[None])[0] if self.spec.logits else output


def top(labels: tuple[str, ...], scores: np.ndarray, count: int) -> list[tuple[str, float]]:
    """The `count` likeliest labels with their scores, best first; ties in class order."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(labels[position], float(scores[position])) for position in order]
