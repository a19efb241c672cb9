"""The loss that training lowers: cross entropy, with weights for classes and smoothed labels."""

from dataclasses import dataclass

import numpy as np

from retrain.utils.numerics import softmax


def class_weights(labels: np.ndarray, classes: int, rule: str) -> np.ndarray:
    """Return the weight (C,) float32 of a photo of each class, for photos of classes `labels` (n,).

    `none`: 1. `balanced`: n / (classes with photos * photos of the class), so that all classes
    weigh the same and the photos' mean weight is 1; a class without photos gets 1. (G. King and
    L. Zeng, "Logistic Regression in Rare Events Data", 2001; scikit-learn's rule of that name.)
    """
    weights = np.ones(classes, np.float32)
    if rule == "balanced":
        counts = np.bincount(labels, minlength=classes)
        seen = counts > 0
        weights[seen] = len(labels) / (seen.sum() * counts[seen])
    return weights


@dataclass(frozen=True)
class SoftmaxLoss:
    """The loss of a photo: w[y] * -sum over classes c of t[c] ln p[c], with p = softmax(logits).

    w: `class_weights` (C,) float32; y: the photo's class. The targets t are 1 - s for y, and s / C
    more for every class, where s is `label_smoothing` in [0, 1) (C. Szegedy et al., "Rethinking
    the Inception Architecture for Computer Vision", CVPR 2016, section 7).
    """

    class_weights: np.ndarray
    label_smoothing: float = 0.0

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_weights)

    def slopes(self, logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Compute the derivatives (n, C) of photos' losses by their logits (n, C).

        `truth`: (n,) classes.
        """
        return self._slopes(softmax(logits), truth)

    def total_and_slopes(self, logits: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute the sum of photos' losses, and their `slopes`, which overwrite the logits."""
        logits -= logits.max(axis=1, keepdims=True)
        wanted = (1 - self.label_smoothing) * logits[np.arange(len(truth)), truth]
        if self.label_smoothing:
            wanted += self.label_smoothing * logits.mean(axis=1)
        np.exp(logits, out=logits)
        sums = logits.sum(axis=1, dtype=np.float64)  # float32 would round a sure photo's loss to 0
        losses = np.log(sums) - wanted
        logits /= sums[:, None].astype(np.float32)
        return float(losses @ self.class_weights[truth]), self._slopes(logits, truth)

    def _slopes(self, probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
        if self.label_smoothing:
            probabilities -= np.float32(self.label_smoothing / self.classes)
        probabilities[np.arange(len(truth)), truth] -= np.float32(1 - self.label_smoothing)
        probabilities *= self.class_weights[truth][:, None]
        return probabilities


def log_loss(logits: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> float:
    """Compute the mean of -ln p(true class) from logits (n, C), weighted by class weights (C,)."""
    total, _ = SoftmaxLoss(weights).total_and_slopes(logits.copy(), truth)
    return total / float(weights[truth].sum(dtype=np.float64))
