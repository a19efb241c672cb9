"""Opening a classifier, from the cache of compiled graphs where it can be."""

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
from retrain.inference.config import Overrides
from retrain.inference.imagenet import imagenet_graph
from retrain.inference.spec.spec import InputSpec
from retrain.utils.files import cannot_read
from retrain.utils.kept import Say


def open_kept(
    graph: Path | None,
    overrides: Overrides,
    labels_file: Path | None,
    *,
    photos: int | None,
    remark: Say,
) -> tuple[Classifier, Callable[[], None]]:
    """Open a graph as a classifier, from the cache if it was compiled before.

    Args:
        graph: Its file or folder; None is the bundled module with ImageNet's classes.
        overrides: The user's overrides of the input spec.
        labels_file: Labels to use instead of the graph's own, or None.
        photos: How many photos will come, if known.
        remark: Is called with what is wrong with the cache.

    Returns:
        The classifier, and a function that keeps the compiled graph for the next time. Call it when
        the first answers are out.

    Raises:
        RetrainError: The graph cannot be used.
    """
    artefact = find_artefact(graph or imagenet_graph()[0])
    path = artefact.path
    if artefact.format is Format.TFLITE:
        where, spec = find_graph(graph, overrides)
        return open_classifier(where, spec, photos, labels_file=labels_file), nothing_to_keep
    try:
        cache = CompiledCache(artefact, overrides, streams_for(photos))
    except OSError as error:
        raise cannot_read("graph", path, error) from error
    kept = cache.load(remark)
    if kept is not None:
        spec, compiled = kept
        return Classifier(
            path, spec, OpenVinoEngine(compiled), labels_file=labels_file
        ), nothing_to_keep
    _, spec = find_graph(graph, overrides)
    compiled = compile_classifier(path, spec, cache.streams)
    classifier = Classifier(path, spec, OpenVinoEngine(compiled), labels_file=labels_file)
    return classifier, lambda: cache.keep(spec, compiled, remark)


def nothing_to_keep() -> None:
    """Do nothing: the graph is in the cache already, or was not compiled."""


def find_graph(graph: Path | None, overrides: Overrides) -> tuple[Path, InputSpec]:
    """Return the graph's path and its input spec; None is the bundled graph.

    Raises RetrainError if the graph cannot be used.
    """
    if graph is None:
        check_bundled(DEFAULT_MODULE)
        return imagenet_graph()
    from retrain.inference.spec.resolve import (  # protobufs: not needed on a cache hit
        describe_graph,
    )

    return graph, describe_graph(graph, overrides)
