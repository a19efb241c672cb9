"""Labelling photos: one row for each photo, in order."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from retrain.data.class_names import UNKNOWN, unknown_answer
from retrain.data.decoding.decode import pillow_warnings_ignored
from retrain.data.in_memory import InMemory, read_in_memory, unreadable
from retrain.data.read import read_photo
from retrain.errors import RetrainError, UsageFault
from retrain.inference.answers import Answers, LabelledPhoto
from retrain.inference.classifier import Classifier, top
from retrain.inference.config import TOP_K, Overrides
from retrain.inference.explain.explainer import Explainer, Explanation
from retrain.inference.inputs import Input
from retrain.inference.open import find_graph, nothing_to_keep, open_kept
from retrain.utils.notebook import paragraph_html, table_html
from retrain.utils.prefetch import map_ahead

BURST = 1024  # inputs that are finished together; bounds the rows held in memory


PathOrPhoto = str | os.PathLike[str] | InMemory


@dataclass(frozen=True, repr=False)
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

    @overload  # text can be iterated, too, but is one path
    def label(  # type: ignore[overload-overlap]
        self, photos: PathOrPhoto, top_k: int = 5
    ) -> LabelledPhoto: ...
    @overload
    def label(self, photos: Iterable[PathOrPhoto], top_k: int = 5) -> Answers: ...

    def label(self, photos: Any, top_k: int = 5) -> LabelledPhoto | Answers:
        """Label one photo and return its answer, or many and return theirs in order.

        A photo that cannot be used has its problem in its answer. Warns of what had to be guessed
        about the graph.

        Args:
            photos: A path, the bytes of a file, a Pillow picture, an array (H, W, 3) uint8 of RGB;
                or several of them, which need not be of one kind.
            top_k: How many labels to give.

        Raises:
            RetrainError: The graph cannot be used; UsageFault for a `top_k` below 1, or for what is
                no photo.
        """
        wanted = int(TOP_K.number(top_k, "top_k"))
        if _is_one(photos) or not isinstance(photos, Iterable):
            return self._answers([_input(photos, "photo")], wanted)[0]
        given = [_input(photo, f"photo {number}") for number, photo in enumerate(photos, 1)]
        return self._answers(given, wanted)

    def _answers(self, inputs: list[Input], top_k: int) -> Answers:
        return Answers(self.open(len(inputs), warnings.warn).rows(inputs, top_k))

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in vars(self.overrides).items()
                 if value is not None]  # fmt: skip
        labels = [] if self.labels_file is None else [f"labels={str(self.labels_file)!r}"]
        graph = [repr(str(self.graph) if self.graph is not None else "imagenet")]
        return f"<classifier {', '.join(graph + labels + given)}>"

    def _repr_html_(self) -> str:
        from retrain.inference.spec.explain_input import explain_input

        try:
            rows = explain_input(self.graph, self.overrides, self.labels_file)
        except RetrainError as error:
            return paragraph_html(str(error))
        return table_html([f"{self!r}", "", "known from"], rows)

    def explain(self, photo: PathOrPhoto) -> Explanation:
        """Label one photo, of any kind that `label` takes, and return where the label is seen.

        Raises RetrainError if the graph or the photo cannot be used, and NotExplainable, which is
        one, if the graph does not end in average pooling and a linear head. Warns of guesses.
        """
        seen: list[Explanation] = []
        (row,) = self.open_explaining(
            warnings.warn, lambda _, explanation: seen.append(explanation)
        ).rows([_input(photo, "photo")], 1)
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
            if one.problem is not None:
                return one.problem
            if one.photo is not None:
                return read_in_memory(one.photo, recipe)
            return read_photo(one.name, recipe)

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


def _is_one(photos: object) -> bool:
    """Tell whether this is one photo; an array with four axes is several."""
    if isinstance(photos, np.ndarray):
        return photos.ndim < 4
    return isinstance(photos, (str, os.PathLike, bytes, bytearray, Image.Image))


def _input(photo: object, name: str) -> Input:
    """Return a photo as it is read; raise UsageFault for what is none. `name`: of one in memory."""
    if isinstance(photo, (str, os.PathLike)):
        return Input(os.fspath(photo))
    if isinstance(photo, bytearray):
        photo = bytes(photo)
    if not isinstance(photo, InMemory):
        raise UsageFault(
            f"{name}: {type(photo).__name__} is no photo: give a path, bytes, a Pillow picture, or "
            "an array (height, width, 3) of uint8"
        )
    return Input(name, unreadable(photo, name), photo)


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
