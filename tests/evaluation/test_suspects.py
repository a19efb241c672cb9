"""Labels worth a look: planted errors come first, and the stated share is the true one."""

import numpy as np
import pytest

from retrain.evaluation.audit.label_noise import chances_of_error
from retrain.evaluation.audit.suspects import Suspect, expected_errors, suspected_labels
from retrain.utils.text import plain


def clusters(
    seed: int, each: int, *, classes: int = 3, blur: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 20) around one centre for each class, and classes (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = 3 * rng.normal(size=(classes, 20))[labels]
    features += blur * rng.normal(size=(len(labels), 20))
    return features.astype(np.float32), labels


def suspects_of(
    features: np.ndarray, labels: np.ndarray, groups: list[bytes] | None = None
) -> list[Suspect]:
    groups = groups or [str(row).encode() for row in range(len(labels))]
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    return suspected_labels(units, labels, groups, seed=0)


def drawn(seed: int, count: int, classes: int, rate: float) -> tuple[np.ndarray, ...]:
    """Logits (n, C), labels drawn from softmax(2 * logits), a share of them wrong; which are."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((count, classes))
    truth = (2 * logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    wrong = rng.random(count) < rate
    return logits, (truth + wrong * rng.integers(1, classes, count)) % classes, wrong


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("classes", [2, 8])
def test_chances_are_the_shares_of_wrong_labels(classes: int, rate: float) -> None:
    logits, labels, wrong = drawn(0, 6_000, classes, rate)
    chances = chances_of_error(logits, labels)
    assert chances.sum() == pytest.approx(wrong.sum(), rel=0.4)
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        these = (chances >= low) & (chances < high)
        deviation = np.sqrt((chances[these] * (1 - chances[these])).sum())
        assert abs(wrong[these].sum() - chances[these].sum()) <= 3.5 * deviation + 1


@pytest.mark.parametrize("count", [10, 100, 3000])
def test_where_no_label_is_wrong_hardly_any_is_suspected(count: int) -> None:
    logits, labels, _ = drawn(1, count, 5, 0.0)
    assert (chances_of_error(logits, labels) >= 0.25).sum() <= 1 + count / 1000


def test_wrong_labels_are_suspected_first_with_the_right_suggestion() -> None:
    features, truth = clusters(5, 50)
    given = truth.copy()
    wrong = [3, 60, 110]
    given[wrong] = (truth[wrong] + 1) % 3
    found = suspects_of(features, given)
    assert {suspect.row for suspect in found} == set(wrong)
    for suspect in found:
        assert (suspect.given, suspect.suggested) == (given[suspect.row], truth[suspect.row])
        assert suspect.chance > 0.5
    assert [s.chance for s in found] == sorted((s.chance for s in found), reverse=True)
    assert found == suspects_of(features, given)
    assert suspects_of(features, truth) == []


def test_the_stated_share_is_that_of_planted_errors() -> None:
    """On blurred clusters; `scripts/bench_suspects` shows it on photos, products and drawings."""
    stated = true = listed = 0.0
    for seed in range(3):
        features, truth = clusters(seed, 50, classes=4, blur=3.0)
        rng = np.random.default_rng(seed)
        planted = rng.random(len(truth)) < 0.08
        given = (truth + planted * rng.integers(1, 4, len(truth))) % 4
        found = suspects_of(features, given)
        listed += len(found)
        stated += sum(each.chance for each in found)
        true += planted[[each.row for each in found]].sum()
    assert listed >= 30
    assert abs(stated - true) / listed < 0.2


def test_photos_of_overlapping_classes_are_not_called_wrong() -> None:
    features, labels = clusters(1, 60, blur=8.0)  # a third of the answers are wrong
    assert len(suspects_of(features, labels)) <= 1


def test_copies_with_one_wrong_label_do_not_vouch_for_each_other() -> None:
    features, labels = clusters(6, 40)
    copies = np.arange(8)
    features[copies] = features[0]
    labels[copies] = 1
    tied = [b"copy" if row in copies else str(row).encode() for row in range(len(labels))]
    assert {s.row for s in suspects_of(features, labels, tied)} == set(copies.tolist())


@pytest.mark.parametrize("photos", [1, 2])
def test_a_class_of_few_photos_is_not_judged_without_an_example(photos: int) -> None:
    features, labels = clusters(7, 30)
    labels[:photos] = 3
    tied = [b"one" if row < photos else str(row).encode() for row in range(len(labels))]
    assert all(suspect.row >= photos for suspect in suspects_of(features, labels, tied))


@pytest.mark.parametrize(("photos", "classes"), [(1, 1), (9, 1), (1, 2), (2, 3)])
def test_the_least_photos_end_without_a_suspect(photos: int, classes: int) -> None:
    assert suspects_of(*clusters(0, photos, classes=classes)) == []


@pytest.mark.parametrize(
    ("chances", "sentence"),
    [
        ([1.0], "about 100 % should be wrong (1 of 1)"),
        ([0.5] * 4, "about 50 % should be wrong (0 to 4 of 4)"),
        ([0.9] * 100, "about 90 % should be wrong (84 to 96 of 100)"),
    ],
)
def test_the_expected_share_is_said_with_its_interval(chances: list[float], sentence: str) -> None:
    assert plain(expected_errors(chances)) == sentence
