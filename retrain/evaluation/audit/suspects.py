"""Suspected labels: those worth a look, with the chance that each is wrong."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.audit.label_noise import chances_of_error
from retrain.evaluation.folds import folds
from retrain.utils.progress import progress
from retrain.utils.text import percent

FOLDS = 5
# scikit-learn's C on unit vectors, see `_centre`. Of powers of ten and their thirds, and of
# standardised features and unit vectors, the best ranking of planted errors.
PENALTY = 3.0
ITERATIONS = 25  # of L-BFGS; 100 give the same ranking
WORTH_A_LOOK = 0.25  # chance of an error: below it, looking costs more than it finds


@dataclass(frozen=True)
class Suspect:
    """A photo whose label is worth a look.

    Attributes:
        row: The photo's.
        given: Its label's class.
        suggested: The most probable other class. The photo may as well show none of the classes.
        chance: That the label is wrong, in [0, 1].
    """

    row: int
    given: int
    suggested: int
    chance: float


def suspected_labels(
    units: np.ndarray, labels: np.ndarray, groups: Sequence[bytes], *, seed: int
) -> list[Suspect]:
    """Return the photos whose label is wrong by a chance of WORTH_A_LOOK or more, surest first.

    A photo whose class was missing where its prediction was learnt is left out.

    Args:
        units: (n, D) float32 features of length 1, which are overwritten.
        labels: (n,) int classes.
        groups: A key for each photo; photos of one group share a fold.
        seed: Of the folds.

    Returns:
        The suspects.
    """
    _centre(units)
    logits = _out_of_fold(units, labels, folds(labels, groups, FOLDS, seed=seed))
    judged = np.flatnonzero(np.isfinite(logits[np.arange(len(labels)), labels]))
    if not len(judged):
        return []
    chances = np.zeros(len(labels))
    chances[judged] = chances_of_error(logits[judged], labels[judged])
    logits[np.arange(len(labels)), labels] = -np.inf
    others = logits.argmax(axis=1)
    found = np.flatnonzero(chances >= WORTH_A_LOOK)
    return [
        Suspect(int(row), int(labels[row]), int(others[row]), float(chances[row]))
        for row in found[np.argsort(-chances[found], kind="stable")]
    ]


def expected_errors(chances: Sequence[float]) -> str:
    """Say how many labels of these chances should be wrong, with a 95 % interval.

    The interval is that of a sum of independent draws, by the normal approximation.
    """
    count, mean = len(chances), sum(chances)
    half = 1.96 * math.sqrt(sum(chance * (1 - chance) for chance in chances))
    low, high = max(0, math.floor(mean - half + 0.5)), min(count, math.floor(mean + half + 0.5))
    among = f"{low} to {high}" if low < high else f"{low}"
    return f"about {percent(mean / count, 0)} should be wrong ({among} of {count})"


def _centre(units: np.ndarray) -> None:
    """Move unit vectors (n, D) to mean 0 and scale them to a mean squared length of 1, in place.

    So the penalty means the same for networks of any width.
    """
    units -= units.mean(axis=0, dtype=np.float64).astype(np.float32)
    square = np.einsum("nd,nd->", units, units, dtype=np.float64) / len(units)
    units /= np.float32(max(math.sqrt(square), 1e-6))


def _out_of_fold(features: np.ndarray, labels: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Compute log probabilities (n, C); -inf for a class that the other folds lack."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    found = np.full((len(labels), int(labels.max()) + 1), -np.inf)
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
                scores = head.decision_function(features[here]).astype(np.float64)
                if scores.ndim == 1:  # two classes have one score, for the second
                    scores = np.stack([np.zeros_like(scores), scores], axis=1)
                found[np.ix_(here, known)] = scores
            meter.advance()
    return found
