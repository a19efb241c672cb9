"""Photos in, one row each out, in order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import numpy as np

from retrain.errors import one_line
from retrain.images.decode import BadPhoto, Recipe, decode, pillow_warnings_ignored
from retrain.label.classifier import Classifier, Overrides, describe_graph, imagenet_graph, top

WINDOW = 64  # photos decoded ahead and labelled together


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
    with pillow_warnings_ignored(), ThreadPoolExecutor(cpu_count()) as pool:
        for start in range(0, len(paths), WINDOW):
            window = paths[start : start + WINDOW]
            decoded = list(pool.map(lambda path: _decode(path, spec.recipe), window))
            usable = [(row, d) for row, d in enumerate(decoded) if isinstance(d, np.ndarray)]
            scores = dict(classifier.scores(usable))
            for row, (path, result) in enumerate(zip(window, decoded, strict=True)):
                if isinstance(result, str):
                    yield LabelledPhoto(path, [], result)
                else:
                    yield LabelledPhoto(path, top(classifier.labels, scores[row], top_k))


def _decode(path: Path, recipe: Recipe) -> np.ndarray | str:
    try:
        return decode(path.read_bytes(), recipe)
    except BadPhoto as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or one_line(error)}"
