"""Every photo judged by a head that was trained without it."""

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
    """(N,) int64 predicted class of each row of features (N, D), N being the length of `fold_of`.

    For each fold, `train` gets the rows of the others and gives a head.
    """
    predicted = np.empty(len(fold_of), np.int64)
    for fold in np.unique(fold_of):
        held_out = np.flatnonzero(fold_of == fold)
        head = train(np.flatnonzero(fold_of != fold))
        predicted[held_out] = evaluate(head, features, labels, rows=held_out).predicted
    return predicted
