"""Confidence intervals: how far a figure can be trusted, given how few photos it rests on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 1000
WIDEST = 0.15  # half-width; a wider interval is not worth showing


@dataclass(frozen=True)
class Interval:
    """Confidence limits, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of A less accuracy of B on the same photos, in [-1, 1], and how sure that is."""

    difference: float
    interval: Interval
    p_value: float

    def words(self) -> str:
        """Return the difference in points, with its interval and p-value, for a sentence."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        return (
            f"{100 * self.difference:+.1f} points, with 95 % confidence {low:+.1f} to {high:+.1f}; "
            f"p = {self.p_value:.2g}"
        )


def wilson(right: int, count: int, confidence: float = CONFIDENCE) -> Interval:
    """Compute the score interval for the share right / count; [0, 1] without photos.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    J. Am. Stat. Assoc. 22 (1927), without continuity correction.
    """
    if not count:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (right + z * z / 2) / (count + z * z)
    half = z * math.sqrt(right * (count - right) / count + z * z / 4) / (count + z * z)
    # With all right the limit is 1, which rounding may miss; with none right it is exactly 0.
    return Interval(centre - half, 1.0 if right == count else centre + half)


def too_few(count: int) -> bool:
    """Tell whether so few photos can say nothing about a share.

    They cannot when even with all of them right the Wilson interval would be wider than
    +- WIDEST, which is so below 9 photos. The rule looks at the count only, so a class is not
    called too small for having done badly.
    """
    best = wilson(count, count)
    return (best.high - best.low) / 2 > WIDEST


def bootstrap(
    statistic: Callable[[np.ndarray], float], confusion: np.ndarray, rng: np.random.Generator
) -> Interval:
    """Compute the bootstrap interval for a statistic in [0, 1] of a confusion matrix (C, C).

    The matrix must not be all 0. Photos are drawn with replacement. The percentile interval is
    moved by the bootstrap's own estimate of bias (Efron and Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapters 10 and 13): a resample lacks a third of the photos, so with a few
    photos a class its macro F1 is too low, and the plain interval may leave out the very figure it
    belongs to.
    """
    photos = np.repeat(np.arange(confusion.size), confusion.ravel())  # the cell of each
    values = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = photos[rng.integers(len(photos), size=len(photos))]
        counts = np.bincount(drawn, minlength=confusion.size)
        values[number] = statistic(counts.reshape(confusion.shape))
    tail = (1 - CONFIDENCE) / 2
    limits = np.quantile(values, (tail, 1 - tail)) + (statistic(confusion) - values.mean())
    low, high = np.clip(limits, 0, 1).tolist()
    return Interval(low, high)


def paired_difference(right_a: np.ndarray, right_b: np.ndarray) -> PairedDifference:
    """Compare two classifiers by which of the same photos (n,) each got right (bool).

    The interval is method 10 of R. G. Newcombe, "Improved confidence intervals for the difference
    between binomial proportions based on paired data", Statistics in Medicine 17 (1998), 2635-50.
    The p-value is McNemar's exact one, two-sided: among the photos that only one got right, each
    is as likely to be that one. Without photos: 0, [-1, 1] and 1.
    """
    count = len(right_a)
    if not count:
        return PairedDifference(0.0, Interval(-1.0, 1.0), 1.0)
    both = int((right_a & right_b).sum())
    only_a = int((right_a & ~right_b).sum())
    only_b = int((~right_a & right_b).sum())
    neither = count - both - only_a - only_b
    share_a, share_b = (both + only_a) / count, (both + only_b) / count
    interval_a, interval_b = wilson(both + only_a, count), wilson(both + only_b, count)
    phi = _paired_correlation(both, only_a, only_b, neither=neither)
    difference = (only_a - only_b) / count
    down = _joined(share_a - interval_a.low, interval_b.high - share_b, phi)
    up = _joined(interval_a.high - share_a, share_b - interval_b.low, phi)
    return PairedDifference(
        difference, Interval(difference - down, difference + up), _mcnemar(only_a, only_b)
    )


def _joined(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(first**2 + second**2 - 2 * phi * first * second, 0.0))


def _paired_correlation(both: int, only_a: int, only_b: int, *, neither: int) -> float:
    """Compute Newcombe's phi, with half a photo's worth of continuity correction if positive."""
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if not product:
        return 0.0
    excess = float(both * neither - only_a * only_b)
    if excess > 0:
        excess = max(excess - (both + only_a + only_b + neither) / 2, 0.0)
    return excess / math.sqrt(product)


def _mcnemar(only_a: int, only_b: int) -> float:
    from scipy.special import bdtr  # imports ten times faster than scipy.stats

    if only_a == only_b:
        return 1.0
    return float(2 * bdtr(min(only_a, only_b), only_a + only_b, 0.5))
