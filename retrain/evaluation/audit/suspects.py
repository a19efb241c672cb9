"""Suspected labels: those that a head which never saw the photo finds improbable.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 2021): predictions out of fold, ranked by self-confidence; each class has its
own threshold for what counts as confident.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.folds import folds
from retrain.utils.progress import progress

FOLDS = 5
PENALTY = 0.01  # scikit-learn's C on standardised features; of powers of ten the best on flowers
ITERATIONS = 25  # of L-BFGS; 100 give the same ranking


@dataclass(frozen=True)
class Suspect:
    """A photo whose label is probably wrong.

    Attributes:
        row: The photo's.
        given: Its label's class.
        suggested: The most probable class.
        score: The probability left for the given label, in [0, 1], so the lowest is the worst.
        confident: The suggested class is at least as probable as it is, on average, for photos that
            do carry its label.
    """

    row: int
    given: int
    suggested: int
    score: float
    confident: bool


def suspected_labels(
    features: np.ndarray, labels: np.ndarray, groups: Sequence[bytes], *, seed: int
) -> list[Suspect]:
    """Return the photos whose label is not the most probable one, the worst first.

    A photo whose class was missing where its prediction was learnt is left out.

    Args:
        features: (n, D) float32, which is overwritten.
        labels: (n,) int classes.
        groups: A key for each photo; photos of one group share a fold.
        seed: Of the folds.

    Returns:
        The suspects.
    """
    _standardise(features)
    probabilities = _out_of_fold(features, labels, folds(labels, groups, FOLDS, seed=seed))
    own = probabilities[np.arange(len(labels)), labels]
    judged = np.isfinite(own)
    thresholds = np.ones(probabilities.shape[1])
    for label in np.unique(labels[judged]):
        thresholds[label] = own[judged & (labels == label)].mean()
    best = np.where(np.isnan(probabilities), -1.0, probabilities).argmax(axis=1)
    found = np.flatnonzero(judged & (best != labels))
    return [
        Suspect(
            row=int(row),
            given=int(labels[row]),
            suggested=int(best[row]),
            score=float(own[row]),
            confident=bool(probabilities[row, best[row]] >= thresholds[best[row]]),
        )
        for row in found[np.argsort(own[found], kind="stable")]
    ]


def _standardise(features: np.ndarray) -> None:
    """Scale each column to mean 0 and standard deviation 1, in place; a constant one to 0."""
    features -= features.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("nd,nd->d", features, features, dtype=np.float64)
    features /= np.maximum(np.sqrt(squares / len(features)), 1e-6).astype(np.float32)


def _out_of_fold(features: np.ndarray, labels: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Compute probabilities (n, C) float32; nan for a class that the other folds lack."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probabilities = np.full((len(labels), int(labels.max()) + 1), np.nan, np.float32)
    used = np.unique(fold_of)
    with progress("Checking labels", len(used), "folds") as meter:
        for fold in used:
            here = fold_of == fold
            known = np.unique(labels[~here])
            if len(known) > 1:
                head = LogisticRegression(C=PENALTY, max_iter=ITERATIONS)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early on purpose
                    head.fit(features[~here], labels[~here])
                probabilities[np.ix_(here, known)] = head.predict_proba(features[here])
            meter.advance()
    return probabilities
