"""A classifier ready to run, from the cache where it can be."""

from collections.abc import Callable
from pathlib import Path

from retrain.artifacts.detect import Format, find_artefact
from retrain.backbones.bundled import DEFAULT_MODULE, check_bundled
from retrain.backbones.engines.openvino import OpenVinoEngine
from retrain.inference.classifier import (
    Classifier,
    compile_classifier,
    open_classifier,
    streams_for,
)
from retrain.inference.compiled_cache import CompiledCache
from retrain.inference.imagenet import imagenet_graph
from retrain.inference.spec.spec import GraphInput, Overrides
from retrain.utils.files import cannot_read
from retrain.utils.kept import Say


def open_kept(
    graph: Path | None,
    said: Overrides,
    labels_file: Path | None,
    *,
    photos: int | None,
    remark: Say,
) -> tuple[Classifier, Callable[[], None]]:
    """The classifier that `graph` is; None: the bundled module and ImageNet's classes.

    `photos`: how many will come, if known. `remark` gets what is to be said of the cache. The
    function that comes with it keeps what was compiled, for the next time; call it when the first
    answers are out. Raises RetrainError if the graph cannot be used.
    """
    artefact = find_artefact(graph or imagenet_graph()[0])
    path = artefact.path
    if artefact.format is Format.TFLITE:
        where, spec = find_graph(graph, said)
        return open_classifier(where, spec, photos, labels_file=labels_file), nothing_to_keep
    try:
        cache = CompiledCache(artefact, said, streams_for(photos))
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    kept = cache.load(remark)
    if kept is not None:
        spec, compiled = kept
        return Classifier(
            path, spec, OpenVinoEngine(compiled), labels_file=labels_file
        ), nothing_to_keep
    _, spec = find_graph(graph, said)
    compiled = compile_classifier(path, spec, cache.streams)
    classifier = Classifier(path, spec, OpenVinoEngine(compiled), labels_file=labels_file)
    return classifier, lambda: cache.keep(spec, compiled, remark)


def nothing_to_keep() -> None:
    """It lies in the cache already, or nothing was compiled."""


def find_graph(graph: Path | None, said: Overrides) -> tuple[Path, GraphInput]:
    """The graph's file, None being the bundled one, and how it is fed. Raises RetrainError."""
    if graph is None:
        check_bundled(DEFAULT_MODULE)
        return imagenet_graph()
    from retrain.inference.spec.resolve import (  # protobufs: not needed on a cache hit
        describe_graph,
    )

    return graph, describe_graph(graph, said)
