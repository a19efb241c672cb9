"""Calibration: making a head's scores mean what they say, learnt from validation photos."""

import math

import numpy as np

from retrain.utils.numerics import softmax

COLDEST, HOTTEST = 0.1, 10.0
HALVINGS = 40  # of that interval; enough for a float32's precision


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
