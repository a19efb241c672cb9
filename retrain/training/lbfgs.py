"""The best head for given features: multinomial logistic regression, solved to its optimum."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head
from retrain.training.loss import SoftmaxLoss

BLOCK_BYTES = 16 << 20  # of features and logits that are worked on at a time
MOST_ITERATIONS = 1000
MOST_TRIES = 10  # points tried in one iteration; near the optimum rounding lets all of them fail
ENOUGH = 1e-6  # three iterations must lower the loss by this share, else the solver ends
SHARE = 1 / 8
TINY_LOSS = 1e-3  # below it, ENOUGH is a share of this


def solve(
    features: FeatureMatrix,
    labels: np.ndarray,
    rows: np.ndarray,
    *,
    loss: SoftmaxLoss,
    l2: float,
    start: Head | None = None,
    on_iteration: Callable[[], None] = lambda: None,
) -> Head:
    """Return the head that minimises the mean loss of photos + l2 / 2 * |weights|^2.

    The mean is weighted by the loss's class weights, and biases are not penalised. This is
    scikit-learn's LogisticRegression with C = 1 / (l2 * sum of the photos' weights); with two
    classes its C is twice that, because it then has one vector of weights, not two. See `Objective`
    for how. Neither chance nor `start` changes the answer; the same arguments give the same bits on
    the same machine. The loss is within about 1e-5 of its minimum, relative.

    Args:
        features: (N, D).
        labels: (N,) classes.
        rows: Rows of the photos.
        loss: What training lowers.
        l2: Of the penalty.
        start: A head to start from, which only saves iterations.
        on_iteration: Is called after each of some ten to a few hundred iterations.

    Returns:
        The head.

    Raises:
        RetrainError: Features are not finite numbers.
    """
    return Objective(features, labels, rows, loss=loss).minimise(l2, start, on_iteration)


class Objective:
    """The function of a head's weights and biases that `solve` minimises, for any l2.

    L-BFGS sees other variables, which changes neither the objective nor the answer, but leaves a
    half to a fifth of the iterations:

    - Biases for features less their mean (biases are free). Behind a ReLU all features are
      positive, so that without this each weight would pull at the bias.
    - Weights times a number that makes the objective about as curved along them as along biases:
      the root of SHARE of the features' spread, about the variance in their main direction, and of
      the penalty's part. So features in any unit and any penalty are alike.

    A number for each feature, its deviation, or whitening them takes more iterations, not fewer,
    once the loss is small. Products are float32, their sums over blocks of photos float64.
    """

    def __init__(
        self, features: FeatureMatrix, labels: np.ndarray, rows: np.ndarray, *, loss: SoftmaxLoss
    ) -> None:
        """Prepare the objective for `rows` of features (N, D) with classes `labels` (N,)."""
        self.features, self.labels, self.loss = features, labels, loss
        self.rows = np.sort(rows)
        self.width = features.shape[1]
        self.weight = float(loss.class_weights[labels[rows]].sum(dtype=np.float64))
        self.mean, self.spread = self._moments()

    def _moments(self) -> tuple[np.ndarray, float]:
        """Return the mean feature (D,) and the mean square of the distance from it."""
        total, squares = np.zeros(self.width), 0.0
        for block, _ in blocks(self.features, self.labels, self.rows, classes=self.loss.classes):
            total += block.sum(axis=0, dtype=np.float64)
            squares += float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))
        mean = total / len(self.rows)
        return mean, max(squares / len(self.rows) - float(mean @ mean), 0.0)

    def minimise(
        self, l2: float, start: Head | None, on_iteration: Callable[[], None] = lambda: None
    ) -> Head:
        """Return the head with the lowest objective."""
        from scipy.optimize import OptimizeResult, minimize

        curvature = self.spread * SHARE + self.loss.classes * l2
        unit = curvature**-0.5 if curvature > 0 else 1.0
        reached: list[float] = []

        def after_iteration(intermediate_result: OptimizeResult) -> None:
            on_iteration()
            now = float(intermediate_result.fun)
            reached.append(now)
            if len(reached) > 3 and reached[-4] - now < ENOUGH * max(now, TINY_LOSS):
                raise StopIteration

        with _scipy_in_one_thread():
            found = minimize(
                self._value_and_gradient,
                self._point(start, unit),
                args=(unit, l2),
                jac=True,
                method="L-BFGS-B",
                callback=after_iteration,
                options={
                    "maxiter": MOST_ITERATIONS,
                    "maxls": MOST_TRIES,
                    "ftol": 0.0,
                    "gtol": 0.0,
                },
            )
        head = self._head(found.x, unit)
        if not (np.isfinite(head.weights).all() and np.isfinite(head.biases).all()):
            raise RetrainError(
                "--solver lbfgs found no head of finite numbers: look for features that are not "
                "numbers, or give a larger --l2"
            )
        return head

    def _point(self, head: Head | None, unit: float) -> np.ndarray:
        """Return the variables of L-BFGS, ((D + 1) * C,): weights / unit, then biases."""
        point = np.zeros((self.width + 1, self.loss.classes))
        if head is not None:
            point[:-1] = head.weights / unit
            point[-1] = head.biases + self.mean @ head.weights
        return point.ravel()

    def _head(self, point: np.ndarray, unit: float) -> Head:
        point = point.reshape(self.width + 1, self.loss.classes)
        weights = point[:-1] * unit
        biases = point[-1] - self.mean @ weights
        return Head(weights.astype(np.float32), biases.astype(np.float32))

    def _value_and_gradient(
        self, point: np.ndarray, unit: float, l2: float
    ) -> tuple[float, np.ndarray]:
        head = self._head(point, unit)
        total = 0.0
        gradient = np.zeros((self.width + 1, self.loss.classes))
        for block, truth in blocks(
            self.features, self.labels, self.rows, classes=self.loss.classes
        ):
            part, slopes = self.loss.total_and_slopes(head.logits(block), truth)
            total += part
            gradient[:-1] += block.T @ slopes
            gradient[-1] += slopes.sum(axis=0, dtype=np.float64)
        gradient[:-1] -= np.outer(self.mean, gradient[-1])
        gradient /= self.weight
        weights = point.reshape(gradient.shape)[:-1] * unit
        gradient[:-1] += l2 * weights
        gradient[:-1] *= unit
        return total / self.weight + l2 / 2 * float(np.vdot(weights, weights)), gradient.ravel()


def blocks(
    features: FeatureMatrix, labels: np.ndarray, rows: np.ndarray, *, classes: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows in order, some at a time, as features (n, D) and classes (n,).

    Args:
        features: (N, D).
        labels: (N,) classes.
        rows: Which rows, in their order.
        classes: How many there are; a block has room for logits (n, C), too.

    Yields:
        Features (n, D) float32 and classes (n,).
    """
    size = max(1, BLOCK_BYTES // (4 * (features.shape[1] + classes)))
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        yield features.take(some), labels[some]


@contextmanager
def _scipy_in_one_thread() -> Iterator[None]:
    """Let SciPy's own BLAS use one thread: its threads and NumPy's wait for each other.

    On two cores that took nine tenths of the time. SciPy has little to compute.
    """
    from threadpoolctl import ThreadpoolController

    pools = ThreadpoolController()
    scipys = [
        pool.filepath
        for pool in pools.lib_controllers
        if not {"scipy", "scipy.libs"}.isdisjoint(Path(pool.filepath).parts)
    ]
    with pools.select(filepath=scipys).limit(limits=1):
        yield
