"""Calibration: making a head's scores mean what they say, learnt from validation photos."""

import math
from dataclasses import dataclass

import numpy as np

from retrain.utils.numerics import softmax
from retrain.utils.text import percent

COLDEST, HOTTEST = 0.1, 10.0
HALVINGS = 40  # of that interval; enough for a float32's precision
FOLDS = 5
STEADY = 3.0  # times that temperatures of folds may differ; beyond, one photo decides


@dataclass(frozen=True)
class Trial:
    """What a temperature does for photos that it was not fitted on.

    Attributes:
        temperature: Fitted on all validation photos.
        photos: How many there are.
        log_loss: Mean of -ln p(true class) as trained, and calibrated out of fold.
        error: How far the mean score of the answers is from the share right, likewise. This is the
            calibration error of a single bin: in 15 bins a few dozen photos show little but chance,
            and a choice by them loses more than it gains (`scripts/bench_calibration`).
        of_folds: The lowest and the highest temperature fitted without a fold.
    """

    temperature: float
    photos: int
    log_loss: tuple[float, float]
    error: tuple[float, float]
    of_folds: tuple[float, float]

    @property
    def helps(self) -> bool:
        """Whether both are smaller when calibrated, by a temperature that all folds agree on."""
        low, high = self.of_folds
        steady = high / low < STEADY
        return steady and self.log_loss[1] < self.log_loss[0] and self.error[1] < self.error[0]

    def sentence(self) -> str:
        """Say what calibration does on the folds."""
        losses = " to ".join(f"{loss:.3f}" for loss in self.log_loss)
        errors = " to ".join(percent(error) for error in self.error)
        return (
            f"on folds of the {self.photos} validation photos, log loss goes from {losses} and the "
            f"distance of mean score and accuracy from {errors}, with temperatures of "
            f"{self.of_folds[0]:.2f} to {self.of_folds[1]:.2f}"
        )


def try_temperature(logits: np.ndarray, truth: np.ndarray) -> Trial:
    """Fit a temperature and try it on folds of the same photos, class by class.

    `logits` (n, C), `truth` (n,) classes. See `fit_temperature`.
    """
    temperature = fit_temperature(logits, truth)
    count = len(truth)
    fold_of = np.empty(count, np.int64)
    fold_of[np.argsort(truth, kind="stable")] = np.arange(count) % FOLDS
    divisors = np.ones((count, 1))
    for fold in np.unique(fold_of):
        here = fold_of == fold
        divisors[here] = fit_temperature(logits[~here], truth[~here])
    both = [softmax(logits.astype(np.float64) / each) for each in (1.0, divisors)]
    before, after = ([_log_loss(each, truth), _error(each, truth)] for each in both)
    return Trial(
        temperature,
        count,
        log_loss=(before[0], after[0]),
        error=(before[1], after[1]),
        of_folds=(float(divisors.min()), float(divisors.max())),
    )


def _log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    of_truth = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_truth, 1e-300)).mean())


def _error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    right = probabilities.argmax(axis=1) == truth
    return abs(float(probabilities.max(axis=1).mean() - right.mean()))


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Return the T in [COLDEST, HOTTEST] that gives softmax(logits / T) the lowest log loss.

    `logits` (n, C), `truth` (n,) classes. C. Guo et al., "On calibration of modern neural
    networks", ICML 2017, section 4.2: below 1 the head was too timid, above 1 too sure. The
    order of a photo's classes stays, but for rounding, and the log loss on the given photos is
    never more than with T = 1.

    Without a mistake among the photos the best T would be 0, boundless confidence learnt from no
    counter-example, so T is then 1, as it is without photos or where no T is better than 1.
    """
    if not (logits.argmax(axis=1) != truth).any():
        return 1.0
    shifted = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    of_truth = shifted[np.arange(len(truth)), truth]

    def log_loss(temperature: float) -> float:
        normaliser = np.log(np.exp(shifted / temperature).sum(axis=1))
        return float((normaliser - of_truth / temperature).mean())

    def too_timid(temperature: float) -> bool:
        """Tell whether less temperature would lower the log loss: its slope by 1 / T is < 0."""
        powers = np.exp(shifted / temperature)
        expected = (powers * shifted).sum(axis=1) / powers.sum(axis=1)
        return float((expected - of_truth).mean()) < 0

    # The log loss is convex in 1 / T, so halving finds its only minimum, without the quarter of a
    # second that importing SciPy's optimisers costs each run.
    cold, hot = COLDEST, HOTTEST
    for _ in range(HALVINGS):
        middle = math.sqrt(cold * hot)
        cold, hot = (cold, middle) if too_timid(middle) else (middle, hot)
    best = math.sqrt(cold * hot)
    return best if log_loss(best) < log_loss(1.0) else 1.0


def calibrated(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Compute probabilities (n, C): softmax(logits / temperature)."""
    return softmax(logits / temperature)


def fit_threshold(probabilities: np.ndarray, truth: np.ndarray, precision: float) -> float | None:
    """Return the lowest score at which answering is right often enough, or None.

    Of `probabilities` (n, C) with classes `truth` (n,), a photo is answered when its top score is
    at least the threshold. Returned is the smallest top score t among the photos such that of
    those answered at least the share `precision` in [0, 1] is right: the rule with the largest
    coverage. Photos of equal score are answered together or not at all. None when no threshold
    reaches the precision, or without photos.
    """
    top = probabilities.max(axis=1)
    order = np.argsort(-top, kind="stable")
    scores = top[order]
    right = (probabilities.argmax(axis=1) == truth)[order]
    reached = np.cumsum(right) / np.arange(1, len(scores) + 1) >= precision
    last_of_equals = np.append(scores[1:] < scores[:-1], True)[: len(scores)]
    fitting = np.flatnonzero(reached & last_of_equals)
    return float(scores[fitting[-1]]) if len(fitting) else None
