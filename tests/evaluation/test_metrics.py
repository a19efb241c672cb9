"""Metrics: scikit-learn is the judge."""

import json
import warnings
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as judge
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from retrain.evaluation.intervals import Interval, wilson
from retrain.evaluation.metrics import (
    Metrics,
    compute_metrics,
    metrics_to_json,
)

pytestmark = pytest.mark.slow

Case = tuple[np.ndarray, np.ndarray]
MEASURED = 25  # each draws a bootstrap


def measured(probabilities: np.ndarray, truth: np.ndarray | list[int]) -> Metrics:
    labels = [f"class {number}" for number in range(probabilities.shape[1])]
    return compute_metrics(
        probabilities, np.array(truth, np.int64), labels, rng=np.random.default_rng(0)
    )


def answering(predicted: list[int], truth: list[int], classes: int) -> Metrics:
    return measured(np.eye(classes)[predicted], truth)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few photos, often of few of the classes, with many equal probabilities or with none."""
    classes, count = draw(st.integers(2, 7)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    present = rng.permutation(classes)[: draw(st.integers(1, classes))]
    truth = rng.choice(present, count)
    if draw(st.booleans()):
        weights = rng.integers(0, 3, (count, classes)) + 0.0
        weights[weights.sum(axis=1) == 0] = 1
    else:
        weights = rng.exponential(size=(count, classes))
    weights[rng.random(count) < draw(st.sampled_from([0, 0.5, 1])), truth[0]] += 2
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return probabilities.astype(draw(st.sampled_from([np.float32, np.float64]))), truth


def judged(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """scikit-learn's figures, under our names."""
    predicted = probabilities.argmax(axis=1)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    every = range(probabilities.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        areas = [judge.roc_auc_score(truth == label, probabilities[:, label]) for label in every]
        return {
            "accuracy": judge.accuracy_score(truth, predicted),
            "top1_error": judge.zero_one_loss(truth, predicted),
            "balanced_accuracy": judge.balanced_accuracy_score(truth, predicted),
            "macro_f1": judge.f1_score(truth, predicted, average="macro", zero_division=0),
            "log_loss": judge.log_loss(truth, exact, labels=every),
            "macro_auc": None if np.isnan(areas).any() else np.mean(areas),
        }


@settings(max_examples=MEASURED)
@given(cases())
def test_summary_is_scikit_learns(case: Case) -> None:
    found = measured(*case)
    for name, expected in judged(*case).items():
        value = getattr(found, name)
        assert (value is None) == (expected is None), name
        assert value == pytest.approx(expected, abs=1e-6 if name == "log_loss" else 1e-9), name
    assert found.count == len(case[1])
    assert found.accuracy_interval == wilson(int(np.trace(found.confusion)), found.count)


@settings(max_examples=MEASURED)
@given(cases())
def test_classes_are_scikit_learns(case: Case) -> None:
    probabilities, truth = case
    found, predicted = measured(*case), probabilities.argmax(axis=1)
    every = range(probabilities.shape[1])
    expected = judge.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    rows = [(each.precision, each.recall, each.f1, each.support) for each in found.classes]
    np.testing.assert_allclose(np.array(rows).T, expected, atol=1e-12)
    assert np.array_equal(found.confusion, judge.confusion_matrix(truth, predicted, labels=every))
    for each, right in zip(found.classes, np.diagonal(found.confusion), strict=True):
        assert each.recall_interval == wilson(int(right), each.support)


@settings(max_examples=MEASURED)
@given(cases())
def test_top5_prefers_the_lower_class_of_equals(case: Case) -> None:
    probabilities, truth = case
    five = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    expected = 1 - (five == truth[:, None]).any(axis=1).mean()
    assert measured(*case).top5_error == pytest.approx(expected, abs=1e-12)


@settings(max_examples=MEASURED)
@given(cases())
def test_reliability_is_scikit_learns_calibration_curve(case: Case) -> None:
    probabilities, truth = case
    found = measured(*case)
    top = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    shares, means = calibration_curve(right.astype(int), np.minimum(top, 1), n_bins=15)
    filled = [each for each in found.reliability if each.count]
    np.testing.assert_allclose([each.accuracy for each in filled], shares, atol=1e-9)
    np.testing.assert_allclose([each.confidence for each in filled], means, atol=1e-6)
    counts = np.array([each.count for each in filled])
    expected = (counts * np.abs(shares - means)).sum() / len(truth)
    assert counts.sum() == len(truth)
    assert found.calibration_error == pytest.approx(expected, abs=1e-6)
    for each in filled:
        assert each.confidence is not None and each.low < each.confidence <= each.high + 1e-6


@settings(max_examples=MEASURED)
@given(cases())
def test_json_has_the_same_figures(case: Case) -> None:
    found = measured(*case)
    plain = json.loads(json.dumps(metrics_to_json(found), allow_nan=False))
    assert plain["confusion"] == found.confusion.tolist()
    assert plain["classes"] == [asdict(each) for each in found.classes]
    assert plain["accuracy"] == found.accuracy


def test_a_figure_that_is_no_number_is_null_in_json() -> None:
    found = replace(answering([0, 1], [0, 0], 2), log_loss=float("nan"))
    assert metrics_to_json(found)["log_loss"] is None


def test_no_photos_give_no_figures_and_all_the_classes() -> None:
    found = measured(np.zeros((0, 3), np.float32), [])
    assert found.count == 0 and found.accuracy is found.macro_f1_interval is None
    assert found.confusion.tolist() == [[0] * 3] * 3
    assert [each.label for each in found.classes] == ["class 0", "class 1", "class 2"]
    assert all(each.too_few and each.recall_interval == Interval(0, 1) for each in found.classes)
    assert [each.accuracy for each in found.reliability] == [None] * 15


def test_figures_of_a_known_answer() -> None:
    found = measured(np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]]), [0, 0, 1, 1])
    assert found.confusion.tolist() == [[1, 1], [1, 1]]
    assert (found.accuracy, found.top1_error, found.top5_error) == (0.5, 0.5, 0.0)
    assert (found.balanced_accuracy, found.macro_f1, found.macro_auc) == (0.5, 0.5, 0.75)
    assert found.log_loss == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.5]).mean())
    assert found.calibration_error == pytest.approx((0.2 + 0.6 + 0.3 + 0.5) / 4)


def test_top5_of_many_classes() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(40), 500)
    truth = rng.integers(40, size=500)
    expected = 1 - judge.top_k_accuracy_score(truth, probabilities, k=5, labels=range(40))
    assert measured(probabilities, truth).top5_error == pytest.approx(expected)


def test_macro_f1_interval_holds_the_figure_and_narrows_with_more_photos() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (30, 300, 3000):
        truth = rng.integers(10, size=count)
        predicted = np.where(rng.random(count) < 0.8, truth, rng.integers(10, size=count))
        found = answering(predicted.tolist(), truth.tolist(), 10)
        assert found.macro_f1_interval is not None and found.macro_f1 is not None
        assert found.macro_f1_interval.low < found.macro_f1 < found.macro_f1_interval.high
        widths.append(found.macro_f1_interval.high - found.macro_f1_interval.low)
    assert widths[0] > 2 * widths[1] > 4 * widths[2]
