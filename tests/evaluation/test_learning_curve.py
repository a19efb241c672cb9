"""Would more photos help: heads of the run's own settings, on the same folds, one answer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY, age, write_colour_tree

from retrain.config import TrainConfig
from retrain.data.config import DataConfig
from retrain.data.decoding.augment import distortions_of
from retrain.evaluation.cross_validation import cross_validate, turns
from retrain.evaluation.learning_curve import (
    USED,
    LearningCurve,
    advice,
    growing_classes,
    heads_of_curve,
    learning_curve,
    overall_advice,
)
from retrain.features.config import ExtractConfig
from retrain.features.dataset import Dataset, prepare
from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head
from retrain.training.solver import train_again, train_on


@pytest.mark.parametrize("used", [1, 2, 3, 4, None])
@pytest.mark.parametrize("folds", [2, 5])
def test_each_fold_is_judged_once_by_a_head_that_never_saw_it(folds: int, used: int | None) -> None:
    found = turns(list(range(folds)), used)
    assert sorted(fold for _, judged in found for fold in judged) == list(range(folds))
    for training, judged in found:
        assert not set(training) & set(judged)
        assert len(training) == min(used or folds, folds - 1)


def test_the_whole_curve_takes_nine_heads() -> None:
    assert [len(turns(list(range(5)), used)) for used in USED] == [2, 2, 5]
    assert heads_of_curve() == 9


def test_the_parts_double_and_the_last_point_is_plain_cross_validation() -> None:
    labels = np.repeat(np.arange(3), (100, 25, 10))
    features = FeatureMatrix.of(np.eye(3, dtype=np.float32)[labels])
    sizes = []

    def train(rows: np.ndarray) -> Head:
        sizes.append(len(rows))
        seen = np.array([1, 1 if len(rows) > 50 else 0, 1])
        return Head(np.diag(seen).astype(np.float32), np.array([0.5, 0, 0], np.float32))

    groups = [str(row) for row in range(len(labels))]
    curve = learning_curve(features, labels, groups, train=train, seed=0)
    assert curve is not None
    assert sizes == [27] * 2 + [54] * 2 + [108] * 5
    assert curve.photos.tolist() == [[20, 5, 2], [40, 10, 4], [80, 20, 8]]
    assert [curve.accuracy(part)[0] for part in range(3)] == [110 / 135, 1.0, 1.0]
    last = cross_validate(features, labels, np.arange(135) % 5, train=train) == labels
    assert (curve.by_folds.right, curve.by_folds.count) == (int(last.sum()), 135)


def test_photos_that_belong_together_share_a_fold_and_too_few_groups_give_no_curve() -> None:
    labels = np.repeat(np.arange(2), 20)
    features = FeatureMatrix.of(np.eye(2, dtype=np.float32)[labels])
    groups = [str(row // 4) for row in range(40)]

    def train(rows: np.ndarray) -> Head:
        assert {groups[row] for row in rows}.isdisjoint(
            {groups[row] for row in np.setdiff1d(np.arange(40), rows)}
        )
        return Head(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))

    assert learning_curve(features, labels, groups, train=train, seed=0) is not None
    few = [str(row // 10) for row in range(40)]
    assert learning_curve(features, labels, few, train=train, seed=0) is None


def curve_of(count: int, *right: int) -> LearningCurve:
    """A curve of one class: with each part the first so many of `count` photos are right."""
    wrong = np.arange(count) >= np.array(right)[:, None]
    return LearningCurve(np.array([[20], [40], [80]]), np.zeros(count, np.int64), wrong.astype(int))


@pytest.mark.parametrize(
    ("count", "right", "verdict"),
    [
        (100, (75, 84, 92), "yes"),
        (60, (45, 50, 55), "yes"),
        (100, (50, 60, 90), "yes"),
        (100, (90, 90, 90), "no"),
        (100, (80, 90, 60), "no"),
        (5000, (4490, 4500, 4520), "no"),  # certain, and too little
        (30, (28, 30, 30), "no"),
        (20, (15, 15, 17), "unclear"),
        (8, (1, 1, 8), "too few"),
        (0, (0, 0, 0), "too few"),
    ],
)
def test_the_answer_for_all_and_for_a_class(
    count: int, right: tuple[int, int, int], verdict: str
) -> None:
    curve = curve_of(count, *right)
    (answer,) = advice(curve, ["daisy"])
    assert (answer.label, answer.verdict) == ("daisy", verdict)
    assert overall_advice(curve).verdict == verdict
    if verdict in ("yes", "unclear"):
        assert all(f"with {photos}" in answer.sentence for photos in (20, 40, 80))
        assert growing_classes(curve, ["daisy"]) == (["daisy"] if verdict == "yes" else [])


def dataset_of(folder: Path, session_cache: Path, config: TrainConfig) -> Dataset:
    write_colour_tree(folder / "photos", 12)
    age(folder / "photos")
    extract = ExtractConfig(tfhub_module=TINY, bottleneck_dir=session_cache / "bottlenecks")
    return prepare(
        DataConfig(str(folder / "photos")),
        extract,
        [],
        aside_csv=folder / "aside.csv",
        distortions=distortions_of(config.augment, config.batches.seed),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"how_many_training_steps": 30},
        {"how_many_training_steps": 30, "solver": "adam", "learning_rate_schedule": "cosine"},
        {"solver": "lbfgs", "l2": "0.01"},
        {"how_many_training_steps": 30, "flip_left_right": True},
    ],
    ids=str,
)
def test_heads_of_folds_are_the_runs_own(
    settings: dict[str, object], tmp_path: Path, session_cache: Path
) -> None:
    """On the training photos the same head comes out, to the bit."""
    config = TrainConfig.from_flat(image_dir=str(tmp_path / "photos"), **settings)
    dataset = dataset_of(tmp_path, session_cache, config)
    head, _ = train_on(config.head, config.batches, dataset, classes=3)
    photos = dataset.split.rows(0)
    again = train_again(config.head, config.batches, dataset, photos=photos, classes=3)
    np.testing.assert_array_equal(head.weights, again.weights)
    np.testing.assert_array_equal(head.biases, again.biases)
    fewer = train_again(config.head, config.batches, dataset, photos=photos[:-5], classes=3)
    assert not np.array_equal(head.weights, fewer.weights)


@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_settings_that_need_validation_photos_take_some_of_the_folds(
    settings: dict[str, object], tmp_path: Path, session_cache: Path
) -> None:
    config = TrainConfig.from_flat(
        image_dir=str(tmp_path / "photos"), how_many_training_steps=30, **settings
    )
    dataset = dataset_of(tmp_path, session_cache, config)
    photos = np.arange(0, 36, 2)
    head = train_again(config.head, config.batches, dataset, photos=photos, classes=3)
    assert np.isfinite(head.weights).all()


@pytest.mark.slow  # a whole run with its page
def test_a_run_says_the_folds_everywhere_and_keeps_them(
    tmp_path: Path, session_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrain.commands import folds
    from retrain.commands.train import train

    write_colour_tree(tmp_path / "photos", 12)
    age(tmp_path / "photos")
    config = TrainConfig.from_flat(
        image_dir=str(tmp_path / "photos"),
        tfhub_module=TINY,
        bottleneck_dir=session_cache / "bottlenecks",
        how_many_training_steps=20,
        output_graph=tmp_path / "output_graph.pb",
        output_labels=tmp_path / "output_labels.txt",
        summaries_dir=None,
    )
    result = train(config)
    assert result.folds is not None and result.folds.by_folds.count == 36
    told = json.loads((tmp_path / "evaluation.json").read_text())["folds"]
    assert told["count"] == 36 and told["accuracy"] == result.folds.by_folds.share
    assert told["learning_curve"][-1]["accuracy"] == told["accuracy"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "of all 36 photos, each judged by a head that never saw it" in page
    assert f"of the {result.assessment.metrics.count} test photos" in page

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("heads were trained again")

    monkeypatch.setattr(folds, "train_again", fail)
    kept = folds.curve_of(config, result.dataset)
    assert kept is not None
    np.testing.assert_array_equal(kept.right, result.folds.right)
    np.testing.assert_array_equal(kept.photos, result.folds.photos)
    other = replace(config, head=replace(config.head, label_smoothing=0.1))
    with pytest.raises(AssertionError, match="trained again"):
        folds.curve_of(other, result.dataset)
