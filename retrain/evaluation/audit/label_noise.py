"""Label noise: the chance that each label is wrong, from predictions that never saw the photo.

Each label is taken to be drawn by one of two rules: with chance 1 - r it is the photo's class,
which is distributed as softmax(logits / T); with chance r, the noise rate, it is one of the classes
that the photo does not show, any of them alike. T and r are unknown. All pairs on a grid are
weighed by how well they explain the given labels (and r by what is usual), and the chance of an
error is averaged over them, so that few photos, which say little about r, are not believed much.

This is the mixture behind confident learning (C. Northcutt, L. Jiang, I. Chuang, "Confident
Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021) with one noise rate in place of one
for each pair of classes, which a folder of a thousand photos cannot tell. Unlike a ranking by
probability, its answer is a chance that can be checked: `scripts/bench_suspects` plants wrong
labels and compares.
"""

import numpy as np

from retrain.utils.numerics import softmax

TEMPERATURES = np.geomspace(0.03, 2.0, 30)  # of a head as penalised; usual: 0.3 to 0.7
RATES = np.geomspace(1e-4, 0.5, 30)
USUAL_RATE = 0.033  # mean of ten well-known test sets (C. Northcutt, A. Athalye, J. Mueller 2021)
NEGLIGIBLE = 1e-6  # weight of a pair below which it is left out


def chances_of_error(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the chance (n,) in [0, 1] that each label is wrong.

    `logits` (n, C), C at least 2, of heads that were trained without the photo; -inf for a class
    that cannot be. `labels` (n,) the given classes.
    """
    count, classes = logits.shape
    given = np.arange(count), labels
    right = np.stack([softmax(logits / each)[given] for each in TEMPERATURES]).astype(np.float64)
    wrong = (1 - right) / (classes - 1)
    # A Beta(1, 1 / USUAL_RATE) prior; times the rate, because the grid is logarithmic.
    prior = (1 / USUAL_RATE - 1) * np.log1p(-RATES) + np.log(RATES)
    fit = np.empty((len(TEMPERATURES), len(RATES)))
    for column, rate in enumerate(RATES):
        likelihood = (1 - rate) * right + rate * wrong
        fit[:, column] = np.log(np.maximum(likelihood, 1e-300)).sum(axis=1) + prior[column]
    weights = np.exp(fit - fit.max())
    weights /= weights.sum()
    chances = np.zeros(count)
    for row, column in np.argwhere(weights > NEGLIGIBLE):
        noise = RATES[column] * wrong[row]
        likelihood = (1 - RATES[column]) * right[row] + noise
        chances += weights[row, column] * noise / np.maximum(likelihood, 1e-300)
    return chances
