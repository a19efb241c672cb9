"""Rules, schedules, early stopping, label smoothing and class weights of the solvers by steps."""

from dataclasses import replace

import numpy as np
import pytest

from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix
from retrain.training import sgd
from retrain.training.early_stopping import BestWeights, EarlyStopping
from retrain.training.head import Head, cross_entropy
from retrain.training.lbfgs import solve
from retrain.training.loss import SoftmaxLoss, class_weights, log_loss
from retrain.training.optimizers import Adam, Arrays, Momentum, Update, learning_rate
from retrain.training.sampler import Sampler
from retrain.training.sgd import SgdSettings, StepResult, train_head
from retrain.training.solvers import SOLVERS
from retrain.utils.numerics import softmax

STEP_SOLVERS = [name for name, solver in SOLVERS.items() if solver.rule]
RETRAIN_PY = SgdSettings(
    steps=200,
    learning_rate=0.05,
    train_batch_size=16,
    validation_batch_size=-1,
    eval_step_interval=10,
    sampling="balanced",
    seed=3,
)


def matrix(features: np.ndarray) -> FeatureMatrix:
    rows = np.arange(len(features))
    return FeatureMatrix([features], np.zeros_like(rows), rows, width=features.shape[1])


def clusters(counts: tuple[int, ...], width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes of so many photos, mixed."""
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int32)
    centres = rng.normal(1, 0.5, (len(counts), width))
    return (centres[labels] + rng.normal(0, 0.6, (len(labels), width))).astype("f"), labels


def ignore(*_: object) -> None:
    pass


def train(
    settings: SgdSettings, counts: tuple[int, ...] = (40, 40, 40), trained: int = 80
) -> tuple[Head, list[StepResult]]:
    """Trains on the first photos and validates on the others."""
    features, labels = clusters(counts)
    rows = np.arange(len(labels))
    seen: list[StepResult] = []
    head = train_head(
        matrix(features),
        labels,
        rows[:trained],
        validation_rows=rows[trained:],
        classes=len(counts),
        settings=settings,
        on_step=ignore,
        on_evaluation=seen.append,
    )
    return head, seen


def head_of_retrain_py(settings: SgdSettings) -> Head:
    """retrain.py's training, written down plainly."""
    features, labels = clusters((40, 40, 40))
    start, draw, _ = np.random.SeedSequence(settings.seed).spawn(3)
    weights = sgd._truncated_normal(np.random.default_rng(start), (8, 3))
    biases = np.zeros(3, np.float32)
    batches = Sampler(np.arange(80), labels, settings.sampling, rng=np.random.default_rng(draw))
    for _ in range(settings.steps):
        rows = batches.draw(settings.train_batch_size)
        gradient = softmax(features[rows] @ weights + biases)
        gradient[np.arange(len(rows)), labels[rows]] -= 1
        gradient *= np.float32(settings.learning_rate) / np.float32(len(rows))
        weights -= features[rows].T @ gradient
        biases -= gradient.sum(axis=0)
    return Head(weights, biases)


@pytest.mark.parametrize("size", [16, -1])
@pytest.mark.parametrize("sampling", ["balanced", "uniform"])
def test_the_defaults_give_the_bits_of_retrain_py(size: int, sampling: str) -> None:
    settings = replace(RETRAIN_PY, train_batch_size=size, sampling=sampling)
    found, expected = train(settings)[0], head_of_retrain_py(settings)
    assert found.weights.tobytes() == expected.weights.tobytes()
    assert found.biases.tobytes() == expected.biases.tobytes()


@pytest.mark.parametrize("solver", STEP_SOLVERS)
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_every_rule_lowers_the_loss(solver: str, schedule: str) -> None:
    settings = replace(RETRAIN_PY, solver=solver, schedule=schedule)
    features, labels = clusters((40, 40, 40))
    losses = [
        cross_entropy(train(replace(settings, steps=steps))[0].probabilities(features), labels)
        for steps in (0, 200)
    ]
    assert losses[1] < 0.75 * losses[0]


@pytest.mark.parametrize("solver", STEP_SOLVERS)
def test_every_rule_gives_the_same_bits_again(solver: str) -> None:
    settings = replace(RETRAIN_PY, solver=solver, schedule="cosine", l2=0.01, label_smoothing=0.1)
    first, second = train(settings)[0], train(settings)[0]
    assert first.weights.tobytes() == second.weights.tobytes()


@pytest.mark.parametrize("solver", STEP_SOLVERS)
def test_every_rule_goes_to_the_optimum_of_the_penalised_loss(solver: str) -> None:
    """Full batches, many steps: the head that lbfgs finds for the same objective."""
    features, labels = clusters((40, 20, 20))
    rows = np.arange(80)
    settings = replace(
        RETRAIN_PY,
        solver=solver,
        schedule="cosine",
        steps=3000,
        learning_rate=0.3 if solver != "adam" else 0.02,
        train_batch_size=-1,
        eval_step_interval=3000,
        l2=0.02,
        label_smoothing=0.1,
        class_weight="balanced",
    )
    found, _ = train(settings, (40, 20, 20))
    loss = SoftmaxLoss(class_weights(labels, 3, "balanced"), 0.1)
    best = solve(matrix(features), labels, rows, loss=loss, l2=0.02)
    np.testing.assert_allclose(found.weights, best.weights, atol=5e-3)


def changes(rule: Update, *steps: tuple[float, float, float]) -> tuple[list[float], list[float]]:
    """Of a head of one weight and one bias; a step is the gradient by both, and the rate."""
    weights, biases = [], []
    for by_weight, by_bias, rate in steps:
        gradient = np.array([[by_weight]], np.float32), np.array([by_bias], np.float32)

        def times(factor: np.float32, gradient: Arrays = gradient) -> Arrays:
            return factor * gradient[0], factor * gradient[1]

        of_weights, of_biases = rule.change(times, np.float32(rate))
        weights.append(float(of_weights[0, 0]))
        biases.append(float(of_biases[0]))
    return weights, biases


def test_momentum_adds_nine_tenths_of_the_change_before() -> None:
    weights, biases = changes(Momentum(), (1, 2, 0.1), (3, -4, 0.1), (0, 0, 0.5))
    assert weights == pytest.approx([0.1, 0.9 * 0.1 + 0.3, 0.9 * 0.39], rel=1e-6)
    assert biases == pytest.approx([0.2, 0.9 * 0.2 - 0.4, 0.9 * -0.22], rel=1e-6)


def test_adams_steps_are_the_papers() -> None:
    weights, biases = changes(Adam(), (1, -2, 0.1), (3, 0, 0.1))
    # m = 0.9 * 0.1 + 0.1 * 3 and v = 0.999 * 0.001 + 0.001 * 9, corrected by 1 - 0.9^2, 1 - 0.999^2
    second = 0.1 * (0.39 / 0.19) / np.sqrt(0.009999 / 0.001999)
    assert weights == pytest.approx([0.1, second], rel=1e-5)
    second = 0.1 * (-0.18 / 0.19) / np.sqrt(0.003996 / 0.001999)  # m = 0.9 * -0.2
    assert biases == pytest.approx([-0.1, second], rel=1e-5)


def test_cosine_goes_from_the_rate_to_nothing() -> None:
    rates = [learning_rate("cosine", 0.4, step, steps=100) for step in range(101)]
    assert rates[0] == 0.4 and rates[50] == pytest.approx(0.2)
    assert rates[99] < 0.001 and rates[100] == pytest.approx(0, abs=1e-9)
    assert rates == sorted(rates, reverse=True)
    assert {learning_rate("constant", 0.4, step, steps=100) for step in range(100)} == {0.4}


def test_a_penalty_shrinks_the_weights() -> None:
    free, bound = (train(replace(RETRAIN_PY, l2=l2))[0] for l2 in (0.0, 0.5))
    assert np.abs(bound.weights).sum() < 0.6 * np.abs(free.weights).sum()


def test_early_stopping_keeps_the_best_head() -> None:
    """A rate so large that the loss jumps about."""
    settings = replace(RETRAIN_PY, learning_rate=2.0, patience=7, steps=2000)
    head, seen = train(settings)
    features, labels = clusters((40, 40, 40))
    losses = [one.validation.cross_entropy for one in seen if one.validation is not None]
    best = int(np.argmin(losses))
    assert cross_entropy(head.probabilities(features[80:]), labels[80:]) == pytest.approx(
        losses[best], rel=1e-6
    )
    assert len(seen) == best + 1 + 7 < 201  # it stopped 7 evaluations after the best
    assert seen[-1].best.number == seen[best].step < seen[-1].step


def test_early_stopping_lets_a_falling_loss_fall() -> None:
    patient, plain = (
        train(replace(RETRAIN_PY, train_batch_size=-1, learning_rate=0.01, patience=patience))
        for patience in (1, 0)
    )
    assert [one.step for one in patient[1]] == [one.step for one in plain[1]]
    assert np.array_equal(patient[0].weights, plain[0].weights)


def test_without_validation_photos_training_goes_to_its_end() -> None:
    head, seen = train(replace(RETRAIN_PY, patience=1), trained=120)
    plain, _ = train(RETRAIN_PY, trained=120)
    assert seen[-1].step == 199 and seen[-1].best is None
    assert np.array_equal(head.weights, plain.weights)


def test_patience_counts_evaluations_since_the_best() -> None:
    stopping = EarlyStopping()
    lowered, over = [], []
    for step, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0, np.nan]):
        lowered.append(stopping.judge(step, loss))
        over.append(stopping.stops(2))
    assert lowered == [True, True, False, True, False, False]
    assert over == [False, False, False, False, False, True]
    assert stopping.kept("validation") == BestWeights(3, 1.0, "validation")
    assert not stopping.stops(0) and EarlyStopping().kept("validation") is None


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_slopes_are_the_losss_differences(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(0, 2, (6, 4)), np.array([0, 1, 2, 3, 0, 1])
    weights = np.array([1, 0.5, 2, 1], np.float32)
    loss = SoftmaxLoss(weights, smoothing)

    def total(at: np.ndarray) -> float:
        targets = np.full((6, 4), smoothing / 4)
        targets[np.arange(6), truth] += 1 - smoothing
        surprises = np.logaddexp.reduce(at, axis=1, keepdims=True) - at
        return float(((targets * surprises).sum(axis=1) * weights[truth]).sum())

    numeric = np.empty((6, 4))
    for place in np.ndindex(6, 4):
        nudge = np.zeros((6, 4))
        nudge[place] = 1e-5
        numeric[place] = (total(logits + nudge) - total(logits - nudge)) / 2e-5
    np.testing.assert_allclose(loss.slopes(logits.astype("f"), truth), numeric, atol=1e-5)
    value, slopes = loss.total_and_slopes(logits.astype("f"), truth)
    assert value == pytest.approx(total(logits), rel=1e-6)
    np.testing.assert_allclose(slopes, numeric, atol=1e-5)


def test_huge_logits_have_a_finite_loss() -> None:
    logits = np.array([[1e30, 0, -1e30], [5e4, 6e4, 0]], np.float32)
    value, slopes = SoftmaxLoss(np.ones(3, np.float32), 0.0).total_and_slopes(
        logits, np.array([0, 0])
    )
    assert value == pytest.approx(1e4) and np.isfinite(slopes).all()


def test_log_loss_is_weighted_by_class() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.1, 0.9]], np.float32))
    weights = np.array([3, 1], np.float32)
    expected = (3 * np.log(2) - np.log(0.9)) / 4
    assert log_loss(logits, np.array([0, 1]), weights) == pytest.approx(expected, rel=1e-6)


def test_balanced_weights_make_classes_weigh_the_same() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [3])
    weights = class_weights(labels, 5, "balanced")
    assert weights.dtype == np.float32
    assert weights[[0, 1, 3]] == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert weights[labels].mean() == pytest.approx(1)
    assert weights[2] == weights[4] == 1
    assert np.array_equal(class_weights(labels, 5, "none"), np.ones(5))


COUNTS = (400, 120, 120, 120, 120)  # 200 and 20 of them to learn from


def imbalanced() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels, 200/20/20/20/20 training rows and 200/100/100/100/100 test rows."""
    features, labels = clusters(COUNTS)
    wanted = (200, 20, 20, 20, 20)
    rows = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(wanted)]
    training = np.concatenate(rows)
    return features, labels, training, np.setdiff1d(np.arange(len(labels)), training)


def balanced_accuracy(head: Head) -> float:
    features, labels, _, tested = imbalanced()
    right = head.logits(features[tested]).argmax(axis=1) == labels[tested]
    return float(np.mean([right[labels[tested] == label].mean() for label in range(5)]))


@pytest.mark.parametrize("solver", STEP_SOLVERS)
def test_balanced_class_weights_raise_balanced_accuracy(solver: str) -> None:
    features, labels, training, _ = imbalanced()

    def accuracy(rule: str) -> float:
        settings = replace(
            RETRAIN_PY, solver=solver, sampling="uniform", class_weight=rule, train_batch_size=50
        )
        head = train_head(
            matrix(features),
            labels,
            training,
            validation_rows=training[:0],
            classes=5,
            settings=settings,
            on_step=ignore,
            on_evaluation=ignore,
        )
        return balanced_accuracy(head)

    assert accuracy("balanced") > accuracy("none") + 0.03


def test_balanced_class_weights_raise_balanced_accuracy_of_lbfgs() -> None:
    features, labels, training, _ = imbalanced()

    def accuracy(rule: str) -> float:
        loss = SoftmaxLoss(class_weights(labels[training], 5, rule))
        return balanced_accuracy(solve(matrix(features), labels, training, loss=loss, l2=0.01))

    assert accuracy("balanced") > accuracy("none") + 0.03


@pytest.mark.parametrize("solver", ["sgd", "momentum"])
def test_divergence_of_every_rule_is_an_error_with_a_remedy(solver: str) -> None:
    with pytest.raises(RetrainError, match="give a smaller one"):
        train(replace(RETRAIN_PY, solver=solver, learning_rate=1e39))
