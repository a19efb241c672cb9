"""Comparing solvers on the same features: which head is worth its time?"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from retrain.commands.compare_modules import FOLDS, UNWATCHED, folds_of
from retrain.config import TrainConfig
from retrain.evaluation.cross_validation import cross_validate
from retrain.evaluation.intervals import Interval, PairedDifference, paired_difference, wilson
from retrain.evaluation.scoring import Scorer
from retrain.features.dataset import Photos, read_photos
from retrain.training.head import Head
from retrain.training.hidden_layer import HiddenSettings, train_hidden
from retrain.training.l2_search import ClosedForm
from retrain.training.loss import SoftmaxLoss, class_weights
from retrain.training.sgd import train_head
from retrain.training.solver import sgd_settings
from retrain.training.solvers import DEFAULT, SOLVERS
from retrain.utils.progress import progress


@dataclass(frozen=True)
class HeadContender:
    """How a solver did.

    Attributes:
        name: Of the solver.
        accuracy: Over all folds, in [0, 1].
        interval: Of the accuracy.
        against_first: The difference to the first solver on the same photos; None for the first.
        seconds: For a head.
        photos: How many there are.
    """

    name: str
    accuracy: float
    interval: Interval
    against_first: PairedDifference | None
    seconds: float
    photos: int


def compare_heads(config: TrainConfig) -> Iterator[HeadContender]:
    """Cross-validate each solver on the module's features, with the same five folds for each.

    Raises RetrainError.
    """
    photos = read_photos(config.data, config.extract, [])
    photos.runner.say_done()
    fold_of = folds_of(photos, config.batches.seed)
    features, labels = photos.features(), photos.labels
    first: np.ndarray | None = None
    for name, train in _solvers(config, photos, fold_of).items():
        with progress(f"{name} on folds", FOLDS, "folds") as meter:

            def train_and_count(
                rows: np.ndarray, train: Callable[[np.ndarray], Scorer] = train
            ) -> Scorer:
                head = train(rows)
                meter.advance()  # noqa: B023, called within this turn of the loop
                return head

            start = time.monotonic()
            right = cross_validate(features, labels, fold_of, train=train_and_count) == labels
            seconds = (time.monotonic() - start) / FOLDS
        yield HeadContender(
            name=name,
            accuracy=float(right.mean()),
            interval=wilson(int(right.sum()), len(right)),
            against_first=None if first is None else paired_difference(right, first),
            seconds=seconds,
            photos=len(right),
        )
        first = right if first is None else first


def _solvers(
    config: TrainConfig, photos: Photos, fold_of: np.ndarray
) -> dict[str, Callable[[np.ndarray], Scorer]]:
    """Return a function from training rows to a head for each solver, the default one first."""
    features, labels, classes = photos.features(), photos.labels, len(photos.index.classes)
    head, batches = config.head, config.batches
    plan = replace(sgd_settings(head, batches), eval_step_interval=head.how_many_training_steps)

    def stepping(**more: object) -> Callable[[np.ndarray], Scorer]:
        chosen = replace(plan, **more)  # type: ignore[arg-type]
        return lambda rows: train_head(
            features,
            labels,
            rows,
            validation_rows=rows[:0],
            classes=classes,
            settings=chosen,
            **UNWATCHED,
        )

    def solving(closed_form: ClosedForm) -> Callable[[np.ndarray], Scorer]:
        """Choose the penalty on one of the training folds, then train on all of them."""

        def train(rows: np.ndarray) -> Head:
            kept = fold_of[rows] != fold_of[rows][0]
            loss = SoftmaxLoss(class_weights(labels[rows], classes, "none"))
            chosen = closed_form(
                features, labels, rows[kept], validation_rows=rows[~kept], loss=loss, l2=None
            )
            return closed_form(
                features,
                labels,
                rows,
                validation_rows=rows[:0],
                loss=loss,
                l2=chosen.l2,
                start=chosen.head,
            ).head

        return train

    def hidden(rows: np.ndarray) -> Scorer:
        plan = HiddenSettings(
            steps=head.how_many_training_steps,
            learning_rate=SOLVERS["adam"].rate,
            train_batch_size=batches.train_batch_size,
            validation_batch_size=batches.validation_batch_size,
            eval_step_interval=head.how_many_training_steps,
            sampling=batches.sampling,
            seed=batches.seed,
        )
        return train_hidden(
            features,
            labels,
            rows,
            validation_rows=rows[:0],
            classes=classes,
            settings=plan,
            **UNWATCHED,
        )

    contenders: dict[str, Callable[[np.ndarray], Scorer]] = {}
    for name, solver in SOLVERS.items():
        if solver.closed_form is not None:
            contenders[f"{name}, l2 auto"] = solving(solver.load_closed_form())
            continue
        usual = solver.rate == SOLVERS[DEFAULT].rate
        label = name if usual else f"{name}, rate {solver.rate}"
        contenders[label] = stepping(solver=name, learning_rate=solver.rate)
        if name == DEFAULT:
            contenders[f"{name}, cosine"] = stepping(schedule="cosine")
    return {**contenders, f"hidden layer of {HiddenSettings.units}": hidden}
