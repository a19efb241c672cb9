"""What a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.calibration import Trial
from retrain.evaluation.comparison import Comparison
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.metrics import Metrics
from retrain.evaluation.verdict import Verdict
from retrain.training.curve import CurvePoint


@dataclass(frozen=True)
class ScoredPhotos:
    """The n test photos.

    Attributes:
        paths: Relative to the image folder.
        truth: (n,) true classes.
        probabilities: (n, C), rows summing to 1.
    """

    paths: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """All that a page is made of; a section whose value is missing is left out.

    Attributes:
        title: Of the page.
        facts: (name, value) of the run, in the order shown.
        labels: The C class names.
        metrics: Of `photos`.
        verdict: What they mean.
        photos: With calibrated probabilities.
        image_dir: The folder that the paths of `photos` and `audit` are relative to.
        maps: The class-activation map (h, w) of the answer for some of `photos`, by path.
        counts: (C, 3) photos by class and set (split.SETS).
        uncalibrated: Metrics before calibration, where there is one.
        calibration: What a temperature does on folds of the validation photos.
        training: The evaluated steps.
        learning_curve: Of parts of the training photos.
        audit: Of the photos.
        unseen: What the accuracy is without the test photos that are seen in training.
        outputs: (what, path) of the files written.
        comparison: With an earlier graph, on the same photos.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    labels: Sequence[str]
    metrics: Metrics
    verdict: Verdict
    photos: ScoredPhotos
    image_dir: str
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: np.ndarray | None = None
    uncalibrated: Metrics | None = None
    calibration: Trial | None = None
    training: Sequence[CurvePoint] = ()
    learning_curve: LearningCurve | None = None
    audit: Audit | None = None
    unseen: str = ""
    outputs: Sequence[tuple[str, str]] = ()
    comparison: Comparison | None = None

    def full_path(self, path: str) -> str:
        """Return where a photo lies."""
        return f"{self.image_dir}/{path}"
