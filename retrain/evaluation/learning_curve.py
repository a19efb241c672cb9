"""The learning curve: would more photos help? Heads trained on parts of the photos tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.errors import counted
from retrain.evaluation.intervals import Interval, paired_difference, too_few, wilson
from retrain.evaluation.scoring import evaluate
from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head
from retrain.utils.text import percent

FRACTIONS = (0.125, 0.25, 0.5, 1.0)  # each doubling hints at the gain of the next one
MATTERS = 0.05  # a gain of recall below this is not worth another photo session

VERDICTS = {
    "yes": "Yes",
    "unclear": "Cannot be told",
    "no": "Hardly",
    "too few": "Too few test photos to say",
}


@dataclass(frozen=True)
class LearningCurve:
    """How n test photos fare with heads trained on k growing parts of the training photos.

    Attributes:
        photos: (k, C) training photos of each class. The last part is all photos.
        truth: (n,) classes.
        right: (k, n) bool, which test photos each head gets right.
    """

    photos: np.ndarray
    truth: np.ndarray
    right: np.ndarray

    def accuracy(self, part: int) -> tuple[float, Interval]:
        """Return the share of test photos right in [0, 1] with a part, and its Wilson interval."""
        return float(self.right[part].mean()), wilson(int(self.right[part].sum()), len(self.truth))


@dataclass(frozen=True)
class Advice:
    """The answer for one class: `verdict` is one of VERDICTS, `sentence` its grounds."""

    label: str
    verdict: str
    sentence: str


def learning_curve(
    features: FeatureMatrix,
    labels: np.ndarray,
    train_rows: np.ndarray,
    *,
    test_rows: np.ndarray,
    classes: int,
    train: Callable[[np.ndarray], Head],
    rng: np.random.Generator,
) -> LearningCurve | None:
    """Train heads on growing parts of the training photos, and test each.

    The parts are drawn class by class, each within the next, with a photo of each class at least.

    Args:
        features: (N, D).
        labels: (N,) classes, 0 to `classes` - 1.
        train_rows: Rows of the training photos.
        test_rows: Rows of the test photos.
        classes: How many classes there are.
        train: Is called with each part of `train_rows` and returns a head.
        rng: Draws the parts.

    Returns:
        The curve; None without test photos.
    """
    if not len(test_rows):
        return None
    order = rng.permutation(train_rows)
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels[train_rows], minlength=classes)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    photos, right = [], []
    for fraction in FRACTIONS:
        used = np.maximum(np.round(fraction * counts).astype(np.int64), np.minimum(counts, 1))
        rows = np.sort(order[rank < used[labels[order]]])
        judged = evaluate(train(rows), features, labels, rows=test_rows)
        photos.append(used)
        right.append(judged.predicted == judged.truth)
    return LearningCurve(np.array(photos), labels[test_rows], np.array(right))


def advice(curve: LearningCurve, labels: Sequence[str]) -> list[Advice]:
    """Say for each class whether more photos would help it, in the order of `labels`.

    More photos of all classes are meant. The grounds are the last doubling: the same test photos
    with half and with all training photos.
    """
    found = []
    for number, label in enumerate(labels):
        members = curve.truth == number
        half, full = curve.right[-2][members], curve.right[-1][members]
        before, now = (int(value) for value in curve.photos[-2:, number])
        found.append(Advice(label, *_judge(half, full, before, now=now)))
    return found


def _judge(half: np.ndarray, full: np.ndarray, before: int, *, now: int) -> tuple[str, str]:
    count, right = len(full), int(full.sum())
    seen = counted(count, "test photo")
    if too_few(count):
        return "too few", f"There {'is' if count == 1 else 'are'} only {seen}."
    if right == count:
        return "no", f"All {seen} are right already."
    gain = paired_difference(full, half)
    low, high = percent(float(half.mean()), 0), percent(float(full.mean()), 0)
    step = f"from {low} with {before} to {high} with {now} training photos"
    if gain.interval.low > 0:
        return "yes", f"Recall rose {step}, more than chance explains."
    if gain.interval.high < MATTERS:
        return "no", f"Recall went {step}: look at its mistakes and labels instead."
    limits = f"{100 * gain.interval.low:+.0f} and {100 * gain.interval.high:+.0f}"
    return "unclear", f"Recall went {step}; by {seen} the true change is between {limits} points."
