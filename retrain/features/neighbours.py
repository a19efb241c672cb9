"""The nearest neighbours of each photo by its features."""

from dataclasses import dataclass

import numpy as np

from retrain.features.matrix import FeatureMatrix
from retrain.utils.progress import progress

BLOCK = 4096  # rows compared at a go


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of n rows.

    Attributes:
        rows: (n, k) int64, each row's nearest other rows, the nearest first.
        similarity: (n, k) float32, the cosine of the angle between them, in [-1, 1].
    """

    rows: np.ndarray
    similarity: np.ndarray


def unit_vectors(features: FeatureMatrix, rows: np.ndarray) -> np.ndarray:
    """Return rows of the matrix as vectors (n, D) float32, each scaled to length 1."""
    vectors = features.take(rows)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
    return vectors


def nearest(units: np.ndarray, k: int, asked: np.ndarray | None = None) -> Neighbours:
    """Find the k nearest others (fewer if there are no more) of each of n unit vectors (n, D).

    Every pair is compared, block by block; n x n numbers are never held. `asked` (n, D): vectors
    that are looked up in place of their own, such as those of mirrored photos.
    """
    asked = units if asked is None else asked
    from sklearn.neighbors import NearestNeighbors

    count = len(units)
    k = min(k, count - 1)
    rows = np.empty((count, k), np.int64)
    similarity = np.empty((count, k), np.float32)
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(units)
    with progress("Comparing", count, "photos") as meter:
        for start in range(0, count, BLOCK):
            block = slice(start, min(start + BLOCK, count))
            distances, found = search.kneighbors(asked[block])
            itself = found == np.arange(block.start, block.stop)[:, None]
            itself[~itself.any(axis=1), -1] = True  # more than k equal rows crowded it out
            shape = rows[block].shape  # named, because reshape cannot find a -1 for a single photo
            rows[block] = found[~itself].reshape(shape)
            similarity[block] = 1 - distances[~itself].reshape(shape) ** 2 / 2
            meter.advance(block.stop - block.start)
    return Neighbours(rows, similarity)
