"""Comparing the new classifier with an earlier one, on the test photos that both know."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.data.name_matching import match_names
from retrain.data.read import read_photos_ahead
from retrain.errors import counted
from retrain.evaluation.assessment import Assessment
from retrain.evaluation.intervals import CONFIDENCE, PairedDifference, paired_difference
from retrain.evaluation.known_photos import SEEN, sets_in_training
from retrain.features.dataset import Dataset
from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph
from retrain.utils.progress import progress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ComparedPhoto:
    """A test photo that both graphs labelled: its true class and their answers.

    Classes are named as the new graph names them, where it has them.
    """

    path: str
    truth: str
    new: str
    earlier: str


@dataclass(frozen=True)
class Comparison:
    """Accuracies in [0, 1] of the new and the earlier graph on the same `photos` test photos.

    `answers`: the photos one by one.
    """

    earlier: Path
    photos: int
    new_accuracy: float
    earlier_accuracy: float
    difference: PairedDifference
    answers: tuple[ComparedPhoto, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether the new graph is worse by more than chance explains, by the paired test."""
        found = self.difference
        return found.difference < 0 and found.p_value < 1 - CONFIDENCE

    def sentence(self) -> str:
        """Say both accuracies and their difference."""
        return (
            f"Compared with {self.earlier} on {self.photos} test photos: "
            f"{self.new_accuracy:.1%} instead of {self.earlier_accuracy:.1%} "
            f"({self.difference.words()})"
        )


def compare_with(
    earlier: Path, dataset: Dataset, labels: tuple[str, ...], *, assessment: Assessment
) -> Comparison | None:
    """Compare with an earlier graph on the test photos whose class it knows by name.

    Photos that the split has kept for testing before are test photos still, so where the earlier
    graph was trained on the same tree, it has not seen them either. Any others that it has seen are
    left out.

    Args:
        earlier: The earlier graph's file or folder.
        dataset: The photos' features, classes and sets.
        labels: Of the new classifier, in class order.
        assessment: The new classifier's test.

    Returns:
        The comparison; None if the earlier graph knows the class of no test photo.

    Raises:
        RetrainError: The earlier graph cannot be used.
    """
    classifier = open_classifier(earlier, describe_graph(earlier))
    for remark in classifier.remarks:
        log.warning(f"{earlier.name}: {remark}")
    known = match_names(labels, classifier.labels)  # its class for each class of the new graph
    evaluation = assessment.evaluation
    rows, first = np.unique(evaluation.rows, return_index=True)
    keys = {dataset.keys[row] for row in rows.tolist()}
    digests = {p.path: key for p, key in zip(dataset.index.photos, dataset.keys, strict=True)}
    sets = sets_in_training(earlier, keys, (dataset.index, digests)) or {}
    unknown = [
        (int(row), int(position))
        for row, position in zip(rows, first, strict=True)
        if int(evaluation.truth[position]) in known
    ]
    asked = [(row, at) for row, at in unknown if sets.get(dataset.keys[row]) not in SEEN]
    if len(asked) < len(unknown):
        photos = counted(len(unknown) - len(asked), "test photo")
        log.warning(f"{earlier} was made of {photos}, left out of the comparison: it knows them")
    paths = [dataset.index.full_path(dataset.index.photos[row]) for row, _ in asked]

    def pictures() -> Iterator[tuple[int, np.ndarray]]:
        for number, pixels in read_photos_ahead(paths, classifier.spec.recipe):
            if isinstance(pixels, np.ndarray):
                yield number, pixels

    theirs, ours, answers = [], [], []
    our_name = {theirs: labels[ours] for ours, theirs in known.items()}
    predicted = evaluation.predicted
    with progress("Asking the earlier graph", len(paths), "photos") as meter:
        for number, scores in classifier.scores(pictures()):
            position = asked[number][1]
            truth = int(evaluation.truth[position])
            answer, our_answer = int(scores.argmax()), int(predicted[position])
            theirs.append(classifier.labels[answer] == classifier.labels[known[truth]])
            ours.append(our_answer == truth)
            answers.append(
                ComparedPhoto(
                    dataset.index.photos[asked[number][0]].path,
                    labels[truth],
                    labels[our_answer],
                    our_name.get(answer, classifier.labels[answer]),
                )
            )
            meter.advance()
    if not theirs:
        log.warning(f"{earlier} can be asked about no test photo, so nothing can be compared")
        return None
    old, new = np.array(theirs), np.array(ours)
    return Comparison(
        earlier.absolute(),
        len(old),
        float(new.mean()),
        float(old.mean()),
        paired_difference(new, old),
        tuple(answers),
    )
