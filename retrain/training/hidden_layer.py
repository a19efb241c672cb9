"""Heads with a hidden layer, trained with Keras: a ReLU layer, and softmax regression on it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.backbones.hidden_layer import HiddenLayer
from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix
from retrain.training.early_stopping import EarlyStopping, SelectionSet
from retrain.training.head import Head
from retrain.training.loss import class_weights, log_loss
from retrain.training.sampler import Sampler
from retrain.training.sgd import BatchResult, SgdSettings, StepResult
from retrain.utils.tensorflow import deterministic_operations, import_keras

BLOCK = 4096  # photos whose features are worked on at a time


@dataclass(frozen=True)
class HiddenSettings(SgdSettings):
    """How to train a head with a hidden layer.

    The rule is Adam, whatever `solver` says; `l2` is of both layers' weights.

    Attributes:
        units: Width of the hidden layer.
        dropout: The share of them, in [0, 1), that each training step leaves out.
    """

    units: int = 128
    dropout: float = 0.2


@dataclass(frozen=True)
class HiddenHead:
    """A hidden layer, and a head on its outputs. Dropout is for training only."""

    layer: HiddenLayer
    head: Head

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Compute logits (n, C) of features (n, D)."""
        return self.head.logits(self.layer.outputs(features))


@np.errstate(over="ignore", invalid="ignore")  # a diverging loss is reported in words
def train_hidden(
    features: FeatureMatrix,
    labels: np.ndarray,
    train_rows: np.ndarray,
    *,
    validation_rows: np.ndarray,
    classes: int,
    settings: HiddenSettings,
    on_step: Callable[[int, HiddenHead], None],
    on_evaluation: Callable[[StepResult], None],
) -> HiddenHead:
    """Train a head with a hidden layer by Adam, and return the one with the lowest loss.

    As sgd.train_head: the same batches for the same seed, the same calls; the head of a StepResult
    is the layer of the logits. Of the evaluated steps, the HiddenHead with the lowest loss on all
    validation photos is returned; without such photos, on all training photos. (Unlike a linear
    head's, this loss has no one lowest point, and now and then a step leads far up.) The same
    arguments give the same bits on the same machine.

    Args:
        features: (N, D).
        labels: (N,) int32 classes.
        train_rows: Rows of the training photos.
        validation_rows: Rows of the validation photos; may be empty.
        classes: How many classes there are.
        settings: How to train.
        on_step: Is called after each step.
        on_evaluation: Is called after each evaluated step.

    Returns:
        The best head.

    Raises:
        RetrainError: The loss is no longer a number.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(3)
    start, draw, look = (np.random.default_rng(seed) for seed in seeds)
    batches = Sampler(train_rows, labels, settings.sampling, rng=draw)
    checks = Sampler(validation_rows, labels, settings.sampling, rng=look)
    weights = class_weights(labels[train_rows], classes, settings.class_weight)
    targets = np.eye(classes, dtype=np.float32)
    judges = SelectionSet.of(train_rows, validation_rows)
    patience = settings.patience if len(validation_rows) else 0
    stopping, best = EarlyStopping(), None
    with deterministic_operations():
        model = _model(features.shape[1], classes, settings, rng=start)
        for step in range(settings.steps):
            rows = batches.draw(settings.train_batch_size)
            batch, truth = features.take(rows), labels[rows]
            model.train_on_batch(batch, targets[truth], sample_weight=weights[truth])
            found = _read(model)
            if step % settings.eval_step_interval == 0 or step == settings.steps - 1:
                trained = BatchResult.of(found.logits(batch), truth)
                if not np.isfinite(trained.cross_entropy):
                    raise RetrainError(
                        f"training diverged at step {step} with --learning_rate "
                        f"{settings.learning_rate:g}: give a smaller one"
                    )
                seen = checks.draw(settings.validation_batch_size)
                checked = None
                if len(seen):
                    checked = BatchResult.of(found.logits(features.take(seen)), labels[seen])
                logits = _all_logits(found, features, judges.rows)
                if stopping.judge(step, log_loss(logits, labels[judges.rows], weights)):
                    best = found
                kept = stopping.kept(judges.name)
                on_evaluation(StepResult(step, found.head, trained, checked, kept))
            on_step(step, found)
            if stopping.stops(patience):
                break
        return best or _read(model)


def hidden_features(features: FeatureMatrix, layer: HiddenLayer) -> FeatureMatrix:
    """Compute the hidden layer's outputs (N, H) of features (N, D), for `HiddenHead.head`."""
    count = features.shape[0]
    outputs = np.empty((count, len(layer.biases)), np.float32)
    for first in range(0, count, BLOCK):
        rows = np.arange(first, min(first + BLOCK, count))
        outputs[rows] = layer.outputs(features.take(rows))
    return FeatureMatrix.of(outputs)


def _all_logits(found: HiddenHead, features: FeatureMatrix, rows: np.ndarray) -> np.ndarray:
    """Compute logits (n, C) of these rows of the features, block by block."""
    blocks = range(0, len(rows), BLOCK)
    return np.concatenate([found.logits(features.take(rows[i : i + BLOCK])) for i in blocks])


def _model(width: int, classes: int, settings: HiddenSettings, *, rng: np.random.Generator) -> Any:
    """Return a new Keras model; all chance comes from `rng`.

    It starts from Glorot's uniform initialisation, Keras' default.
    """
    keras = import_keras()
    first, second, dropped = rng.integers(2**31, size=3).tolist()
    initial = keras.initializers.GlorotUniform
    penalty = keras.regularizers.L2(settings.l2 / 2) if settings.l2 else None
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.steps)
    model = keras.Sequential(
        [
            keras.Input((width,)),
            keras.layers.Dense(
                settings.units,
                "relu",
                kernel_initializer=initial(first),
                kernel_regularizer=penalty,
            ),
            keras.layers.Dropout(settings.dropout, seed=dropped),
            keras.layers.Dense(
                classes, kernel_initializer=initial(second), kernel_regularizer=penalty
            ),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
        jit_compile=False,  # compiling takes longer than it saves
    )
    return model


def _read(model: Any) -> HiddenHead:
    weights, biases, of_classes, biases_of_classes = model.get_weights()
    return HiddenHead(HiddenLayer(weights, biases), Head(of_classes, biases_of_classes))
