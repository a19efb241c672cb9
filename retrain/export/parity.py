"""Parity: the exported file, read back, must answer as the trained head does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph

F32_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Parity:
    """How two classifiers answer the same photos.

    Attributes:
        photos: How many there are.
        agree: How many got the same top class.
        largest_gap: Between two probabilities.
    """

    photos: int
    agree: int
    largest_gap: float

    def holds(self, precision: str) -> bool:
        """Tell whether the answers are close enough for a precision.

        In f32 every answer must be the same; bf16 features differ from the graph's f32.
        """
        if precision == "f32":
            return self.largest_gap <= F32_TOLERANCE
        return self.agree >= 0.9 * self.photos


def compare(found: np.ndarray, expected: np.ndarray) -> Parity:
    """Compare two (n, C) arrays of probabilities of the same photos."""
    agree = int((found.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return Parity(len(expected), agree, float(np.abs(found - expected).max(initial=0.0)))


def graph_scores(graph: Path, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Compute probabilities (n, C) of n decoded photos, (H, W, 3) uint8, from the graph's file.

    The file is read anew by the code behind `label-image`.
    """
    classifier = open_classifier(graph, describe_graph(graph), photos=len(pixels))
    return np.stack([scores for _, scores in classifier.scores(enumerate(pixels))])
