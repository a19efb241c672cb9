"""Cross-validation: every photo is judged by a head that was trained without it."""

from collections.abc import Callable

import numpy as np

from retrain.evaluation.scoring import Scorer, evaluate
from retrain.features.matrix import FeatureMatrix


def cross_validate(
    features: FeatureMatrix,
    labels: np.ndarray,
    fold_of: np.ndarray,
    *,
    train: Callable[[np.ndarray], Scorer],
) -> np.ndarray:
    """Predict the class of each photo by a head that was trained without its fold.

    Args:
        features: (N, D), or more rows than there are photos.
        labels: (N,) classes.
        fold_of: (N,) the fold of each photo.
        train: Is called with the rows of the other folds and returns a head.

    Returns:
        (N,) int64 predicted classes.
    """
    predicted = np.empty(len(fold_of), np.int64)
    for fold in np.unique(fold_of):
        held_out = np.flatnonzero(fold_of == fold)
        head = train(np.flatnonzero(fold_of != fold))
        predicted[held_out] = evaluate(head, features, labels, rows=held_out).predicted
    return predicted
