"""Labelling photos: one row for each photo, in order."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, takewhile
from pathlib import Path

import numpy as np

from retrain.data.class_names import UNKNOWN, unknown_answer
from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.read import read_photo
from retrain.errors import RetrainError
from retrain.inference.classifier import Classifier, top
from retrain.inference.config import TOP_K, Overrides
from retrain.inference.explain.explainer import Explainer, Explanation
from retrain.inference.inputs import Input
from retrain.inference.open import find_graph, nothing_to_keep, open_kept
from retrain.utils.prefetch import map_ahead

BURST = 1024  # inputs that are finished together; bounds the rows held in memory


@dataclass(frozen=True)
class LabelledPhoto:
    """The labels of one photo, or why it has none.

    Attributes:
        name: The photo's path as it was given.
        labels: The likeliest with their scores in [0, 1], best first. Where the graph has a rule
            for unknown photos and it applies, UNKNOWN comes first, with the best score (or another
            word, if a class has that name: `class_names.unknown_answer`).
        problem: Why the photo cannot be used, or None.
    """

    name: str
    labels: list[tuple[str, float]]
    problem: str | None = None

    @property
    def path(self) -> Path:
        """`name` as a Path."""
        return Path(self.name)


@dataclass(frozen=True)
class Labeller:
    """A graph to label photos with.

    Attributes:
        graph: Its file or folder; None is the bundled module with ImageNet's classes.
        overrides: How the graph is fed, where it does not say so itself.
        labels_file: Labels to use instead of the graph's own.
    """

    graph: Path | None
    overrides: Overrides = Overrides()
    labels_file: Path | None = None

    def label(
        self, photos: Sequence[str | os.PathLike[str]], top_k: int = 5
    ) -> list[LabelledPhoto]:
        """Label photos and return one row for each, in order.

        A photo that cannot be used has its problem in its row. Raises RetrainError if the graph
        cannot be used, or for a `top_k` below 1. Warns of what had to be guessed about the graph.
        """
        inputs = (Input(os.fspath(photo)) for photo in photos)
        wanted = int(TOP_K.number(top_k, "top_k"))
        return list(self.open(len(photos), warnings.warn).rows(inputs, wanted))

    def explain(self, photo: str | Path) -> Explanation:
        """Label one photo and return where in it the label is seen.

        Raises RetrainError if the graph or the photo cannot be used, and NotExplainable, which is
        one, if the graph does not end in average pooling and a linear head. Warns of guesses.
        """
        seen: list[Explanation] = []
        (row,) = self.open_explaining(
            warnings.warn, lambda _, explanation: seen.append(explanation)
        ).rows([Input(os.fspath(photo))], 1)
        if row.problem is not None:
            raise RetrainError(f"{row.name}: {row.problem}")
        return seen[0]

    def open(self, photos: int | None, remark: Callable[[str], None]) -> "ReadyLabeller":
        """Load the graph and return it ready to label.

        `photos`: how many will come, if known. `remark` is called with what had to be guessed.
        Raises RetrainError if the graph cannot be used.
        """
        classifier, keep = open_kept(
            self.graph, self.overrides, self.labels_file, photos=photos, remark=remark
        )
        return _remarked(ReadyLabeller(classifier, keep), remark)

    def open_explaining(
        self, remark: Callable[[str], None], show: Callable[[str, Explanation], None]
    ) -> "ReadyLabeller":
        """Load the graph and return it ready to label and explain.

        Before the row of each photo, `show` is called with the photo's name and its explanation.
        Raises RetrainError as `explain` does.
        """
        explainer = Explainer(*find_graph(self.graph, self.overrides), self.labels_file)
        ready = ReadyLabeller(
            explainer.classifier,
            nothing_to_keep,
            lambda name, scores: show(name, explainer.explanation(scores)),
        )
        return _remarked(ready, remark)


@dataclass(frozen=True)
class ReadyLabeller:
    """A graph that is loaded.

    Attributes:
        classifier: What gives the scores.
        keep: Is called after the first rows; puts the compiled graph into the cache.
        look: Is called with each photo's name and scores (C,) before its row comes.
    """

    classifier: Classifier
    keep: Callable[[], None]
    look: Callable[[str, np.ndarray], None] = lambda name, scores: None

    @property
    def labels(self) -> tuple[str, ...]:
        """The graph's labels in class order."""
        return self.classifier.labels

    @cached_property
    def unknown(self) -> str:
        """The word for a photo that none of the labels fits."""
        return unknown_answer(self.labels)

    def rows(
        self, inputs: Iterable[Input | None], top_k: int, threshold: float = 0.0
    ) -> Iterator[LabelledPhoto]:
        """Yield a row for each input, in order, with up to `top_k` labels of at least `threshold`.

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
                self.look(one.name, scores)
                labels = self._top(scores, top_k)
                yield LabelledPhoto(one.name, [kept for kept in labels if kept[1] >= threshold])
        yield from unusable

    def _top(self, scores: np.ndarray, top_k: int) -> list[tuple[str, float]]:
        labels = top(self.labels, scores, top_k)
        best = float(scores.max())
        if best < (self.classifier.spec.unknown_below or 0.0):
            labels.insert(0, (self.unknown, best))
        return labels


def _remarked(ready: ReadyLabeller, remark: Callable[[str], None]) -> ReadyLabeller:
    for text in ready.classifier.remarks:
        remark(text)
    if ready.unknown != UNKNOWN and ready.classifier.spec.unknown_below is not None:
        remark(
            f"{UNKNOWN!r} is a class of this graph, so a photo with too low a score is called "
            f"{ready.unknown!r}"
        )
    return ready


def _bursts(inputs: Iterable[Input | None]) -> Iterator[Iterator[Input]]:
    """Split the inputs at each None, and after BURST at most; each part must be used up in turn."""
    rest = iter(inputs)
    for first in rest:
        if first is not None:
            following = takewhile(lambda one: one is not None, rest)
            yield (one for one in chain([first], islice(following, BURST - 1)) if one is not None)
