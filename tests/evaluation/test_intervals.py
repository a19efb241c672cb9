"""Intervals and comparisons, against SciPy and published examples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from retrain.evaluation.intervals import (
    WIDEST,
    Interval,
    PairedDifference,
    bootstrap,
    paired_difference,
    too_few,
    wilson,
)

SHARES = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TABLES = st.tuples(*[st.integers(0, 60)] * 4)


def accuracy(confusion: np.ndarray) -> float:
    return float(np.trace(confusion) / confusion.sum())


def macro_recall(confusion: np.ndarray) -> float:
    support = confusion.sum(axis=1)
    return float((np.diagonal(confusion) / np.maximum(support, 1)).mean())


def compared(both: int, only_a: int, only_b: int, neither: int) -> PairedDifference:
    cells = (both, only_a, only_b, neither)
    return paired_difference(
        np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)
    )


@given(SHARES, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_scipys_and_holds_the_share(share: tuple[int, int], confidence: float) -> None:
    right, count = share
    found = wilson(right, count, confidence)
    if not count:
        assert found == Interval(0.0, 1.0)
        return
    expected = binomtest(right, count).proportion_ci(confidence, "wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= right / count <= found.high <= 1


def test_wilson_ends_at_0_and_1_without_rounding() -> None:
    for count in range(1, 200):
        assert wilson(0, count).low == 0.0 and wilson(count, count).high == 1.0


def test_eight_photos_are_too_few_whatever_the_outcome_and_nine_are_not() -> None:
    assert [too_few(count) for count in (0, 1, 8, 9, 1000)] == [True, True, True, False, False]
    for count in (8, 9):
        halves = [(w.high - w.low) / 2 for w in (wilson(k, count) for k in range(count + 1))]
        assert too_few(count) == (min(halves) > WIDEST)


def test_bootstrap_of_an_accuracy_is_near_wilson() -> None:
    confusion = np.array([[150, 30], [50, 170]])
    found = bootstrap(accuracy, confusion, np.random.default_rng(0))
    expected = wilson(320, 400)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_bootstrap_comes_from_the_generator_alone() -> None:
    confusion = np.array([[15, 3], [5, 17]])
    first, second, other = (
        bootstrap(accuracy, confusion, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second != other


def test_bootstrap_of_thin_classes_holds_its_own_figure() -> None:
    """Resamples that lack a class score lower; without correction all of them lie below 1."""
    confusion = np.diag(np.full(50, 2))
    found = bootstrap(macro_recall, confusion, np.random.default_rng(0))
    assert found.low < 1 == found.high


@pytest.mark.parametrize(
    ("table", "low", "high", "digits"),
    [
        # Altman et al., "Statistics with Confidence", 2000, chapter 6
        ((14, 5, 0, 22), 0.011, 0.226, 3),
        # Fagerland et al., "Statistical Analysis of Contingency Tables", 2017, chapter 8
        ((59, 6, 16, 80), -0.1186, -0.0046, 4),
    ],
)
def test_paired_interval_of_published_examples(
    table: tuple[int, int, int, int], low: float, high: float, digits: int
) -> None:
    found = compared(*table)
    assert (round(found.interval.low, digits), round(found.interval.high, digits)) == (low, high)
    assert found.difference == pytest.approx((table[1] - table[2]) / sum(table))


@given(TABLES)
def test_paired_p_value_is_the_binomial_sum(table: tuple[int, int, int, int]) -> None:
    _, only_a, only_b, _ = table
    tail = sum(math.comb(only_a + only_b, k) for k in range(min(only_a, only_b) + 1))
    expected = min(1.0, 2 * tail / 2 ** (only_a + only_b))
    assert compared(*table).p_value == pytest.approx(expected, rel=1e-9)


@given(TABLES)
def test_paired_interval_holds_the_difference_and_turns_with_the_roles(
    table: tuple[int, int, int, int],
) -> None:
    both, only_a, only_b, neither = table
    found, turned = compared(*table), compared(both, only_b, only_a, neither)
    low, high = found.interval.low, found.interval.high
    assert -1 <= low <= found.difference <= high <= 1
    assert turned.difference == -found.difference
    assert (turned.interval.low, turned.interval.high) == pytest.approx((-high, -low), abs=1e-12)
    assert turned.p_value == pytest.approx(found.p_value)


def test_paired_agreement_narrows_the_interval() -> None:
    alike, unlike = compared(80, 6, 2, 12), compared(70, 16, 12, 2)
    assert alike.difference == unlike.difference
    assert alike.interval.high - alike.interval.low < unlike.interval.high - unlike.interval.low
    assert alike.p_value < unlike.p_value


def test_paired_difference_of_no_photos_says_nothing() -> None:
    assert compared(0, 0, 0, 0) == PairedDifference(0.0, Interval(-1.0, 1.0), 1.0)
