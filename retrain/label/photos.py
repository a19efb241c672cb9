"""Photos in, one row each out, in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.errors import one_line
from retrain.images.ahead import map_ahead
from retrain.images.decode import BadPhoto, Recipe, decode
from retrain.label.classifier import Classifier, Overrides, describe_graph, imagenet_graph, top


@dataclass(frozen=True)
class LabelledPhoto:
    """The likeliest labels with their scores in [0, 1], best first; or the `problem`."""

    path: Path
    labels: list[tuple[str, float]]
    problem: str | None = None


def label_photos(
    paths: Sequence[Path],
    graph: Path | None,
    overrides: Overrides,
    top_k: int,
    remark: Callable[[str], None],
) -> Iterator[LabelledPhoto]:
    """One row for each path, in order; a photo that cannot be used has its problem in its row.

    `graph` None: the bundled module and ImageNet's classes. `remark` gets what had to be guessed
    about the graph. Raises RetrainError if the graph cannot be used.
    """
    if graph is None:
        file, spec = imagenet_graph()
    else:
        file, spec = graph, describe_graph(graph, overrides)
    for guess in spec.guesses:
        remark(guess)
    classifier = Classifier(file, spec, photos=len(paths))
    ready: dict[int, LabelledPhoto] = {}

    def decoded() -> Iterator[tuple[int, np.ndarray]]:
        for position, result in map_ahead(
            lambda position: _decode(paths[position], spec.recipe), range(len(paths))
        ):
            if isinstance(result, np.ndarray):
                yield position, result
            else:
                ready[position] = LabelledPhoto(paths[position], [], result)

    following = 0
    for position, scores in classifier.scores(decoded()):
        ready[position] = LabelledPhoto(paths[position], top(classifier.labels, scores, top_k))
        while following in ready:
            yield ready.pop(following)
            following += 1
    yield from (row for _, row in sorted(ready.items()))


def _decode(path: Path, recipe: Recipe) -> np.ndarray | str:
    try:
        return decode(path.read_bytes(), recipe)
    except BadPhoto as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or one_line(error)}"
