"""What a run made."""

from dataclasses import dataclass
from pathlib import Path

from retrain.commands.strategies import Tuning
from retrain.config import TrainConfig
from retrain.data.summary import ASIDE_CSV
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.comparison import Comparison
from retrain.export.export import Export
from retrain.export.parity import Parity
from retrain.features.dataset import Dataset
from retrain.reporting.records import EVALUATION, PREDICTIONS
from retrain.training.curve import CurvePoint
from retrain.training.head import Head


@dataclass(frozen=True)
class TrainResult:
    """`head` as trained; `calibration` holds the one that was exported.

    `curve`: the evaluated steps. `tuning`: with --fine_tune; `comparison`: with --compare_with;
    `exports`: what was exported besides the frozen graph, for which `parity` speaks.
    `audit`: None without a report and without --max_leaks.
    `summaries`: the folder of the TensorBoard logs, if any. `seconds`: (what, how long).
    """

    head: Head
    labels: tuple[str, ...]
    dataset: Dataset
    calibration: Calibration
    assessment: Assessment
    parity: Parity
    exports: tuple[Export, ...]
    curve: tuple[CurvePoint, ...]
    audit: Audit | None
    comparison: Comparison | None
    tuning: Tuning | None
    summaries: Path | None
    seconds: tuple[tuple[str, float], ...]


def files_written(config: TrainConfig, result: TrainResult) -> list[tuple[str, str]]:
    """What a run writes, and its absolute path; the graph comes last."""
    places = [
        ("TensorBoard logs", result.summaries),
        *((export.kind, export.path) for export in result.exports),
        ("Predictions", config.graph.beside(PREDICTIONS)),
        ("Evaluation", config.graph.beside(EVALUATION)),
        ("Settings", config.graph.beside("run.json")),
        ("Report", config.page),
        ("Labels", config.graph.output_labels),
        ("Graph", config.graph.output_graph),
    ]
    found = [(name, str(path.absolute())) for name, path in places if path is not None]
    aside = result.dataset.index.aside
    listed = config.graph.beside(ASIDE_CSV).absolute()
    return [("Set aside", f"{listed} ({len(aside)})")][: len(aside)] + found
