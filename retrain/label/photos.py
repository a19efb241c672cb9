"""Photos in, one row each out, in order."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.files import cannot_read
from retrain.images.reading import read_photos_ahead
from retrain.label.classifier import Classifier, compile_classifier, streams_for, top
from retrain.label.compiled_cache import CompiledCache
from retrain.label.imagenet import imagenet_graph
from retrain.label.labels_file import read_labels
from retrain.label.spec import GraphInput, Overrides

UNKNOWN = "unknown"


@dataclass(frozen=True)
class LabelledPhoto:
    """The likeliest labels with their scores in [0, 1], best first; or the `problem`.

    Where the graph has a rule for it, UNKNOWN comes before them all, with the best score.
    """

    path: Path
    labels: list[tuple[str, float]]
    problem: str | None = None


@dataclass(frozen=True)
class Labeller:
    """A graph to label photos with; None: the bundled module and ImageNet's classes.

    `said`: how the graph is fed, where it does not say it itself. `labels_file`: labels to use
    instead of the graph's own.
    """

    graph: Path | None
    said: Overrides = Overrides()
    labels_file: Path | None = None

    def label(self, photos: Sequence[str | Path], top_k: int = 5) -> list[LabelledPhoto]:
        """One row for each photo, in order; one that cannot be used has its problem in its row.

        Raises RetrainError if the graph cannot be used. Guesses about the graph are warned of.
        """
        return list(self.stream([Path(photo) for photo in photos], top_k, warnings.warn))

    def stream(
        self, paths: Sequence[Path], top_k: int, remark: Callable[[str], None]
    ) -> Iterator[LabelledPhoto]:
        """As `label`, each row as soon as it is known; `remark` gets what had to be guessed."""
        file = self.graph or imagenet_graph()[0]
        try:
            cache = CompiledCache(file, self.said, streams_for(len(paths)))
        except OSError as error:
            raise cannot_read("graph", file, error) from error
        kept = cache.load()
        if kept is not None:
            spec, compiled = kept
        else:
            spec = _describe(self.graph, self.said)
            compiled = compile_classifier(file, spec, cache.streams)
        for guess in spec.guesses:
            remark(guess)
        named = spec
        if self.labels_file is not None:
            named = replace(spec, labels=read_labels(self.labels_file))
        yield from _rows(Classifier(file, named, compiled), paths, top_k)
        if kept is None:
            cache.keep(spec, compiled)


def _describe(graph: Path | None, said: Overrides) -> GraphInput:
    if graph is None:
        return imagenet_graph()[1]
    from retrain.label.describe import describe_graph  # protobufs: not needed on a cache hit

    return describe_graph(graph, said)


def _rows(classifier: Classifier, paths: Sequence[Path], top_k: int) -> Iterator[LabelledPhoto]:
    recipe = classifier.spec.recipe
    ready: dict[int, LabelledPhoto] = {}

    def decoded() -> Iterator[tuple[int, np.ndarray]]:
        for position, result in read_photos_ahead(paths, recipe):
            if isinstance(result, np.ndarray):
                yield position, result
            else:
                ready[position] = LabelledPhoto(paths[position], [], result)

    following = 0
    for position, scores in classifier.scores(decoded()):
        labels = top(classifier.labels, scores, top_k)
        best = float(scores.max())
        if best < (classifier.spec.unknown_below or 0.0):
            labels.insert(0, (UNKNOWN, best))
        ready[position] = LabelledPhoto(paths[position], labels)
        while following in ready:
            yield ready.pop(following)
            following += 1
    yield from (row for _, row in sorted(ready.items()))
