"""Photos in, one row each out, in order."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from pathlib import Path

import numpy as np

from retrain.images.ahead import map_ahead
from retrain.images.decode import pillow_warnings_ignored
from retrain.images.reading import read_photo
from retrain.label.classifier import Classifier, top
from retrain.label.inputs import Input
from retrain.label.opening import open_kept
from retrain.label.spec import Overrides

UNKNOWN = "unknown"
BURST = 1024  # inputs after which all in hand is finished; bounds the rows that wait for others


@dataclass(frozen=True)
class LabelledPhoto:
    """The likeliest labels with their scores in [0, 1], best first; or the `problem`.

    `name` is its path as it was given. Where the graph has a rule for it, UNKNOWN comes before all
    labels, with the best score.
    """

    name: str
    labels: list[tuple[str, float]]
    problem: str | None = None

    @property
    def path(self) -> Path:
        return Path(self.name)


@dataclass(frozen=True)
class Labeller:
    """A graph to label photos with; None: the bundled module and ImageNet's classes.

    `said`: how the graph is fed, where it does not say it itself. `labels_file`: labels to use
    instead of the graph's own.
    """

    graph: Path | None
    said: Overrides = Overrides()
    labels_file: Path | None = None

    def label(
        self, photos: Sequence[str | os.PathLike[str]], top_k: int = 5
    ) -> list[LabelledPhoto]:
        """One row for each photo, in order; one that cannot be used has its problem in its row.

        Raises RetrainError if the graph cannot be used. Guesses about the graph are warned of.
        """
        inputs = (Input(os.fspath(photo)) for photo in photos)
        return list(self.open(len(photos), warnings.warn).rows(inputs, top_k))

    def open(self, photos: int | None, remark: Callable[[str], None]) -> "ReadyLabeller":
        """Loads the graph, for so many `photos` if that is known.

        `remark` gets what had to be guessed. Raises RetrainError if the graph cannot be used.
        """
        classifier, keep = open_kept(self.graph, self.said, self.labels_file, photos)
        for text in classifier.remarks:
            remark(text)
        return ReadyLabeller(classifier, keep)


@dataclass(frozen=True)
class ReadyLabeller:
    """A graph that is loaded. `keep` puts it where it is found again; the first rows come first."""

    classifier: Classifier
    keep: Callable[[], None]

    @property
    def labels(self) -> tuple[str, ...]:
        return self.classifier.labels

    def rows(
        self, inputs: Iterable[Input | None], top_k: int, threshold: float = 0.0
    ) -> Iterator[LabelledPhoto]:
        """A row for each input, in order: up to `top_k` labels with scores of at least `threshold`.

        Works a few photos ahead of the rows. Before a None is passed and the next input waited for,
        every earlier row has come.
        """
        for burst in _bursts(inputs):
            yield from self._burst_rows(burst, top_k, threshold)
        self.keep()

    def _burst_rows(
        self, inputs: Iterator[Input], top_k: int, threshold: float
    ) -> Iterator[LabelledPhoto]:
        recipe = self.classifier.spec.recipe
        unusable: list[LabelledPhoto] = []  # those since the last photo that could be used

        def read(one: Input) -> np.ndarray | str:
            return one.problem or read_photo(one.name, recipe)

        def decoded() -> Iterator[tuple[tuple[Input, list[LabelledPhoto]], np.ndarray]]:
            nonlocal unusable
            for one, found in map_ahead(read, inputs):
                if isinstance(found, str):
                    unusable.append(LabelledPhoto(one.name, [], found))
                else:
                    before, unusable = unusable, []
                    yield (one, before), found

        with pillow_warnings_ignored():
            for (one, before), scores in self.classifier.scores(decoded()):
                yield from before
                labels = self._top(scores, top_k)
                yield LabelledPhoto(one.name, [kept for kept in labels if kept[1] >= threshold])
        yield from unusable

    def _top(self, scores: np.ndarray, top_k: int) -> list[tuple[str, float]]:
        labels = top(self.labels, scores, top_k)
        best = float(scores.max())
        if best < (self.classifier.spec.unknown_below or 0.0):
            labels.insert(0, (UNKNOWN, best))
        return labels


def _bursts(inputs: Iterable[Input | None]) -> Iterator[Iterator[Input]]:
    """The inputs up to each None, and BURST at most; to be used up one after the other."""
    rest = iter(inputs)
    for first in rest:
        if first is not None:
            following = takewhile(lambda one: one is not None, rest)
            yield (one for one in chain([first], islice(following, BURST - 1)) if one is not None)
