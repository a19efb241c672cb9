"""Scoring a head on a set of photos."""

from dataclasses import dataclass

import numpy as np

from retrain.bottlenecks.matrix import FeatureMatrix
from retrain.heads.head import Head

BLOCK = 4096  # rows scored at a time


@dataclass(frozen=True)
class Evaluation:
    """`rows` (n,) of the feature matrix, with true and predicted classes (n,)."""

    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]; nan without photos."""
        return float((self.truth == self.predicted).mean()) if self.count else float("nan")

    def misclassified(self) -> list[tuple[int, int]]:
        """(row, predicted class) of each wrong answer, in the order of `rows`."""
        wrong = self.truth != self.predicted
        return list(zip(self.rows[wrong].tolist(), self.predicted[wrong].tolist(), strict=True))


def evaluate(
    head: Head, features: FeatureMatrix, labels: np.ndarray, rows: np.ndarray
) -> Evaluation:
    """Scores the given rows of features (N, D) against labels (N,)."""
    predicted = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        predicted[start : start + BLOCK] = head.logits(features.take(block)).argmax(axis=1)
    return Evaluation(rows, labels[rows], predicted)
