"""OpenVINO's engine: compiling a graph and running it."""

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from retrain.backbones.backbone import FEATURE_NODE, Backbone
from retrain.backbones.engines.openvino_model import import_openvino, read_part
from retrain.errors import RetrainError, counted, one_line

Token = TypeVar("Token")


@dataclass(frozen=True)
class GraphFeed:
    """Which part of a graph to run, and how uint8 pixels reach it. Node names are without `:0`.

    Attributes:
        output_node: Where the part ends.
        input_node: Where it begins; the compiled graph feeds it (x - mean) / std.
        size: (height, width), needed where the graph leaves it open.
        mean: See `input_node`.
        std: See `input_node`.
        layout: The order of the input's axes, NHWC or NCHW.
        channels: 3, or 1 for grey.
        batch: How many pictures the graph takes at a time.
        fixed: Numbers for its other inputs.
    """

    output_node: str
    input_node: str = "Placeholder"
    size: tuple[int, int] | None = None
    mean: float = 0.0
    std: float = 255.0
    layout: str = "NHWC"
    channels: int = 3
    batch: int = 1
    fixed: tuple[tuple[str, float], ...] = ()


def compile_graph(graph: Path, feed: GraphFeed, precision: str, *, streams: int) -> Any:
    """Compile a graph for `streams` pictures at once and return OpenVINO's compiled model.

    Args:
        graph: The graph's file or folder.
        feed: The part to run, and how pixels reach it.
        precision: `f32` or `bf16`.
        streams: How many pictures are worked on at the same time.

    Returns:
        OpenVINO's compiled model for one picture a request.

    Raises:
        RuntimeError: OpenVINO's, for a graph it cannot read.
        KeyError: A node is missing.
    """
    return compile_model(read_model(graph, feed), precision, streams)


def read_model(graph: Path, feed: GraphFeed) -> Any:
    """Read a graph as OpenVINO's model from pictures (batch, H, W, channels) uint8 to the output.

    Raises what `compile_graph` does.
    """
    ov = import_openvino()
    model = read_part(graph, feed.input_node, feed.output_node, fixed=dict(feed.fixed))
    height, width = feed.size or _fixed_size(model)
    axes = {"N": feed.batch, "H": height, "W": width, "C": feed.channels}
    model.reshape([axes[axis] for axis in feed.layout])
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    if feed.layout != "NHWC":
        steps.input().model().set_layout(ov.Layout(feed.layout))
    convert = steps.input().preprocess().convert_element_type(ov.Type.f32)
    convert.mean(feed.mean).scale(feed.std)
    return steps.build()


def compile_model(model: Any, precision: str, streams: int) -> Any:
    """Compile a model of `read_model` for `streams` pictures at once."""
    return import_openvino().Core().compile_model(model, "CPU", _settings(precision, streams))


def load_compiled(content: bytes, precision: str, streams: int) -> Any:
    """Load a compiled model from the bytes of `export_model`; raise RuntimeError if it fails."""
    ov = import_openvino()
    return ov.Core().import_model(content, "CPU", _settings(precision, streams))


def _settings(precision: str, streams: int) -> dict[str, Any]:
    return {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": streams}


def open_backbone(backbone: Backbone, precision: str) -> "OpenVinoEngine":
    """Return the engine of a frozen module, at precision `f32` or `bf16`, on all cores.

    Raises RetrainError if OpenVINO cannot run its graph.
    """
    try:
        feed = GraphFeed(FEATURE_NODE)
        return OpenVinoEngine(
            compile_graph(backbone.graph_path, feed, precision, streams=os.cpu_count() or 1)
        )
    except RuntimeError as error:
        raise RetrainError(
            f"OpenVINO cannot run {backbone.info.name}: {one_line(error)}"
        ) from error


class OpenVinoEngine:
    """Runs a compiled model, one picture a request and two requests a stream.

    One request of a stream is at work, the other waits behind it. Measured (MobileNet v1 1.0/224,
    two cores), this is faster than batches and gives each picture the same bits whatever its
    neighbours. Results are fetched in order and without callbacks: OpenVINO's callback queue
    deadlocks now and then when its model is destroyed, the destructor holding Python's lock and
    joining a thread that wants it.
    """

    def __init__(self, compiled: Any) -> None:
        ov = import_openvino()
        version, cores = ov.__version__.split("-")[0], counted(os.cpu_count() or 1, "core")
        self.name = f"OpenVINO {version} on {cores}"
        self._batch: int = compiled.input().get_shape()[0]
        self.outputs = math.prod(compiled.output().get_shape()) // self._batch
        self.compiled = compiled
        streams = compiled.get_property("NUM_STREAMS")
        self._requests = [compiled.create_infer_request() for _ in range(2 * streams)]

    def run(self, photos: Iterable[tuple[Token, np.ndarray]]) -> Iterator[tuple[Token, np.ndarray]]:
        """Yield the output for each picture, in order; see `Engine.run`."""
        free = list(self._requests)
        busy: deque[tuple[Token, Any]] = deque()

        def first_done() -> tuple[Token, np.ndarray]:
            token, request = busy.popleft()
            request.wait()
            free.append(request)
            return token, request.get_output_tensor().data.reshape(self._batch, -1)[0].copy()

        try:
            for token, pixels in photos:
                if not free:
                    yield first_done()
                request = free.pop()
                request.start_async({0: pixels[None].repeat(self._batch, axis=0)})
                busy.append((token, request))
            while busy:
                yield first_done()
        finally:
            for _, request in busy:
                request.wait()


def _fixed_size(model: Any) -> tuple[int, int]:
    shape = model.input().get_partial_shape()
    return shape[1].get_length(), shape[2].get_length()
