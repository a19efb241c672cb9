"""A made-up run with everything that its page can show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.balance import balance
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.calibration import Trial
from retrain.evaluation.comparison import ComparedPhoto, Comparison
from retrain.evaluation.intervals import paired_difference
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.metrics import compute_metrics
from retrain.evaluation.next_steps import Step
from retrain.evaluation.verdict import judge
from retrain.reporting.html import page
from retrain.reporting.html.facts import ReportInputs, ScoredPhotos
from retrain.training.curve import CurvePoint
from retrain.utils.numerics import softmax


def draw(path: Path, seed: int) -> None:
    """A small picture with shapes of its own."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((200, 160), Image.Resampling.BICUBIC).save(path, quality=80)


def inputs_of(
    root: Path, classes: int, count: int = 200, labels: Sequence[str] = (), **changes: object
) -> ReportInputs:
    """A made-up run with everything a page can show; `count` test photos share 20 pictures."""
    rng = np.random.default_rng(classes)
    labels = labels or [f"class {number}" for number in range(classes)]
    for number in range(20):
        if not (root / f"{number}.jpg").exists():
            draw(root / f"{number}.jpg", number)
    truth = np.sort(rng.integers(classes, size=count))
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), (truth + (rng.random(count) < 0.15)) % classes] += 4
    probabilities = softmax(logits)
    curve = LearningCurve(
        photos=np.outer([5, 10, 20, 40], np.ones(classes, np.int64)),
        truth=truth,
        answers=np.where(
            rng.random((4, count)) < np.array([[0.5], [0.6], [0.7], [0.9]]),
            truth,
            (truth + 1) % classes,
        ),
    )
    findings = [
        Finding("exact_duplicate", "error", "a leak: in train and in test", "1.jpg", labels[0],
                "train", "2.jpg", labels[0], "test", score=1.0),
        Finding("near_duplicate", "note", f"both {labels[0]!r}, both in train", "3.jpg", labels[0],
                "train", "4.jpg", labels[0], "train", score=0.9),
        Finding("suspected_label", "warning", "worth a look", "5.jpg", labels[0], "train",
                suggested=labels[1], score=0.8, exclude=True),
        Finding("broken", "warning", "the file is empty", "gone.jpg"),
    ]  # fmt: skip
    counts = rng.integers(8, 120, (classes, 3))
    metrics = compute_metrics(probabilities, truth, labels, rng=np.random.default_rng(0))
    steps = (Step("Check the labels of 1 photo", "retrain audit --image_dir flowers", "labels"),)
    use = Step("Use it", "label-image --graph output_graph.pb PHOTO")
    values: dict[str, object] = dict(
        title="Flowers, retrained",
        facts=[("Command", "retrain --image_dir flowers"), ("Seed", "0")],
        labels=labels,
        metrics=metrics,
        verdict=judge(metrics, steps, use),
        photos=ScoredPhotos([f"{row % 20}.jpg" for row in range(count)], truth, probabilities),
        image_dir=str(root),
        maps={f"{number}.jpg": rng.normal(size=(7, 7)).astype(np.float32) for number in range(15)},
        counts=counts,
        uncalibrated=compute_metrics(
            softmax(logits * 2), truth, labels, rng=np.random.default_rng(0)
        ),
        calibration=Trial(2.0, 40, (0.9, 0.7), (0.1, 0.02), (1.8, 2.2)),
        training=[
            CurvePoint(s, 1 - 1 / (s + 2), 2 / (s + 1), 1 - 2 / (s + 4), 3 / (s + 2))
            for s in range(0, 500, 10)
        ],
        learning_curve=curve,
        audit=Audit(count, tuple(labels), balance(labels, counts.sum(axis=1)), tuple(findings)),
        outputs=[("Graph", "/tmp/output_graph.pb")],
        comparison=compared(labels, truth, probabilities.argmax(axis=1)),
    )
    return ReportInputs(**{**values, **changes})  # type: ignore[arg-type]


def compared(labels: Sequence[str], truth: np.ndarray, answers: np.ndarray) -> Comparison:
    """With an earlier graph that always says the first class."""
    photos = [
        ComparedPhoto(f"{row % 20}.jpg", labels[real], labels[answer], labels[0])
        for row, (real, answer) in enumerate(zip(truth.tolist(), answers.tolist(), strict=True))
    ]
    new, earlier = truth == answers, truth == 0
    return Comparison(
        Path("/tmp/earlier.pb"), len(truth), float(new.mean()), float(earlier.mean()),
        paired_difference(new, earlier), tuple(photos),
    )  # fmt: skip


def page_of(inputs: ReportInputs, folder: Path) -> str:
    page.write_report(inputs, folder / "report.html", np.random.default_rng(0))
    return (folder / "report.html").read_text(encoding="utf-8")
