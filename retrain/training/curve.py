"""The training curve: what was measured at the evaluated steps."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CurvePoint:
    """An evaluated training step: accuracy in [0, 1], cross entropy in nats.

    The values for validation are None without validation photos.
    """

    step: int
    train_accuracy: float
    train_cross_entropy: float
    validation_accuracy: float | None
    validation_cross_entropy: float | None
