"""The result of a run."""

from dataclasses import dataclass
from pathlib import Path

from retrain.artifacts.photo_record import NAME as RECORD
from retrain.commands.strategies import Tuning
from retrain.config import TrainConfig
from retrain.errors import RetrainError
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.unseen import accuracy_of_unseen
from retrain.evaluation.comparison import Comparison
from retrain.evaluation.learning_curve import LearningCurve
from retrain.evaluation.verdict import tally_of
from retrain.export.export import Export
from retrain.export.parity import Parity
from retrain.features.dataset import Dataset
from retrain.reporting.html.matrix_picture import matrix_places
from retrain.reporting.notebook import verdict_html
from retrain.reporting.records import AUDIT_CSV, EVALUATION, PREDICTIONS
from retrain.training.curve import CurvePoint
from retrain.training.head import Head
from retrain.utils.text import plain


@dataclass(frozen=True, repr=False)
class TrainResult:
    """What a run made.

    Attributes:
        head: As trained.
        labels: In class order.
        dataset: The photos' features, classes and sets.
        calibration: The head that was exported.
        assessment: The final test.
        parity: Of the frozen graph and the head.
        exports: Besides the frozen graph.
        curve: The evaluated steps.
        folds: The learning curve by folds; None without a report, and where it would take long.
        audit: None without a report and without --max_leaks.
        comparison: With --compare_with.
        tuning: With --fine_tune.
        summaries: The folder of the TensorBoard logs, if any.
        seconds: (what, how long).
        places: The settings, with the names that the files have: others after a missed gate.
        aside_csv: Lists the files that could not be used; made before anything is judged.
        fault: What the command ends with, if a gate was missed.
    """

    head: Head
    labels: tuple[str, ...]
    dataset: Dataset
    calibration: Calibration
    assessment: Assessment
    parity: Parity
    exports: tuple[Export, ...]
    curve: tuple[CurvePoint, ...]
    folds: LearningCurve | None
    audit: Audit | None
    comparison: Comparison | None
    tuning: Tuning | None
    summaries: Path | None
    seconds: tuple[tuple[str, float], ...]
    places: TrainConfig
    aside_csv: Path
    fault: RetrainError | None

    @property
    def unseen(self) -> str:
        """The accuracy without test photos that training photos show, in words; "" if none does."""
        if self.audit is None:
            return ""
        evaluation, photos = self.assessment.evaluation, self.dataset.index.photos
        paths = [photos[row].path for row in evaluation.rows.tolist()]
        return accuracy_of_unseen(self.audit, evaluation, paths)

    def __repr__(self) -> str:
        said = tally_of(self.assessment.metrics).sentence()
        return plain(f"<trained {self.places.graph.output_graph}: {said}>")

    def _repr_html_(self) -> str:
        from retrain.commands.verdict import verdict_of_run  # which needs this class

        verdict = verdict_of_run(self.places, self)
        return verdict_html(verdict, self.assessment.metrics, page=self.places.page)


def files_written(config: TrainConfig, result: TrainResult) -> list[tuple[str, str]]:
    """List what a run writes, with its absolute path; the graph comes last."""
    tested = result.assessment.metrics.count > 0
    matrices = matrix_places(config.page) if config.page is not None and tested else []
    places = [
        ("TensorBoard logs", result.summaries),
        *((export.kind, export.path) for export in result.exports),
        ("Audit", config.graph.beside(AUDIT_CSV) if result.audit is not None else None),
        ("Digests", config.graph.beside(RECORD)),
        ("Predictions", config.graph.beside(PREDICTIONS)),
        ("Evaluation", config.graph.beside(EVALUATION)),
        ("Settings", config.graph.beside("run.json")),
        *(("Matrix", place) for place in matrices),
        ("Report", config.page),
        ("Labels", config.graph.output_labels),
        ("Graph", config.graph.output_graph),
    ]
    found = [(name, str(path.absolute())) for name, path in places if path is not None]
    aside = result.dataset.index.aside
    listed = result.aside_csv.absolute()
    return [("Set aside", f"{listed} ({len(aside)})")][: len(aside)] + found
