"""Before a run ends: the exported file, read back, must say what the trained head says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.inference.classifier import open_classifier
from retrain.inference.spec.resolve import describe_graph

F32_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Parity:
    """`agree` of `photos` got the same top class; `largest_gap` is between two probabilities."""

    photos: int
    agree: int
    largest_gap: float

    def holds(self, precision: str) -> bool:
        """In f32 every answer must be the same; bf16 features differ from the graph's f32."""
        if precision == "f32":
            return self.largest_gap <= F32_TOLERANCE
        return self.agree >= 0.9 * self.photos


def compare(found: np.ndarray, expected: np.ndarray) -> Parity:
    """Compares two (n, C) arrays of probabilities of the same photos."""
    agree = int((found.argmax(axis=1) == expected.argmax(axis=1)).sum())
    return Parity(len(expected), agree, float(np.abs(found - expected).max(initial=0.0)))


def graph_scores(graph: Path, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities (n, C) of n decoded photos, (H, W, 3) uint8, by the graph's file, which is read
    anew by the code behind `label-image`."""
    classifier = open_classifier(graph, describe_graph(graph), photos=len(pixels))
    return np.stack([scores for _, scores in classifier.scores(enumerate(pixels))])


def check_parity(graph: Path, pixels: Sequence[np.ndarray], expected: np.ndarray) -> Parity:
    """Compares the `graph_scores` of one or more photos with what they should be, (n, C)."""
    return compare(graph_scores(graph, pixels), expected)
