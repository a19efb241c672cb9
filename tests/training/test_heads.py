"""Sampling and retrain.py's solver."""

from collections import Counter

import numpy as np
import pytest

from retrain.errors import RetrainError
from retrain.evaluation.scoring import evaluate
from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head, cross_entropy
from retrain.training.sampler import Sampler
from retrain.training.sgd import SgdSettings, StepResult, train_head
from retrain.utils.numerics import softmax

SETTINGS = SgdSettings(
    steps=50,
    learning_rate=0.05,
    train_batch_size=-1,
    validation_batch_size=-1,
    eval_step_interval=20,
    sampling="balanced",
    seed=3,
)


def matrix(features: np.ndarray) -> FeatureMatrix:
    rows = np.arange(len(features))
    return FeatureMatrix([features], np.zeros_like(rows), rows, width=features.shape[1])


def clusters(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of 4-d points, some overlapping."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 3).astype(np.int32)
    centres = np.eye(4, dtype=np.float32)[labels]
    return centres + rng.normal(0, 0.4, (count, 4)).astype(np.float32), labels


def solve(settings: SgdSettings) -> tuple[Head, list[StepResult]]:
    features, labels = clusters()
    rows = np.arange(len(labels))
    seen: list[StepResult] = []
    head = train_head(
        matrix(features),
        labels,
        rows[:40],
        validation_rows=rows[40:],
        classes=3,
        settings=settings,
        on_step=lambda *_: None,
        on_evaluation=seen.append,
    )
    return head, seen


def test_full_batches_follow_the_gradient_of_the_cross_entropy() -> None:
    """Against a plain float64 descent by numerical differentiation of the loss."""
    features, labels = clusters()
    x, y = features[:40].astype(np.float64), labels[:40]

    def loss(flat: np.ndarray) -> float:
        return cross_entropy(softmax(x @ flat[:12].reshape(4, 3) + flat[12:]), y)

    start, _ = solve(SgdSettings(**{**vars(SETTINGS), "steps": 0}))
    point = np.concatenate([start.weights.ravel(), start.biases]).astype(np.float64)
    for _ in range(50):
        step = 1e-5 * np.eye(15)
        slope = np.array([(loss(point + d) - loss(point - d)) / 2e-5 for d in step])
        point = point - 0.05 * slope
    head, _ = solve(SETTINGS)
    found = np.concatenate([head.weights.ravel(), head.biases])
    np.testing.assert_allclose(found, point, atol=2e-4)


def test_initial_weights_are_those_of_retrain_py() -> None:
    settings = SgdSettings(**{**vars(SETTINGS), "steps": 0})
    features = matrix(np.zeros((2, 20000), np.float32))
    labels, rows = np.array([0, 1], np.int32), np.arange(2)
    head = train_head(
        features,
        labels,
        rows,
        validation_rows=rows,
        classes=2,
        settings=settings,
        on_step=lambda *_: None,
        on_evaluation=lambda _: None,
    )
    assert np.abs(head.weights).max() <= 0.002
    # The deviation of a normal cut at two deviations is 0.8796 of its own.
    assert head.weights.std() == pytest.approx(0.001 * 0.8796, rel=0.02)
    assert not head.biases.any()


def test_evaluated_steps_are_those_of_retrain_py() -> None:
    _, seen = solve(SETTINGS)
    assert [result.step for result in seen] == [0, 20, 40, 49]
    assert seen[-1].validation is not None and seen[-1].validation.count == 20
    assert seen[-1].train.count == 40


def test_training_lowers_the_loss() -> None:
    settings = SgdSettings(**{**vars(SETTINGS), "train_batch_size": 16, "steps": 400})
    head, seen = solve(settings)
    assert seen[-1].train.cross_entropy < 0.8 * seen[0].train.cross_entropy
    features, labels = clusters()
    assert evaluate(head, matrix(features), labels, rows=np.arange(40, 60)).accuracy > 0.7


def test_divergence_is_an_error_with_a_remedy() -> None:
    settings = SgdSettings(**{**vars(SETTINGS), "learning_rate": 1e39})
    with pytest.raises(RetrainError, match="give a smaller one"):
        solve(settings)


def test_balanced_draws_classes_equally() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    rng = np.random.default_rng(0)
    drawn = Sampler(np.arange(1000), labels, "balanced", rng=rng).draw(30_000)
    found = Counter(labels[drawn].tolist())
    assert all(abs(found[label] - 10_000) < 400 for label in range(3))
    assert len(set(drawn[labels[drawn] == 0].tolist())) == 900


def test_uniform_draws_photos_equally() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    rng = np.random.default_rng(0)
    drawn = Sampler(np.arange(1000), labels, "uniform", rng=rng).draw(30_000)
    found = Counter(labels[drawn].tolist())
    assert abs(found[0] - 27_000) < 500 and abs(found[2] - 300) < 100


def test_a_negative_size_is_the_whole_set_by_class() -> None:
    labels = np.array([1, 0, 1, 0, 2])
    rows = np.array([4, 2, 1, 0])
    drawn = Sampler(rows, labels, "balanced", rng=np.random.default_rng(0)).draw(-1)
    assert drawn.tolist() == [1, 2, 0, 4]


def test_a_class_without_photos_in_the_set_is_never_drawn() -> None:
    labels = np.array([0, 0, 1, 2])
    drawn = Sampler(np.array([0, 3]), labels, "balanced", rng=np.random.default_rng(0)).draw(50)
    assert set(drawn.tolist()) == {0, 3}


def test_an_empty_set_draws_nothing() -> None:
    nothing = np.array([], np.int64)
    sampler = Sampler(nothing, np.array([0, 1]), "balanced", rng=np.random.default_rng(0))
    assert len(sampler.draw(10)) == 0


def test_misclassified_rows() -> None:
    features, labels = np.eye(3, dtype=np.float32), np.array([0, 1, 0], np.int32)
    head = Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    found = evaluate(head, matrix(features), labels, rows=np.array([2, 1]))
    assert (found.count, found.accuracy, found.misclassified()) == (2, 0.5, [(2, 2)])
