"""Temperature and threshold, fitted on validation photos."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from retrain.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    Trial,
    calibrated,
    fit_temperature,
    fit_threshold,
    try_temperature,
)
from retrain.evaluation.metrics import compute_metrics
from retrain.utils.numerics import softmax


def samples(
    seed: int, count: int, classes: int, strength: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, C) and classes (n,) drawn from their softmax: the right temperature is 1."""
    rng = np.random.default_rng(seed)
    logits = strength * rng.standard_normal((count, classes))
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


def best_by_grid(logits: np.ndarray, truth: np.ndarray) -> float:
    grid = np.geomspace(COLDEST, HOTTEST, 1001)
    rows = np.arange(len(truth))
    return float(min(grid, key=lambda t: -log_softmax(logits / t, axis=1)[rows, truth].mean()))


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_factor_on_the_logits(factor: float) -> None:
    logits, truth = samples(0, 4000, 5)
    found = fit_temperature(logits * factor, truth)
    assert found == pytest.approx(factor, rel=0.08)
    assert found == pytest.approx(best_by_grid(logits * factor, truth), rel=0.003)


@given(
    st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 6), st.floats(-3, 3), st.booleans()
)
def test_calibration_keeps_the_answers_and_never_raises_the_loss(
    seed: int, count: int, classes: int, exponent: float, learnt: bool
) -> None:
    logits, truth = samples(seed, count, classes)
    if not learnt:
        truth = np.random.default_rng(seed).integers(classes, size=count)
    logits = (logits * 10**exponent).astype(np.float32)
    temperature = fit_temperature(logits, truth)
    assert COLDEST <= temperature <= HOTTEST
    after = calibrated(logits, temperature)
    assert after.dtype == np.float32
    # Rounding may make two classes equal, but puts none above the first.
    assert (after[np.arange(count), logits.argmax(axis=1)] == after.max(axis=1)).all()
    exact = logits.astype(np.float64)
    before, after = (
        -log_softmax(exact / t, axis=1)[np.arange(count), truth].mean() for t in (1.0, temperature)
    )
    assert after <= before * (1 + 1e-12)


def test_an_over_confident_head_is_better_calibrated_on_photos_it_was_not_fitted_on() -> None:
    logits, truth = samples(1, 2000, 10)
    logits *= 3
    temperature = fit_temperature(logits[:1000], truth[:1000])
    labels = [str(number) for number in range(10)]
    before, after = (
        compute_metrics(found, truth[1000:], labels, rng=np.random.default_rng(0))
        for found in (softmax(logits[1000:]), calibrated(logits[1000:], temperature))
    )
    assert before.calibration_error is not None and after.calibration_error is not None
    assert after.calibration_error < 0.3 * before.calibration_error
    assert after.accuracy == before.accuracy


@pytest.mark.parametrize(
    ("logits", "truth"),
    [
        (np.zeros((0, 3), np.float32), []),
        (np.eye(3), [0, 1, 2]),  # no mistake
        (np.zeros((4, 3)), [0, 1, 2, 1]),  # no temperature matters
    ],
)
def test_photos_that_say_nothing_leave_the_scores_alone(
    logits: np.ndarray, truth: list[int]
) -> None:
    assert fit_temperature(logits, np.array(truth, np.int64)) == 1.0


def test_the_temperature_is_bounded() -> None:
    right = np.eye(2)[[0, 1] * 500]
    nearly = np.vstack([right, [[0.001, 0]]])  # one mistake, by a hair
    truth = np.array([0, 1] * 500)
    assert fit_temperature(nearly, np.append(truth, 1)) == pytest.approx(COLDEST, rel=1e-3)
    assert fit_temperature(right, 1 - truth) == pytest.approx(HOTTEST, rel=1e-3)


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two-class probabilities with many ties, and classes."""
    scores = draw(st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), max_size=25))
    truth = draw(st.lists(st.integers(0, 1), min_size=len(scores), max_size=len(scores)))
    first = np.array(scores, np.float32)
    return np.stack([first, 1 - first], axis=1), np.array(truth, np.int64)


@given(answers(), st.sampled_from([0.0, 0.5, 0.75, 0.9, 1.0]))
def test_the_threshold_is_the_lowest_score_that_reaches_the_precision(
    answered: tuple[np.ndarray, np.ndarray], precision: float
) -> None:
    probabilities, truth = answered
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    fitting = [float(t) for t in top if right[top >= t].mean() >= precision]
    assert fit_threshold(probabilities, truth, precision) == min(fitting, default=None)


def test_a_threshold_may_lie_below_scores_that_miss_the_precision() -> None:
    first = np.array([0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([first, 1 - first], axis=1)
    assert fit_threshold(probabilities, np.array([1, 0, 0, 0]), 0.75) == 0.6
    assert fit_threshold(probabilities, np.array([1, 0, 0, 0]), 0.8) is None
    assert fit_threshold(probabilities, np.array([0, 0, 1, 0]), 1.0) == 0.8
    assert fit_threshold(probabilities[:0], np.array([], np.int64), math.nextafter(0, 1)) is None


@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_calibration_is_kept_where_it_helps_on_folds(factor: float) -> None:
    logits, truth = samples(0, 300, 5)
    trial = try_temperature(logits * factor, truth)
    assert trial.helps and trial.photos == 300
    assert trial.temperature == fit_temperature(logits * factor, truth)
    assert trial.log_loss[1] < trial.log_loss[0] and trial.error[1] < trial.error[0]
    assert "the 300 validation photos" in trial.sentence()


def test_less_harm_is_done_where_scores_are_right_as_they_are() -> None:
    """Few temperatures of 15 photos are kept, and these harm less than all would."""
    kept, harm, of_all = 0, 0.0, 0.0
    for seed in range(40):
        logits, truth = samples(seed, 15, 5)
        trial = try_temperature(logits, truth)
        unseen, classes = samples(seed + 100, 1000, 5)
        before, after = (
            -log_softmax(unseen / t, axis=1)[np.arange(1000), classes].mean()
            for t in (1.0, trial.temperature)
        )
        of_all += after - before
        if trial.helps:
            kept, harm = kept + 1, harm + after - before
    assert kept < 20
    assert harm < 0.3 * of_all


@pytest.mark.parametrize("better", [(True, False), (False, True), (False, False)])
def test_both_figures_must_be_better(better: tuple[bool, bool]) -> None:
    loss, error = ((0.5, 0.4) if each else (0.4, 0.5) for each in better)
    assert not Trial(2.0, 30, loss, error, (1.9, 2.1)).helps
    assert Trial(2.0, 30, (0.5, 0.4), (0.5, 0.4), (1.9, 2.1)).helps
    assert not Trial(2.0, 30, (0.5, 0.4), (0.5, 0.4), (0.2, 2.1)).helps


@pytest.mark.parametrize(("count", "classes"), [(1, 2), (3, 3), (6, 2)])
def test_the_fewest_photos_can_be_tried(count: int, classes: int) -> None:
    logits, truth = samples(3, count, classes)
    trial = try_temperature(logits.astype(np.float32), truth)
    assert np.isfinite([*trial.log_loss, *trial.error]).all()
    unmistaken = try_temperature(np.eye(classes), np.arange(classes))
    assert (unmistaken.temperature, unmistaken.helps) == (1.0, False)
