"""`retrain evaluate`: any exported or old graph on any labelled image tree."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.data.folder import Index, Photo, read_tree, with_photos, without_unusable
from retrain.data.name_matching import composed, match_names
from retrain.data.read import read_photos_ahead
from retrain.data.summary import say_aside, say_found, say_left_out
from retrain.data.walk import SetAside
from retrain.errors import RetrainError, counted, few
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.inference.classifier import Classifier, open_classifier
from retrain.inference.spec.resolve import describe_graph
from retrain.inference.spec.spec import InputSpec, Overrides
from retrain.utils.progress import progress

log = logging.getLogger(__name__)

SEED = 0  # of the bootstrap
ALL = "all"
DEFAULT_SETS = ("test", "validation", "train")  # the first of these in a tree is evaluated


@dataclass(frozen=True)
class GraphEvaluation:
    """The n photos that could be evaluated, in the order of the tree.

    Attributes:
        spec: The graph's input spec, with its labels.
        labels: In the order in which classes are counted.
        image_dir: The tree.
        photos: The n photos.
        truth: (n,) classes.
        probabilities: (n, C).
        metrics: Of these.
        aside: Files that could not be used.
    """

    spec: InputSpec
    labels: tuple[str, ...]
    image_dir: str
    photos: tuple[Photo, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    metrics: Metrics
    aside: tuple[SetAside, ...]

    def rows(self) -> Iterator[tuple[str, str, str, np.ndarray]]:
        """Yield (path, set, true label, probabilities (C,)) of each photo.

        The set is "" where it is not known.
        """
        for photo, label, scores in zip(
            self.photos, self.truth.tolist(), self.probabilities, strict=True
        ):
            yield photo.path, photo.given_set or "", self.labels[label], scores


def evaluate_graph(
    graph: Path,
    image_dir: str,
    overrides: Overrides,
    *,
    labels_file: Path | None,
    which: str | None = None,
) -> GraphEvaluation:
    """Label the photos of a tree and compare with the folders they lie in, matched by name.

    Classes that only one side knows are named in a warning; photos of a class that the graph does
    not know are left out.

    Args:
        graph: Its file or folder.
        image_dir: The tree.
        overrides: The user's overrides of the input spec.
        labels_file: Labels to use instead of the graph's own, or None.
        which: The set of a tree with sets, or ALL; None: the test photos.

    Returns:
        The photos with their probabilities and metrics.

    Raises:
        RetrainError: The graph or the tree cannot be used.
    """
    spec = describe_graph(graph, overrides)
    index = _of_set(read_tree(image_dir, least_classes=1), which)
    say_found(index)
    classifier = open_classifier(graph, spec, labels_file=labels_file)
    for remark in classifier.remarks:
        log.warning(remark)
    label_of = _matched(index, classifier.labels, graph)
    wanted = [photo for photo in index.photos if photo.label in label_of]
    unusable: dict[str, str] = {}
    rows: list[np.ndarray] = []
    judged: list[Photo] = []
    with progress("Judging", len(wanted), "photos") as meter:
        decoded = _decoded(classifier, index, wanted, unusable=unusable)
        for position, scores in classifier.scores(decoded):
            judged.append(wanted[position])
            rows.append(scores)
            meter.advance()
    index = without_unusable(index, unusable)
    say_left_out(index)
    if not judged:
        files = counted(len(unusable), "file")
        raise RetrainError(f"no photo in {index.root} can be judged: {files} cannot be used")
    say_aside(index.aside)
    probabilities = np.stack(rows)
    truth = np.array([label_of[photo.label] for photo in judged], np.int64)
    rng = np.random.default_rng(SEED)
    return GraphEvaluation(
        replace(classifier.spec, labels=classifier.labels),
        classifier.labels,
        str(index.root),
        tuple(judged),
        truth,
        probabilities,
        compute_metrics(probabilities, truth, classifier.labels, rng=rng),
        index.aside,
    )


def _of_set(index: Index, which: str | None) -> Index:
    """Return the index with the photos of one set, or all; raise RetrainError if there are none."""
    given = {photo.given_set for photo in index.photos} - {None}
    if which == ALL or (which is None and not given):
        return index
    if which is None:
        which = next(each for each in DEFAULT_SETS if each in given)
        log.info(f"{index.root} has sets: the {which} photos are judged (--set names others)")
    if which not in given:
        there = ", ".join(sorted(filter(None, given)))
        raise RetrainError(
            f"--set {which}: {index.root} has "
            + (f"no such set with photos; there are {there}" if given else "no folders of sets")
            + f"; leave it out, or give --set {ALL}"
        )
    photos = [photo for photo in index.photos if photo.given_set == which]
    folders = {photo.path.split("/")[0] for photo in photos}
    return replace(
        with_photos(index, photos),
        aside=tuple(file for file in index.aside if file.path.split("/")[0] in folders),
        others=tuple(path for path in index.others if path.split("/")[0] in folders),
    )


def _decoded(
    classifier: Classifier, index: Index, photos: Sequence[Photo], *, unusable: dict[str, str]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield position and pixels of each photo; `unusable` gets the reasons of others, by path."""
    paths = [index.full_path(photo) for photo in photos]
    for position, result in read_photos_ahead(paths, classifier.spec.recipe):
        if isinstance(result, str):
            unusable[photos[position].path] = result
        else:
            yield position, result


def _matched(index: Index, labels: Sequence[str], graph: Path) -> dict[int, int]:
    """Return the graph's class for each class of the tree that it knows by name."""
    found = match_names(index.classes, labels)
    judged = set(found.values())
    strange = [name for number, name in enumerate(index.classes) if number not in found]
    unseen = [label for position, label in enumerate(labels) if position not in judged]
    if not found:
        raise RetrainError(
            f"{graph.absolute()} knows none of the classes in {index.root}: it has "
            f"{', '.join(labels[:5])}, the folders are {', '.join(index.classes[:5])}"
        )
    otherwise = [
        f"{index.classes[number]!r} is its {labels[position]!r}"
        for number, position in found.items()
        if composed(index.classes[number]) != composed(labels[position])
    ]
    if otherwise:
        more = f", and {len(otherwise) - 3} more" if len(otherwise) > 3 else ""
        log.info(f"names that the graph writes otherwise: {', '.join(otherwise[:3])}{more}")
    if strange:
        log.warning(
            f"the graph does not know {few(strange, 10)}; photos in such folders are left out"
        )
    if unseen:
        log.warning(
            f"there are no photos of {counted(len(unseen), 'class', 'classes')} of the graph: "
            f"{few(unseen, 10)}"
        )
    return found
