"""The solver that reaches the optimum, and its choice of a penalty. scikit-learn is the judge."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from retrain.errors import RetrainError
from retrain.features import matrix as matrix_module
from retrain.features.matrix import FeatureMatrix
from retrain.training import lbfgs
from retrain.training.head import Head
from retrain.training.l2_search import PATIENCE, STRENGTHS, UNCHECKED_STRENGTH, search_l2
from retrain.training.lbfgs import Objective, solve
from retrain.training.loss import SoftmaxLoss, class_weights


@dataclass
class Photos:
    """All of them are for training where nothing else is said."""

    features: np.ndarray
    labels: np.ndarray
    classes: int

    @property
    def rows(self) -> np.ndarray:
        return np.arange(len(self.labels))

    @property
    def matrix(self) -> FeatureMatrix:
        return FeatureMatrix(
            [self.features], np.zeros_like(self.rows), self.rows, width=self.features.shape[1]
        )

    def solve(
        self,
        l2: float,
        weighting: str = "none",
        start: Head | None = None,
        rows: np.ndarray | None = None,
    ) -> Head:
        rows = self.rows if rows is None else rows
        weights = class_weights(self.labels[rows], self.classes, weighting)
        return solve(self.matrix, self.labels, rows, loss=SoftmaxLoss(weights), l2=l2, start=start)

    def objective(self, head: Head, l2: float, weighting: str = "none") -> float:
        """In float64, by its definition."""
        logits = self.features.astype(np.float64) @ head.weights + head.biases
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        losses = -logits[self.rows, self.labels]
        weights = class_weights(self.labels, self.classes, weighting)[self.labels]
        penalty = l2 / 2 * float((head.weights.astype(np.float64) ** 2).sum())
        return float(np.average(losses, weights=weights)) + penalty

    def judged(self, l2: float, weighting: str = "none") -> Head:
        """scikit-learn's head, in float64 and to a tolerance far below its default. Newton's method
        gets there whatever the features' unit."""
        factor = 2 if self.classes == 2 else 1
        model = LogisticRegression(
            C=factor / (l2 * len(self.labels)),
            class_weight="balanced" if weighting == "balanced" else None,
            solver="newton-cg",
            tol=1e-9,
            max_iter=1000,
        ).fit(self.features.astype(np.float64), self.labels)
        if self.classes == 2:
            halves = np.array([-0.5, 0.5])
            return Head(model.coef_.T * halves, model.intercept_ * halves)
        return Head(model.coef_.T, model.intercept_)


def photos(count: int = 240, classes: int = 4, width: int = 12, scale: float = 1.0) -> Photos:
    """Overlapping clusters of positive features, far from the origin for their size."""
    rng = np.random.default_rng(5)
    labels = (np.arange(count) % classes).astype(np.int32)
    centres = rng.normal(3, 0.7, (classes, width))
    features = np.maximum(centres[labels] + rng.normal(0, 1, (count, width)), 0)
    return Photos((scale * features).astype(np.float32), labels, classes)


def one_photo_of_a_class() -> Photos:
    few = photos(120, 3)
    keep = np.flatnonzero(few.labels != 2)[:80]
    keep = np.append(keep, np.flatnonzero(few.labels == 2)[0])
    return Photos(few.features[keep], few.labels[keep], 3)


def duplicates() -> Photos:
    some = photos(60, 3)
    return Photos(np.tile(some.features, (5, 1)), np.tile(some.labels, 5), 3)


def contradictions() -> Photos:
    """The same photo in two classes, and a feature that is always 0."""
    some = photos(60, 3)
    features = np.concatenate([some.features, some.features])
    features[:, 4] = 0
    return Photos(features, np.concatenate([some.labels, (some.labels + 1) % 3]), 3)


PROBLEMS = {
    "ordinary": photos(),
    "two classes": photos(classes=2),
    "one photo of a class": one_photo_of_a_class(),
    "duplicates": duplicates(),
    "contradictions": contradictions(),
    "more features than photos": photos(30, 3, 100),
    "many classes": photos(300, 30),
    "small units": photos(scale=1e-3),
    "large units": photos(scale=1e3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("weighting", ["none", "balanced"])
@pytest.mark.parametrize("strength", [1e4, 1.0, 1e-2, 1e-4])
def test_the_optimum_is_scikit_learns(name: str, weighting: str, strength: float) -> None:
    problem = PROBLEMS[name]
    l2 = strength * float(problem.features.var(axis=0).sum())
    found = problem.objective(problem.solve(l2, weighting), l2, weighting)
    wanted = problem.objective(problem.judged(l2, weighting), l2, weighting)
    assert found == pytest.approx(wanted, rel=1e-4)


def test_the_head_gives_scikit_learns_probabilities() -> None:
    problem = photos()
    ours = problem.solve(0.1).probabilities(problem.features)
    theirs = problem.judged(0.1).probabilities(problem.features)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_boundless_penalty_leaves_the_frequencies() -> None:
    problem = one_photo_of_a_class()
    head = problem.solve(1e9)
    frequencies = np.bincount(problem.labels) / len(problem.labels)
    assert np.abs(head.weights).max() < 1e-6
    np.testing.assert_allclose(head.probabilities(problem.features[:1])[0], frequencies, atol=1e-4)


def test_the_start_has_no_part_in_the_answer() -> None:
    problem = photos()
    l2 = 1e-2
    wanted = problem.objective(problem.judged(l2), l2)
    rng = np.random.default_rng(0)
    far = Head(rng.normal(0, 5, (12, 4)).astype(np.float32), np.ones(4, np.float32))
    for start in (problem.solve(1.0), problem.solve(1e-4), problem.solve(l2), far):
        assert problem.objective(problem.solve(l2, start=start), l2) == pytest.approx(
            wanted, rel=1e-4
        )


def test_a_near_start_saves_iterations() -> None:
    problem = photos()
    objective = Objective(
        problem.matrix, problem.labels, problem.rows, loss=SoftmaxLoss(np.ones(4, "f"))
    )

    def iterations(start: Head | None) -> int:
        seen: list[None] = []
        objective.minimise(1e-2, start, lambda: seen.append(None))
        return len(seen)

    assert iterations(problem.solve(2e-2)) < iterations(None)


def test_the_same_problem_gives_the_same_bits() -> None:
    problem = photos(600, 5, 300)
    first, second = problem.solve(1e-2), problem.solve(1e-2)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.biases.tobytes() == second.biases.tobytes()


def test_the_order_of_rows_does_not_matter() -> None:
    problem = photos()
    mixed = np.random.default_rng(1).permutation(problem.rows)
    assert np.array_equal(problem.solve(1e-2, rows=mixed).weights, problem.solve(1e-2).weights)


def test_only_the_given_rows_count() -> None:
    problem = photos()
    half = problem.rows[::2]
    alone = Photos(problem.features[half], problem.labels[half], 4)
    assert np.array_equal(problem.solve(1e-2, rows=half).weights, alone.solve(1e-2).weights)


def test_features_on_disk_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = photos()
    held = problem.solve(1e-2)
    np.save(tmp_path / "features.npy", problem.features)
    monkeypatch.setattr(matrix_module, "IN_MEMORY_BYTES", 0)
    problem.features = np.load(tmp_path / "features.npy", mmap_mode="r")
    assert isinstance(problem.features, np.memmap)
    assert np.array_equal(problem.solve(1e-2).weights, held.weights)


def test_small_blocks_reach_the_same_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = photos()
    whole = problem.solve(1e-2)
    monkeypatch.setattr(lbfgs, "BLOCK_BYTES", 7 * 4 * (12 + 4))
    assert (
        sum(1 for _ in lbfgs.blocks(problem.matrix, problem.labels, problem.rows, classes=4)) == 35
    )
    parts = problem.solve(1e-2)
    assert problem.objective(parts, 1e-2) == pytest.approx(problem.objective(whole, 1e-2), rel=1e-5)


def test_without_a_penalty_separable_photos_end_in_finite_weights() -> None:
    problem = photos(30, 3, 100)
    head = problem.solve(0.0)
    assert np.isfinite(head.weights).all()
    assert problem.objective(head, 0.0) < 1e-3


def test_a_class_without_photos_is_never_likely() -> None:
    problem = photos(120, 3)
    problem.classes = 4
    head = problem.solve(1e-2)
    assert head.probabilities(problem.features)[:, 3].max() < 1e-3


def test_label_smoothing_bounds_the_confidence() -> None:
    """A separable problem without a penalty: at the optimum each photo gets its target."""
    problem = photos(20, 4, 100)
    loss = SoftmaxLoss(np.ones(4, np.float32), 0.2)
    head = solve(problem.matrix, problem.labels, problem.rows, loss=loss, l2=1e-7)
    of_truth = head.probabilities(problem.features)[problem.rows, problem.labels]
    np.testing.assert_allclose(of_truth, 0.8 + 0.2 / 4, atol=5e-3)


def test_features_that_are_no_numbers_are_an_error_with_a_remedy() -> None:
    problem = photos()
    problem.features[7, 3] = np.nan
    with pytest.raises(RetrainError, match="not numbers"):
        problem.solve(1e-2)


def split() -> tuple[Photos, np.ndarray, np.ndarray]:
    """Noisy photos, so that neither the weakest nor the strongest penalty is the best."""
    problem = photos(300, 4, 60)
    noise = np.random.default_rng(2).normal(0, 1.5, problem.features.shape)
    problem.features = np.maximum(problem.features + noise, 0).astype(np.float32)
    return problem, problem.rows[:150], problem.rows[150:]


def test_the_sweep_takes_the_least_validation_loss() -> None:
    problem, train, validation = split()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    found = search_l2(problem.matrix, problem.labels, train, validation_rows=validation, loss=loss)
    best = min(found.tried, key=lambda one: one.loss)
    assert found.l2 == best.l2 and found.tried[0].l2 > found.l2 > found.tried[-1].l2
    seen = Photos(problem.features[validation], problem.labels[validation], 4)
    assert seen.objective(found.head, 0.0) == pytest.approx(best.loss, rel=1e-5)
    logits = found.head.logits(seen.features)
    assert best.accuracy == (logits.argmax(axis=1) == seen.labels).mean()


def test_the_sweep_gives_up_when_weaker_is_worse() -> None:
    problem, train, validation = split()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    found = search_l2(problem.matrix, problem.labels, train, validation_rows=validation, loss=loss)
    best = [one.l2 for one in found.tried].index(found.l2)
    assert len(found.tried) == best + 1 + PATIENCE < len(STRENGTHS)
    spread = Objective(problem.matrix, problem.labels, train, loss=loss).spread
    assert [one.l2 * 4 / spread for one in found.tried] == pytest.approx(
        STRENGTHS[: best + 1 + PATIENCE]
    )


def test_the_sweep_starts_each_strength_from_the_one_before() -> None:
    problem, train, validation = split()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    warm: list[None] = []
    found = search_l2(
        problem.matrix,
        problem.labels,
        train,
        validation_rows=validation,
        loss=loss,
        on_iteration=lambda: warm.append(None),
    )
    cold: list[None] = []
    for one in found.tried:
        solve(
            problem.matrix,
            problem.labels,
            train,
            loss=loss,
            l2=one.l2,
            start=None,
            on_iteration=lambda: cold.append(None),
        )
    assert len(warm) < 0.9 * len(cold)


def test_the_sweep_does_not_depend_on_the_features_unit() -> None:
    problem, train, validation = split()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    found = search_l2(problem.matrix, problem.labels, train, validation_rows=validation, loss=loss)
    problem.features *= 1024
    large = search_l2(problem.matrix, problem.labels, train, validation_rows=validation, loss=loss)
    assert large.l2 == pytest.approx(found.l2 * 1024**2, rel=1e-6)
    losses = [one.loss for one in found.tried]
    assert [one.loss for one in large.tried] == pytest.approx(losses, rel=1e-3)


def test_the_sweep_is_the_same_every_time() -> None:
    problem, train, validation = split()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    first, second = (
        search_l2(problem.matrix, problem.labels, train, validation_rows=validation, loss=loss)
        for _ in range(2)
    )
    assert first.tried == second.tried
    assert first.head.weights.tobytes() == second.head.weights.tobytes()


def test_of_equals_the_stronger_is_taken() -> None:
    """Features that say nothing: every penalty gives the same head."""
    rows = np.arange(40)
    problem = Photos(np.ones((40, 3), np.float32), (rows % 2).astype(np.int32), 2)
    loss = SoftmaxLoss(np.ones(2, np.float32))
    found = search_l2(
        problem.matrix, problem.labels, rows[:20], validation_rows=rows[20:], loss=loss
    )
    assert len({one.loss for one in found.tried}) == 1
    assert found.l2 == found.tried[0].l2


def test_without_validation_photos_the_sweep_takes_its_default() -> None:
    problem = photos()
    loss = SoftmaxLoss(np.ones(4, np.float32))
    found = search_l2(
        problem.matrix, problem.labels, problem.rows, validation_rows=problem.rows[:0], loss=loss
    )
    spread = float(problem.features.astype(np.float64).var(axis=0).sum())
    assert found.l2 == pytest.approx(UNCHECKED_STRENGTH * spread / 4, rel=1e-5)
    assert found.tried == ()
    assert np.array_equal(found.head.weights, problem.solve(found.l2).weights)


def test_the_sweeps_loss_is_weighted_by_class() -> None:
    problem, train, validation = split()
    weights = np.array([4, 1, 1, 0.5], np.float32)
    found = search_l2(
        problem.matrix, problem.labels, train, validation_rows=validation, loss=SoftmaxLoss(weights)
    )
    labels = problem.labels[validation]
    of_truth = found.head.probabilities(problem.features[validation])[np.arange(150), labels]
    wanted = np.average(-np.log(of_truth), weights=weights[labels])
    assert min(one.loss for one in found.tried) == pytest.approx(wanted, rel=1e-5)
