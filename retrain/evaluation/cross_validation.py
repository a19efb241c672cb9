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
    used: int | None = None,
) -> np.ndarray:
    """Predict the class of each photo by a head that was trained without its fold.

    Args:
        features: (N, D), or more rows than there are photos.
        labels: (N,) classes.
        fold_of: (N,) the fold of each photo.
        train: Is called with the rows of some folds, ascending, and returns a head.
        used: How many folds each head is trained on, fewer than there are; None: all but one.

    Returns:
        (N,) int64 predicted classes.
    """
    predicted = np.empty(len(fold_of), np.int64)
    for training, judged in turns(np.unique(fold_of).tolist(), used):
        head = train(np.flatnonzero(np.isin(fold_of, training)))
        rows = np.flatnonzero(np.isin(fold_of, judged))
        predicted[rows] = evaluate(head, features, labels, rows=rows).predicted
    return predicted


def turns(folds: list[int], used: int | None = None) -> list[tuple[list[int], list[int]]]:
    """List which folds each head is trained on and which it judges, with as few heads as can be.

    Each fold is judged once. A head is trained on folds that were judged already, as far as there
    are some, so that it can judge those that are left.
    """
    found, left = [], list(folds)
    while left:
        first = left[0]
        place = folds.index(first)
        others = folds[place + 1 :] + folds[:place]
        training = sorted(others, key=lambda fold: fold in left)[:used]
        judged = [fold for fold in left if fold not in training]
        left = [fold for fold in left if fold in training]
        found.append((sorted(training), judged))
    return found
