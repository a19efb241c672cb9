"""`retrain evaluate`: any exported or old graph on any labelled image tree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.errors import RetrainError, counted
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.images.labels import legacy_label
from retrain.images.reading import read_photos_ahead
from retrain.images.tree import Index, Photo, SetAside, read_tree
from retrain.label.classifier import Classifier, open_classifier
from retrain.label.describe import describe_graph
from retrain.label.spec import GraphInput, Overrides
from retrain.progress import Talk

SEED = 0  # of the bootstrap


@dataclass(frozen=True)
class Judged:
    """The n photos that could be judged, in the order of the tree; `truth` (n,) and
    `probabilities` (n, C) count classes as `labels` does. `spec`: how the graph was fed, with its
    labels. `aside`: files that could not be used.
    """

    spec: GraphInput
    labels: tuple[str, ...]
    image_dir: str
    photos: tuple[Photo, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    metrics: Metrics
    aside: tuple[SetAside, ...]

    def rows(self) -> Iterator[tuple[str, str, str, np.ndarray]]:
        """(path, set, true label, probabilities (C,)) of each photo; the set is not known."""
        for photo, label, scores in zip(
            self.photos, self.truth.tolist(), self.probabilities, strict=True
        ):
            yield photo.path, photo.given_set or "", self.labels[label], scores


def judge(
    graph: Path, image_dir: str, said: Overrides, labels_file: Path | None, talk: Talk
) -> Judged:
    """Labels the photos of a tree and compares with the folders they lie in, matched by name.

    Classes that only one side knows are named in a warning; photos of a class that the graph does
    not know are left out. Raises RetrainError.
    """
    spec = describe_graph(graph, said)
    index = read_tree(image_dir)
    classifier = open_classifier(graph, spec, labels_file=labels_file)
    for remark in classifier.remarks:
        talk.warn(remark)
    label_of = _matched(index, classifier.labels, graph, talk)
    wanted = [photo for photo in index.photos if photo.label in label_of]
    aside = list(index.aside)
    rows: list[np.ndarray] = []
    judged: list[Photo] = []
    with talk.progress("Judging", len(wanted), "photos") as meter:
        decoded = _decoded(classifier, index, wanted, aside)
        for position, scores in classifier.scores(decoded):
            judged.append(wanted[position])
            rows.append(scores)
            meter.advance()
    if not judged:
        raise RetrainError(f"no photo in {index.root} can be judged: {counted(len(aside), 'file')} "
                           "cannot be used")  # fmt: skip
    for file in aside[:10]:
        talk.warn(f"set aside {file.path}: {file.reason}")
    probabilities = np.stack(rows)
    truth = np.array([label_of[photo.label] for photo in judged], np.int64)
    rng = np.random.default_rng(SEED)
    return Judged(
        replace(classifier.spec, labels=classifier.labels),
        classifier.labels,
        str(index.root),
        tuple(judged),
        truth,
        probabilities,
        compute_metrics(probabilities, truth, classifier.labels, rng),
        tuple(aside),
    )


def _decoded(
    classifier: Classifier, index: Index, photos: Sequence[Photo], aside: list[SetAside]
) -> Iterator[tuple[int, np.ndarray]]:
    """Position and pixels of each photo that can be decoded; the others go `aside`."""
    paths = [index.full_path(photo) for photo in photos]
    for position, result in read_photos_ahead(paths, classifier.spec.recipe):
        if isinstance(result, str):
            aside.append(SetAside(photos[position].path, result))
        else:
            yield position, result


def _matched(index: Index, labels: Sequence[str], graph: Path, talk: Talk) -> dict[int, int]:
    """The graph's class for each class of the tree that it knows, by name or the ancestor's form
    of it."""
    known = {label: position for position, label in enumerate(labels)}
    found = {}
    for number, name in enumerate(index.classes):
        position = known.get(name, known.get(legacy_label(name)))
        if position is not None:
            found[number] = position
    strange = [name for number, name in enumerate(index.classes) if number not in found]
    unseen = [label for position, label in enumerate(labels) if position not in found.values()]
    if not found:
        raise RetrainError(
            f"{graph.absolute()} knows none of the classes in {index.root}: it has "
            f"{', '.join(labels[:5])}, the folders are {', '.join(index.classes[:5])}"
        )
    if strange:
        talk.warn(
            f"the graph does not know {', '.join(map(repr, strange[:10]))}; photos in such folders "
            "are left out"
        )
    if unseen:
        talk.warn(
            f"there are no photos of {counted(len(unseen), 'class', 'classes')} of the graph: "
            f"{', '.join(map(repr, unseen[:10]))}{', ...' if len(unseen) > 10 else ''}"
        )
    return found
