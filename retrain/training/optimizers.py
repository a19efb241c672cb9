"""Rules that turn a gradient into a step, and schedules of learning rates."""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]  # for weights (D, C) and biases (C,), float32
GradientTimes = Callable[[np.float32], Arrays]  # scaling before the sum over photos is cheaper


class Update(Protocol):
    """A rule with the memory of one training."""

    def change(self, gradient_times: GradientTimes, rate: np.float32) -> Arrays:
        """Return what to subtract from weights and biases.

        `gradient_times(f)` is f * the gradient.
        """
        ...


class Descent:
    """Plain gradient descent, as in TF Hub's retrain.py: rate * gradient."""

    def change(self, gradient_times: GradientTimes, rate: np.float32) -> Arrays:
        """Return rate * gradient for weights and biases."""
        return gradient_times(rate)


class Momentum:
    """Gradient descent with momentum: DECAY of the change before, and rate * gradient more.

    B. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    DECAY = np.float32(0.9)

    def __init__(self) -> None:
        self._last: Arrays | None = None

    def change(self, gradient_times: GradientTimes, rate: np.float32) -> Arrays:
        """Return what to subtract from weights and biases."""
        change = gradient_times(rate)
        if self._last is not None:
            for now, before in zip(change, self._last, strict=True):
                now += self.DECAY * before
        self._last = change
        return change


class Adam:
    """D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.

    With the paper's constants. A penalty is part of the gradient, not a decay apart (AdamW).
    """

    FIRST, SECOND, EPSILON = 0.9, 0.999, np.float32(1e-8)

    def __init__(self) -> None:
        self._step = 0
        self._moments: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    def change(self, gradient_times: GradientTimes, rate: np.float32) -> Arrays:
        """Return what to subtract from weights and biases."""
        gradient = gradient_times(np.float32(1))
        self._step += 1
        if not self._moments:
            self._moments = tuple((np.zeros_like(g), np.zeros_like(g)) for g in gradient)
        weights, biases = (
            self._one(g, first, second, rate=rate)
            for g, (first, second) in zip(gradient, self._moments, strict=True)
        )
        return weights, biases

    def _one(
        self, gradient: np.ndarray, first: np.ndarray, second: np.ndarray, *, rate: np.float32
    ) -> np.ndarray:
        first += np.float32(1 - self.FIRST) * (gradient - first)
        second += np.float32(1 - self.SECOND) * (gradient * gradient - second)
        size = np.sqrt(second / np.float32(1 - self.SECOND**self._step)) + self.EPSILON
        change: np.ndarray = rate / np.float32(1 - self.FIRST**self._step) * first / size
        return change


def learning_rate(schedule: str, initial: float, step: int, *, steps: int) -> float:
    """Return the learning rate of a step.

    Args:
        schedule: `constant`: always `initial`. `cosine`: half a cosine from `initial` at step 0 to
            0 at `steps` (I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm
            Restarts", ICLR 2017, equation 5, without restarts).
        initial: The rate at step 0.
        step: From 0 to `steps` - 1.
        steps: How many there are.

    Returns:
        The rate.
    """
    if schedule == "cosine":
        return initial * (1 + math.cos(math.pi * step / steps)) / 2
    return initial
