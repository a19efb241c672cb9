"""Duplicates: photos with the same bytes, and the same picture saved anew.

Features propose and pixels confirm. A copy is among the nearest neighbours of its original, but
how near differs from network to network, and photos that are merely alike may be nearer. What those
do not share is where their edges lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.audit.neighbours import Neighbours

SAME = 0.77  # tests/evaluation/test_audit_flowers.py holds this against copies of real photos
CHUNK = 16_384  # pairs whose pixels are compared at a go: about 100 MB


@dataclass(frozen=True)
class Pair:
    """Rows a < b show the same picture; `similarity` is in (SAME, 1]."""

    a: int
    b: int
    similarity: float


def exact_duplicates(keys: Sequence[bytes]) -> list[list[int]]:
    """Return the rows (ascending) of each key that occurs more than once, by first occurrence."""
    groups: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def near_duplicates(neighbours: Neighbours, thumbnails: np.ndarray) -> list[Pair]:
    """Return the pairs of neighbours that show the same picture, the most similar first.

    `thumbnails` (n, S, S) uint8: the photos in grey, squashed to one small size. The similarity of
    a pair is the mean of two cosines: of their features, and of their thumbnails' edges.
    """
    count, k = neighbours.rows.shape
    own = np.repeat(np.arange(count), k)
    other = neighbours.rows.ravel()
    low, high = np.minimum(own, other), np.maximum(own, other)
    _, first = np.unique(low * count + high, return_index=True)
    low, high = low[first], high[first]
    similarity = neighbours.similarity.ravel()[first]
    # Pixels add at most 1/2, so the other pairs cannot reach SAME.
    hopeful = similarity > 2 * SAME - 1
    low, high, similarity = low[hopeful], high[hopeful], similarity[hopeful]
    for start in range(0, len(low), CHUNK):
        some = slice(start, start + CHUNK)
        pixels = _pixel_similarity(thumbnails[low[some]], thumbnails[high[some]])
        similarity[some] = (similarity[some] + pixels) / 2
    order = np.argsort(-similarity, kind="stable")
    order = order[similarity[order] > SAME]
    return [
        Pair(a, b, min(value, 1.0))
        for a, b, value in zip(
            low[order].tolist(), high[order].tolist(), similarity[order].tolist(), strict=True
        )
    ]


def _pixel_similarity(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compute the similarity (m,) float32 in [-1, 1] of pairs of thumbnails (m, S, S).

    It is 0 where one is blank.
    """
    cosines: np.ndarray = np.einsum("mi,mi->m", _edges(left), _edges(right))
    return cosines


def _edges(thumbnails: np.ndarray) -> np.ndarray:
    """Compute edges (m, 2 (S-1) (S-1)) float32 of thumbnails (m, S, S), scaled to length 1.

    Edges are differences to the right and downwards.
    """
    values = thumbnails.astype(np.float32)
    across = np.diff(values, axis=2)[:, :-1].reshape(len(values), -1)
    down = np.diff(values, axis=1)[:, :, :-1].reshape(len(values), -1)
    edges = np.concatenate([across, down], axis=1)
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1.0)
    return edges
