"""Folds: groups stay together, classes are spread, the order of rows does not matter."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrain.evaluation.folds import folds

PHOTOS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 25)), max_size=80)


def keys_of(numbers: list[int]) -> list[bytes]:
    return [f"group {number}".encode() for number in numbers]


def counts_of(labels: np.ndarray, found: np.ndarray, k: int) -> np.ndarray:
    """(classes, k) photos."""
    table = np.zeros((labels.max(initial=-1) + 1, k), np.int64)
    np.add.at(table, (labels, found), 1)
    return table


@given(PHOTOS, st.integers(2, 6), st.integers(0, 3))
def test_groups_never_straddle_folds(photos: list[tuple[int, int]], k: int, seed: int) -> None:
    labels = np.array([label for label, _ in photos], np.int64)
    keys = keys_of([group for _, group in photos])
    found = folds(labels, keys, k, seed=seed)
    assert (found.shape, found.dtype) == ((len(photos),), np.int64)
    assert ((found >= 0) & (found < k)).all()
    assert len(set(zip(keys, found.tolist(), strict=True))) == len(set(keys))


@given(PHOTOS, st.integers(2, 6), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    photos: list[tuple[int, int]], k: int, random: Random
) -> None:
    labels = np.array([label for label, _ in photos], np.int64)
    keys = keys_of([group for _, group in photos])
    order = list(range(len(photos)))
    random.shuffle(order)
    shuffled = folds(labels[order], [keys[row] for row in order], k, seed=7)
    assert shuffled.tolist() == folds(labels, keys, k, seed=7)[order].tolist()


@given(st.lists(st.integers(0, 5), max_size=80), st.integers(2, 6), st.integers(0, 3))
def test_single_photos_are_spread_evenly(sizes: list[int], k: int, seed: int) -> None:
    labels = np.array(sizes, np.int64)
    found = folds(labels, keys_of(list(range(len(labels)))), k, seed=seed)
    table = counts_of(labels, found, k)
    assert (np.ptp(table, axis=1) <= 1).all()
    assert np.ptp(table.sum(axis=0)) <= 1


def test_large_groups_are_evened_out_by_small_ones() -> None:
    numbers = [0] * 6 + [1] * 5 + [2] * 4 + list(range(3, 18))
    labels = np.zeros(30, np.int64)
    assert counts_of(labels, folds(labels, keys_of(numbers), 3, seed=0), 3).tolist() == [
        [10, 10, 10]
    ]


def test_classes_with_fewer_photos_than_folds_fill_different_folds() -> None:
    labels = np.repeat(np.arange(5), 2)
    table = counts_of(labels, folds(labels, keys_of(list(range(10))), 5, seed=0), 5)
    assert table.max() == 1 and table.sum(axis=0).tolist() == [2] * 5


def test_the_seed_decides_and_names_of_both_kinds_are_taken() -> None:
    labels = np.zeros(60, np.int64)
    keys = keys_of(list(range(60)))
    first = folds(labels, keys, 5, seed=1)
    assert first.tolist() == folds(labels, [key.decode() for key in keys], 5, seed=1).tolist()
    assert 30 < (first != folds(labels, keys, 5, seed=2)).sum() < 60


def test_a_name_that_is_no_text_is_taken() -> None:
    keys = ["caf\udce9.jpg", "cafe.jpg"]
    assert sorted(folds(np.zeros(2, np.int64), keys, 2, seed=0).tolist()) == [0, 1]
