"""Training the head of a run with the solver that the user chose."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from retrain.data.split import VALIDATION
from retrain.features.dataset import Dataset
from retrain.training.config import BatchConfig, HeadConfig
from retrain.training.curve import CurvePoint
from retrain.training.head import Head
from retrain.training.loss import SoftmaxLoss, class_weights
from retrain.training.sgd import SgdSettings, StepResult, train_head
from retrain.training.solvers import SOLVERS
from retrain.training.tensorboard import TrainingSummaries
from retrain.utils.progress import Meter, progress, shows_bars
from retrain.utils.settings import ALL

log = logging.getLogger(__name__)

NINTH = 9

LOGGED = 6  # steps of a training, besides its last; each has up to three lines


def train_on(
    config: HeadConfig,
    batches: BatchConfig,
    dataset: Dataset,
    *,
    classes: int,
    on_step: Callable[[int, Head], None] = lambda step, head: None,
    summaries: Path | None = None,
) -> tuple[Head, list[CurvePoint]]:
    """Train the head; return it with the curve of evaluated steps, which is empty without steps.

    Args:
        config: The solver and what it minimises.
        batches: How photos are drawn for it.
        dataset: The photos' features, classes and sets.
        classes: How many classes there are.
        on_step: Gets each step's number and head, which later steps change in place.
        summaries: The folder for TensorBoard logs, or None.

    Returns:
        The head, and the points of the training curve.

    Raises:
        RetrainError: Training diverges.
    """
    if not config.takes_steps:
        return _solved_head(config, dataset, classes), []
    return _stepped_head(
        config, batches, dataset, classes=classes, on_step=on_step, summaries=summaries
    )


def _solved_head(config: HeadConfig, dataset: Dataset, classes: int) -> Head:
    """Return the optimal head for the training photos; validation photos choose `--l2 auto`."""
    rows = dataset.training_rows
    loss = SoftmaxLoss(
        class_weights(dataset.labels[rows], classes, config.class_weight), config.label_smoothing
    )
    closed_form = SOLVERS[config.solver].load_closed_form()
    with progress("Solving", 0, "iterations") as meter:
        found = closed_form(
            dataset.features,
            dataset.labels,
            rows,
            validation_rows=dataset.split.rows(VALIDATION),
            loss=loss,
            l2=config.l2_strength,
            on_iteration=meter.advance,
        )
    if config.l2_strength is not None:
        return found.head
    for tried in found.tried:
        log.debug(f"l2 {tried.l2:.3g}: validation log loss {tried.loss:.4f}, "
                   f"accuracy {tried.accuracy:.1%}")  # fmt: skip
    chosen = "the best for validation photos" if found.tried else "there is no validation photo"
    log.info(f"l2 {found.l2:.3g} ({chosen})")
    return found.head


def train_again(
    config: HeadConfig, batches: BatchConfig, dataset: Dataset, *, photos: np.ndarray, classes: int
) -> Head:
    """Train a head of the run's settings on other photos, in silence, and return it.

    Args:
        config: The solver and what it minimises.
        batches: How photos are drawn for it.
        dataset: The photos' features, classes and sets.
        photos: Rows of the photos, ascending; their distorted copies are trained on, too. Where
            training needs validation photos, every ninth is one, as in the usual split.
        classes: How many classes there are.

    Returns:
        The head.

    Raises:
        RetrainError: Training diverges.
    """
    checked = photos[:0]
    if config.early_stopping or config.l2_strength is None:
        checked = photos[::NINTH]
        photos = np.setdiff1d(photos, checked)
    rows = np.flatnonzero(np.isin(dataset.originals, photos))
    if not config.takes_steps:
        weights = class_weights(dataset.labels[rows], classes, config.class_weight)
        return (
            SOLVERS[config.solver]
            .load_closed_form()(
                dataset.features,
                dataset.labels,
                rows,
                validation_rows=checked,
                loss=SoftmaxLoss(weights, config.label_smoothing),
                l2=config.l2_strength,
            )
            .head
        )
    settings = sgd_settings(config, batches)
    if not config.early_stopping:
        settings = replace(settings, eval_step_interval=max(settings.steps, 1))
    return train_head(
        dataset.features,
        dataset.labels,
        rows,
        validation_rows=checked,
        classes=classes,
        settings=settings,
        on_step=lambda step, head: None,
        on_evaluation=lambda result: None,
    )


def sgd_settings(config: HeadConfig, batches: BatchConfig) -> SgdSettings:
    """Return the settings of the solvers that take steps."""
    return SgdSettings(
        steps=config.how_many_training_steps,
        learning_rate=config.rate,
        train_batch_size=batches.train_batch_size,
        # Early stopping compares losses, so they have to be of the same photos each time.
        validation_batch_size=ALL if config.early_stopping else batches.validation_batch_size,
        eval_step_interval=batches.eval_step_interval,
        sampling=batches.sampling,
        seed=batches.seed,
        solver=config.solver,
        schedule=config.learning_rate_schedule,
        l2=config.l2_strength or 0.0,
        label_smoothing=config.label_smoothing,
        class_weight=config.class_weight,
        patience=config.patience,
    )


def _stepped_head(
    config: HeadConfig,
    batches: BatchConfig,
    dataset: Dataset,
    *,
    classes: int,
    on_step: Callable[[int, Head], None],
    summaries: Path | None,
) -> tuple[Head, list[CurvePoint]]:
    steps = config.how_many_training_steps
    with watched(summaries, steps, log_every=batches.log_every) as watch:

        def after_step(step: int, head: Head) -> None:
            watch.step()
            on_step(step, head)

        head = train_head(
            dataset.features,
            dataset.labels,
            dataset.training_rows,
            validation_rows=dataset.split.rows(VALIDATION),
            classes=classes,
            settings=sgd_settings(config, batches),
            on_step=after_step,
            on_evaluation=watch.evaluation,
        )
    watch.say_kept()
    if config.early_stopping:
        watch.warn_if_nothing_stops()
    return head, watch.curve


class Watch:
    """Follows a training: curve, TensorBoard, progress on a terminal, retrain.py's lines.

    Of the evaluated steps, the first in each `log_every` is logged where no bar is shown.
    """

    def __init__(
        self, events: TrainingSummaries | None, meter: Meter | None, *, log_every: int
    ) -> None:
        self.curve: list[CurvePoint] = []
        self.last: StepResult | None = None
        self._events, self._meter = events, meter
        self._log_every, self._next_logged = log_every, 0
        self._unsaid: StepResult | None = None

    def step(self) -> None:
        """Count a step that was taken."""
        if self._meter is not None:
            self._meter.advance()

    def point(self, result: StepResult) -> None:
        """Record an evaluated step without logging it."""
        self.last = result
        self.curve.append(_curve_point(result))
        if self._events is not None:
            self._events.add(result)

    def say_kept(self) -> None:
        """Log which step's head is kept, if it is not simply the last one's."""
        if self.last is not None and self.last.best is not None:
            log.info(self.last.best.sentence("step", self.last.step))

    def warn_if_nothing_stops(self) -> None:
        """Warn, after a training with early stopping, if there were no validation photos."""
        if self.last is not None and self.last.validation is None:
            log.warning("there is no validation photo, so --early_stopping stops nothing")

    def evaluation(self, result: StepResult) -> None:
        """Record an evaluated step, and log it if its turn has come and no bar is shown."""
        self.point(result)
        self._unsaid = result
        if not shows_bars() and result.step >= self._next_logged:
            self._next_logged = (result.step // self._log_every + 1) * self._log_every
            self.say_last()

    def say_last(self) -> None:
        """Log the last step, unless it was logged in its turn."""
        if self._unsaid is not None:
            _say_step(self._unsaid)
        self._unsaid = None


@contextmanager
def watched(summaries: Path | None, steps: int, *, log_every: int | None = None) -> Iterator[Watch]:
    """Yield a Watch over a training of so many steps, and log its last one in the end.

    TensorBoard logs go to `summaries`. `log_every` None: about LOGGED of the steps.
    """
    with ExitStack() as stack:
        events = stack.enter_context(TrainingSummaries(summaries, steps)) if summaries else None
        meter = stack.enter_context(progress("Training", steps, "steps")) if shows_bars() else None
        watch = Watch(events, meter, log_every=log_every or max(-(-steps // LOGGED), 1))
        yield watch
    watch.say_last()


def _curve_point(result: StepResult) -> CurvePoint:
    checked = result.validation
    return CurvePoint(
        step=result.step,
        train_accuracy=result.train.accuracy,
        train_cross_entropy=result.train.cross_entropy,
        validation_accuracy=checked.accuracy if checked else None,
        validation_cross_entropy=checked.cross_entropy if checked else None,
    )


def _say_step(result: StepResult) -> None:
    """Log a step in the very words of TF Hub's retrain.py: programs read them."""
    start = f"{datetime.now()}: Step {result.step}:"
    log.info(f"{start} Train accuracy = {result.train.accuracy * 100:.1f}%")
    log.info(f"{start} Cross entropy = {result.train.cross_entropy:f}")
    checked = result.validation
    if checked is not None:
        log.info(f"{start} Validation accuracy = {checked.accuracy * 100:.1f}% (N={checked.count})")
