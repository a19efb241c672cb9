"""What a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.metrics import Metrics
from retrain.training.curve import CurvePoint


@dataclass(frozen=True)
class JudgedPhotos:
    """The n test photos: `paths` relative to the image folder, true classes `truth` (n,), and
    `probabilities` (n, C), rows summing to 1."""

    paths: Sequence[str]
    truth: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """All that a page is made of; a section whose value is missing is left out.

    `facts`: (name, value) of the run, in the order shown. `labels`: the C class names. `metrics`:
    those of `photos`, whose probabilities are the calibrated ones; `uncalibrated`: the same before
    calibration by `temperature`. `image_dir`: the folder that the paths of `photos` and `audit`
    are relative to. `maps`: the class-activation map (h, w) of the answer for some of `photos`, by
    path. `counts`: (C, 3) photos by class and set (images.split.SETS). `outputs`: (what,
    path) of the files written.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    labels: Sequence[str]
    metrics: Metrics
    photos: JudgedPhotos
    image_dir: str
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    counts: np.ndarray | None = None
    uncalibrated: Metrics | None = None
    temperature: float | None = None
    training: Sequence[CurvePoint] = ()
    learning_curve: LearningCurve | None = None
    audit: Audit | None = None
    outputs: Sequence[tuple[str, str]] = ()

    def full_path(self, path: str) -> str:
        return f"{self.image_dir}/{path}"
