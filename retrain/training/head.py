"""The trained head as plain arrays, and its arithmetic."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.utils.files import atomic_path
from retrain.utils.numerics import softmax


@dataclass(frozen=True)
class Head:
    """softmax(features @ weights + biases); weights (D, C) float32, biases (C,) float32."""

    weights: np.ndarray
    biases: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Compute logits (n, C) of features (n, D)."""
        logits: np.ndarray = features @ self.weights + self.biases
        return logits

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Compute probabilities (n, C) float32 of features (n, D); each row sums to 1."""
        return softmax(self.logits(features))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean of -ln p(true class), in nats; p is kept above 1e-30."""
    of_truth = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_truth, 1e-30)).mean())


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the share, in [0, 1], of rows whose largest probability is the true class."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def write_checkpoint(prefix: Path, head: Head, step: int) -> Path:
    """Write `<prefix>.npz` with `weights`, `biases` and `step`, and return its path."""
    path = prefix.with_name(prefix.name + ".npz")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, weights=head.weights, biases=head.biases, step=step)
    return path
