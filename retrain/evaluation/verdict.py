"""The verdict on a classifier in plain words: can it be used, where is it weak, what to do next.

The terminal's last screen and the page show these very values, so both say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.intervals import Interval, too_few, wilson
from retrain.evaluation.metrics import Metrics
from retrain.evaluation.next_steps import Step
from retrain.utils.text import percent, shortened

HELP_ONLY = 0.7  # below this share right it helps a person, and decides nothing by itself
VAGUE = 0.2  # an interval so wide leaves open whether a classifier is good or bad
FEW = 0.05  # half of an interval wider than this: so few test photos that folds say more
SURE = 0.8  # the score from which answers are called sure; an edge of Metrics.reliability
MOST_STEPS = 3


@dataclass(frozen=True)
class Tally:
    """How many photos of a kind are recognised: `right` of `count`; `what` they are, in words."""

    right: int
    count: int
    what: str

    @property
    def share(self) -> float:
        """The accuracy in [0, 1]; 0 without photos."""
        return self.right / max(self.count, 1)

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the accuracy."""
        return wilson(self.right, self.count)

    def sentence(self) -> str:
        """Say the accuracy, of which photos it is, and its interval."""
        low, high = 100 * self.interval.low, percent(self.interval.high)
        return (
            f"{percent(self.share)} of {self.count} {self.what} are recognised "
            f"(95 % interval {low:.1f} to {high})"
        )


@dataclass(frozen=True)
class Weakness:
    """The class that does worst.

    Attributes:
        label: Its name.
        right: How many of its photos are recognised.
        support: How many it has.
        taken_for: The class that it is most often taken for.
        times: How often that is.
        few: So few photos that it may be chance.
    """

    label: str
    right: int
    support: int
    taken_for: str
    times: int
    few: bool

    def sentence(self, length: int = 1000) -> str:
        """Say which class is weak and why, its names cut to `length` characters."""
        label, other = shortened(self.label, length), shortened(self.taken_for, length)
        chance = "; may be chance" if self.few else ""
        right = f"{self.right} of {self.support} right"
        return f"{label} ({right}), {self.times} taken for {other}{chance}"


@dataclass(frozen=True)
class Verdict:
    """What a result means.

    Attributes:
        tested: The test photos.
        folds: All photos, each judged by a head that never saw it, where the test photos are few;
            else None.
        usable: Can it be used, in one sentence.
        sure: How good sure answers are, in one sentence; "" where there are too few.
        weakest: By folds where these are given; None without a mistake.
        steps: What to do next, the most urgent first, MOST_STEPS at most.
    """

    tested: Tally
    folds: Tally | None
    usable: str
    sure: str
    weakest: Weakness | None
    steps: tuple[Step, ...]


def tally(confusion: np.ndarray) -> Tally:
    """Count all photos and those on the diagonal of (C, C) photos by true class and answer."""
    return Tally(int(np.trace(confusion)), int(confusion.sum()), "photos")


def is_vague(metrics: Metrics) -> bool:
    """Tell whether the test photos are so few that folds of all photos say more."""
    interval = metrics.accuracy_interval
    return interval is None or (interval.high - interval.low) / 2 > FEW


def tally_of(metrics: Metrics, what: str = "test photos") -> Tally:
    """Count the photos that are recognised; `what` they are, in words."""
    return Tally(round((metrics.accuracy or 0) * metrics.count), metrics.count, what)


def judge(
    metrics: Metrics,
    steps: tuple[Step, ...],
    use: Step | None,
    *,
    what: str = "test photos",
    folds: np.ndarray | None = None,
) -> Verdict:
    """Judge a classifier by its test photos, and by folds of all photos where these are given.

    Args:
        metrics: Of the test photos.
        steps: What may be done about photos and classifier, the most urgent first.
        use: How it is used, left out where it may be no better than a guess; None for a graph that
            missed a gate.
        what: Which photos the metrics are of, in words.
        folds: (C, C) all photos by true class and answer, where the test photos are few.

    Returns:
        The verdict.
    """
    tested = tally_of(metrics, what)
    by_folds = None if folds is None else tally(folds)
    best, confusion = by_folds or tested, metrics.confusion if folds is None else folds
    labels = [each.label for each in metrics.classes]
    largest = int(confusion.sum(axis=1).argmax())
    guess = float(confusion[largest].sum()) / max(best.count, 1)
    useful = best.count > 0 and best.interval.low > guess
    return Verdict(
        tested=tested,
        folds=by_folds,
        usable=_usable(best, labels[largest], guess),
        sure=_sure_answers(metrics),
        weakest=_weakest(confusion, labels),
        steps=(*steps[: MOST_STEPS - 1], use) if useful and use else steps[:MOST_STEPS],
    )


def _usable(best: Tally, largest: str, guess: float) -> str:
    """Say whether it can be used; `guess`: the share of photos in the largest class."""
    if not best.count:
        return "Nobody can say whether it can be used: there is no test photo."
    low, high = (round(100 * end) for end in (best.interval.low, best.interval.high))
    if best.interval.low <= guess:
        return (
            "It cannot be used yet: to answer with the largest class each time "
            f"({shortened(largest, 24)}, {percent(guess, 0)}) may be as good."
        )
    if best.interval.high - best.interval.low > VAGUE:
        return (
            f"Whether it can be used cannot be said yet: of 100 new photos like these, {low} to "
            f"{high} will be recognised, which is all that {best.count} photos can tell."
        )
    ahead = f"of 100 new photos like these, {low} to {high} will be recognised."
    if best.share < HELP_ONLY:
        return f"It can help a person, and should decide nothing by itself: {ahead}"
    wrong = best.count - best.right
    harm = f"one wrong answer in {round(best.count / wrong)}" if wrong else "a rare wrong answer"
    return f"It can be used where {harm} does no harm: {ahead}"


def _sure_answers(metrics: Metrics) -> str:
    bins = [each for each in metrics.reliability if each.low > SURE - 1e-9]
    count = sum(each.count for each in bins)
    if too_few(count):
        return ""
    right = sum(round((each.accuracy or 0) * each.count) for each in bins)
    return (
        f"{percent(count / metrics.count, 0)} of the answers have a score above {percent(SURE, 0)}"
        f", and {percent(right / count)} of those are right."
    )


def _weakest(confusion: np.ndarray, labels: Sequence[str]) -> Weakness | None:
    """Return the class with the lowest recall, of equals the largest; None without a mistake.

    Classes with too few photos to judge come after all others.
    """
    support, right = confusion.sum(axis=1), np.diagonal(confusion)
    recall = right / np.maximum(support, 1)
    faulty = np.flatnonzero(right < support).tolist()
    if not faulty:
        return None
    few = [too_few(count) for count in support.tolist()]
    worst = min(faulty, key=lambda number: (few[number], recall[number], -support[number]))
    wrong = confusion[worst].copy()
    wrong[worst] = 0
    return Weakness(
        labels[worst],
        int(right[worst]),
        int(support[worst]),
        labels[int(wrong.argmax())],
        int(wrong.max()),
        few[worst],
    )
