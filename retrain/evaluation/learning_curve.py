"""The learning curve: would more photos help? Heads trained on parts of the photos tell.

Each point is a cross-validation on the same folds, with heads of the run's own settings: trained on
one, two and four of five folds, so that each part is twice the one before. The last point is plain
cross-validation: the accuracy by folds, of all photos, which stands beside that of the test photos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.cross_validation import cross_validate, turns
from retrain.evaluation.folds import folds
from retrain.evaluation.intervals import Interval, paired_difference, too_few, wilson
from retrain.evaluation.scoring import Scorer
from retrain.evaluation.verdict import Tally, tally
from retrain.features.matrix import FeatureMatrix
from retrain.utils.text import percent

FOLDS = 5
USED = (1, 2, 4)  # folds that the heads of each point are trained on
MATTERS = 0.05  # a gain below this is not worth another photo session
WORTH = 0.01  # a gain below this is not worth the word yes, however certain it is

VERDICTS = {
    "yes": "Yes",
    "unclear": "Cannot be told",
    "no": "Hardly",
    "too few": "Too few photos to say",
}


@dataclass(frozen=True)
class LearningCurve:
    """How all N photos fare with heads that never saw them, trained on k growing parts.

    Attributes:
        photos: (k, C) training photos of each class, on average; each part is twice the one before.
        truth: (N,) classes.
        answers: (k, N) classes that heads of each part give.
    """

    photos: np.ndarray
    truth: np.ndarray
    answers: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(k, N) bool, which photos are recognised by heads of each part."""
        right: np.ndarray = self.answers == self.truth
        return right

    @property
    def confusion(self) -> np.ndarray:
        """(C, C) photos by true class and answer, at the last point."""
        size = self.photos.shape[1]
        cells = self.truth * size + self.answers[-1]
        return np.bincount(cells, minlength=size**2).reshape(size, size)

    def accuracy(self, part: int) -> tuple[float, Interval]:
        """Return the share of photos recognised in [0, 1] with a part, and its Wilson interval."""
        return float(self.right[part].mean()), wilson(int(self.right[part].sum()), len(self.truth))

    @property
    def by_folds(self) -> Tally:
        """The last point: all photos, by heads trained on all folds but the photo's own."""
        return tally(self.confusion)


@dataclass(frozen=True)
class Advice:
    """The answer for one class, or for all photos.

    Attributes:
        label: The class; "" for all photos.
        verdict: One of VERDICTS.
        sentence: Its grounds.
        recall: The share of its photos recognised, in [0, 1].
    """

    label: str
    verdict: str
    sentence: str
    recall: float


def learning_curve(
    features: FeatureMatrix,
    labels: np.ndarray,
    groups: Sequence[bytes | str],
    *,
    train: Callable[[np.ndarray], Scorer],
    seed: int,
) -> LearningCurve | None:
    """Cross-validate heads that are trained on growing parts of the photos, on the same folds.

    Args:
        features: (N, D), or more rows than there are photos.
        labels: (N,) classes.
        groups: A key for each photo; photos of one group share a fold.
        train: Is called with the rows of each part and returns a head.
        seed: Of the folds.

    Returns:
        The curve; None where there are too few groups for the folds.
    """
    fold_of = folds(labels, groups, FOLDS, seed=seed)
    if len(np.unique(fold_of)) < FOLDS:
        return None
    counts = np.bincount(labels)
    answers = [cross_validate(features, labels, fold_of, train=train, used=used) for used in USED]
    photos = [np.round(counts * used / FOLDS).astype(np.int64) for used in USED]
    return LearningCurve(np.array(photos), labels, np.array(answers))


def heads_of_curve() -> int:
    """Return how many heads `learning_curve` trains."""
    return sum(len(turns(list(range(FOLDS)), used)) for used in USED)


def overall_advice(curve: LearningCurve) -> Advice:
    """Say whether more photos of all classes would raise the accuracy."""
    return _judge("", curve.right, curve.photos.sum(axis=1))


def advice(curve: LearningCurve, labels: Sequence[str]) -> list[Advice]:
    """Say for each class whether more photos would help it, in the order of `labels`.

    More photos of all classes are meant.
    """
    return [
        _judge(label, curve.right[:, curve.truth == number], curve.photos[:, number])
        for number, label in enumerate(labels)
    ]


def growing_classes(curve: LearningCurve, labels: Sequence[str]) -> list[str]:
    """List the classes that more photos would help, the weakest first.

    Where only the accuracy of all tells that more would help, those of which it cannot be told.
    """
    answers = advice(curve, labels)
    found = [answer for answer in answers if answer.verdict == "yes"]
    if not found and overall_advice(curve).verdict == "yes":
        found = [answer for answer in answers if answer.verdict == "unclear"]
    return [answer.label for answer in sorted(found, key=lambda answer: answer.recall)]


def _judge(label: str, right: np.ndarray, photos: np.ndarray) -> Advice:
    """Judge by the photos right (k, n) with each part of so many `photos` (k,).

    Yes: the last doubling brought something, and the climb is more than chance explains, over the
    last doubling or the last two.
    """
    count = right.shape[1]
    if too_few(count):
        share = float(right[-1].mean()) if count else 0.0
        there = "is only 1 photo" if count == 1 else f"are only {count} photos"
        return Advice(label, "too few", f"There {there}.", share)
    shares = right.mean(axis=1)
    full = float(shares[-1])
    if full == 1:
        return Advice(label, "no", f"All {count} are right already.", full)
    last = paired_difference(right[-1], right[-2])
    climb = paired_difference(right[-1], right[0])
    steps = [f"{percent(s, 0)} with {n}" for s, n in zip(shares.tolist(), photos, strict=True)]
    course = f"{'Recall' if label else 'Accuracy'} by folds: {', '.join(steps)} training photos"
    if last.difference >= WORTH and max(last.interval.low, climb.interval.low) > 0:
        return Advice(label, "yes", f"{course}; chance does not explain that.", full)
    if last.interval.high < MATTERS:
        return Advice(label, "no", f"{course}: look at mistakes and labels instead.", full)
    limits = f"{100 * last.interval.low:+.0f} and {100 * last.interval.high:+.0f}"
    return Advice(
        label, "unclear", f"{course}; the last doubling brought between {limits} points.", full
    )
