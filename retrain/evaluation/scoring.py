"""Scoring a head on a set of photos."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from retrain.features.matrix import FeatureMatrix
from retrain.utils.numerics import softmax

BLOCK = 4096  # rows scored at a time


@dataclass(frozen=True)
class Evaluation:
    """`rows` (n,) of the feature matrix, their true classes (n,), probabilities (n, C)."""

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def predicted(self) -> np.ndarray:
        """(n,) likeliest classes, of equal ones the lowest."""
        predicted: np.ndarray = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]; nan without photos."""
        return float((self.truth == self.predicted).mean()) if self.count else float("nan")

    def misclassified(self) -> list[tuple[int, int]]:
        """(row, predicted class) of each wrong answer, in the order of `rows`."""
        predicted = self.predicted
        wrong = self.truth != predicted
        return list(zip(self.rows[wrong].tolist(), predicted[wrong].tolist(), strict=True))


class Scorer(Protocol):
    """A head, with or without a hidden layer."""

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(n, D) features to (n, C) logits."""
        ...


def evaluate(
    head: Scorer, features: FeatureMatrix, labels: np.ndarray, *, rows: np.ndarray
) -> Evaluation:
    """Scores the given rows of features (N, D) against labels (N,)."""
    return Evaluation(rows, labels[rows], softmax(logits_of(head, features, rows)))


def logits_of(head: Scorer, features: FeatureMatrix, rows: np.ndarray) -> np.ndarray:
    """(n, C) float32 for the given rows of features (N, D)."""
    starts = range(0, max(len(rows), 1), BLOCK)
    blocks = [head.logits(features.take(rows[start : start + BLOCK])) for start in starts]
    return np.concatenate(blocks)
