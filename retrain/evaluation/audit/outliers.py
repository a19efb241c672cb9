"""Outliers: photos that are like no other."""

from dataclasses import dataclass

import numpy as np

from retrain.features.neighbours import Neighbours

LIMIT = 3.5  # modified z-score beyond which a value is an outlier (Iglewicz and Hoaglin, 1993)


@dataclass(frozen=True)
class Outlier:
    """A photo's row, and how many robust standard deviations it is farther off than usual."""

    row: int
    score: float


def outliers(neighbours: Neighbours, labels: np.ndarray) -> list[Outlier]:
    """Return the rows far from all others, the farthest first. `labels`: (n,) classes.

    What counts is the distance to the farthest of the k neighbours (Ramaswamy, Rastogi and Shim,
    2000), so fewer than k copies of an odd photo do not hide it. It has to stand out both among all
    photos and among its own class, which may be a motley one.
    """
    if neighbours.rows.shape[1] == 0:
        return []
    distances = 1 - neighbours.similarity[:, -1].astype(np.float64)
    centre, spread = _robust(distances)
    scores = (distances - centre) / spread
    for label in np.unique(labels):
        members = labels == label
        own_centre, own_spread = _robust(distances[members])
        within = (distances[members] - own_centre) / max(own_spread, spread)
        scores[members] = np.minimum(scores[members], within)
    order = np.argsort(-scores, kind="stable")
    return [Outlier(int(row), float(scores[row])) for row in order if scores[row] > LIMIT]


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return the median, and the standard deviation as told by the median absolute deviation."""
    centre = float(np.median(values))
    return centre, max(float(np.median(np.abs(values - centre))) * 1.4826, 1e-6)
