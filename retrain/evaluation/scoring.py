"""Scoring a head on a set of photos."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from retrain.features.matrix import FeatureMatrix
from retrain.utils.numerics import softmax

BLOCK = 4096  # rows scored at a time


@dataclass(frozen=True)
class Evaluation:
    """Scored photos.

    Attributes:
        rows: (n,) of the feature matrix.
        truth: (n,) true classes.
        probabilities: (n, C).
    """

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def count(self) -> int:
        """How many photos there are."""
        return len(self.rows)

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest classes (n,), of equal ones the lowest."""
        predicted: np.ndarray = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def accuracy(self) -> float:
        """The share of right answers in [0, 1]; nan without photos."""
        return float((self.truth == self.predicted).mean()) if self.count else float("nan")

    def misclassified(self) -> list[tuple[int, int]]:
        """List (row, predicted class) of each wrong answer, in the order of `rows`."""
        predicted = self.predicted
        wrong = self.truth != predicted
        return list(zip(self.rows[wrong].tolist(), predicted[wrong].tolist(), strict=True))


class Scorer(Protocol):
    """A head, with or without a hidden layer."""

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Compute logits (n, C) of features (n, D)."""
        ...


def evaluate(
    head: Scorer, features: FeatureMatrix, labels: np.ndarray, *, rows: np.ndarray
) -> Evaluation:
    """Score rows of features against their classes.

    Args:
        head: Gives the logits.
        features: (N, D).
        labels: (N,) classes.
        rows: (n,) which rows.

    Returns:
        The scored photos.
    """
    return Evaluation(rows, labels[rows], softmax(logits_of(head, features, rows)))


def logits_of(head: Scorer, features: FeatureMatrix, rows: np.ndarray) -> np.ndarray:
    """Compute logits (n, C) float32 for rows of features (N, D), block by block."""
    starts = range(0, max(len(rows), 1), BLOCK)
    blocks = [head.logits(features.take(rows[start : start + BLOCK])) for start in starts]
    return np.concatenate(blocks)
