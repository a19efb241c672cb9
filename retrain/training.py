"""The main job: an image tree in, a frozen graph and its labels out."""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from retrain.assessment import assess, calibrate
from retrain.auditing import audit_of
from retrain.comparing import compare_with
from retrain.config import TrainSettings
from retrain.errors import RetrainError, UsageFault
from retrain.evaluation.evaluate import Evaluation
from retrain.evaluation.tensorboard.projector import write_projector
from retrain.evaluation.tensorboard.summaries import write_test_summaries
from retrain.export.frozen_graph import check_final_tensor_name
from retrain.export.onnx_graph import check_onnx_outputs
from retrain.export.parity import Parity, check_parity
from retrain.export.saved_model import check_saved_model_dir, write_saved_model
from retrain.exporter import Exporter
from retrain.files import check_file_can_be_written, check_folder_can_be_written
from retrain.findings import aside_csv
from retrain.finetuning.tunable import check_can_be_tuned
from retrain.gates import check_recall_labels
from retrain.heads.head import Head
from retrain.heads.summaries import new_run_folder
from retrain.images.labels import labels_of
from retrain.images.split import SETS, TEST, TRAIN, check_percentages
from retrain.label.describe import describe_graph
from retrain.modules.local import source_of
from retrain.networks import (
    CNN_FOLDER,
    TUNING_FOLDER,
    fine_tuned,
    from_scratch,
    with_hidden_layer,
)
from retrain.onnx_graphs import SUFFIX as ONNX
from retrain.preparation import Dataset, prepare
from retrain.progress import Talk
from retrain.records import (
    EVALUATION,
    PREDICTIONS,
    calibration_facts,
    write_evaluation,
    write_predictions,
)
from retrain.reporting import report_run
from retrain.result import TrainResult
from retrain.run_record import NAME as RUN_RECORD
from retrain.run_record import write_run_record
from retrain.solving import train_on

PARITY_PHOTOS = 16


def train(
    settings: TrainSettings, talk: Talk, sources: Mapping[str, str] | None = None
) -> TrainResult:
    """Runs the whole job and writes its outputs. Raises RetrainError.

    `sources`: where each setting came from, for `run.json`.
    """
    _check(settings)
    outputs = [settings.intermediate_output_graphs_dir, settings.features_folder,
               settings.modules_folder, settings.beside(TUNING_FOLDER),
               settings.beside(CNN_FOLDER)]  # fmt: skip
    outputs += [p for p in (settings.summaries_dir, settings.saved_model_dir) if p is not None]
    with TemporaryDirectory(prefix="retrain-") as scratch:
        return _train(settings, outputs, Path(scratch), sources or {}, talk)


def _train(
    settings: TrainSettings,
    outputs: list[Path],
    scratch: Path,
    sources: Mapping[str, str],
    talk: Talk,
) -> TrainResult:
    """`scratch`: for a backbone that is trained here and lives on in the exported graph only."""
    laps = _Laps()
    summaries = new_run_folder(settings.summaries_dir) if settings.summaries_dir else None
    tuning = None
    if settings.from_scratch:
        dataset, head, curve = from_scratch(settings, outputs, summaries, scratch, talk)
        audited = None
        labels = labels_of(dataset.index.classes, settings.legacy_labels)
        check_recall_labels(settings.assert_recall, labels)
    else:
        dataset = audited = prepare(settings, outputs, talk)
        labels = labels_of(dataset.index.classes, settings.legacy_labels)
        check_recall_labels(settings.assert_recall, labels)
        laps.end("features")
        if settings.fine_tune is not None:
            check_can_be_tuned(source_of(dataset.backbone))
        if settings.hidden_units:
            dataset, head, curve = with_hidden_layer(
                settings, dataset, len(labels), summaries, scratch, talk
            )
        else:
            steps = Exporter(settings, dataset, labels)  # writes graphs on the way
            head, curve = train_on(settings, dataset, steps, summaries, talk)
        if settings.fine_tune is not None:
            laps.end("head")
            dataset, head, tuning = fine_tuned(settings, dataset, head, talk)
            if tuning is not None:
                talk.result(tuning.sentence())
    laps.end("training")
    exporter = Exporter(settings, dataset, labels)
    calibration = calibrate(settings, dataset, head, talk)
    assessment = assess(settings, dataset, labels, head, calibration, talk)
    content = exporter.write_final(calibration, assessment)
    if settings.saved_model_dir:
        manifest = exporter.manifest((calibration, assessment))
        write_saved_model(content, manifest, settings.saved_model_dir)
    parity = _check_export(settings, dataset, calibration.head, assessment.evaluation, talk)
    laps.end("test and export")
    # Features that were trained on these labels would find nothing wrong with them.
    audit = audit_of(settings, audited, outputs, talk)
    laps.end("audit")
    comparison = None
    if settings.compare_with is not None:
        comparison = compare_with(settings.compare_with, dataset, labels, assessment, talk)
        if comparison is not None:
            talk.result(comparison.sentence())
    result = TrainResult(
        head=head,
        labels=labels,
        dataset=dataset,
        calibration=calibration,
        assessment=assessment,
        parity=parity,
        curve=tuple(curve),
        audit=audit,
        comparison=comparison,
        tuning=tuning,
        summaries=summaries,
        seconds=tuple(laps.seconds),
    )
    write_run_record(settings, sources, result)
    _write_records(settings, result, talk)
    return result


class _Laps:
    """How long the parts of a run took."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []
        self._start = time.monotonic()

    def end(self, what: str) -> None:
        now = time.monotonic()
        self.seconds.append((what, now - self._start))
        self._start = now


def _write_records(settings: TrainSettings, result: TrainResult, talk: Talk) -> None:
    """What people and programs look at: figures, predictions, TensorBoard's pictures, the page."""
    write_evaluation(
        settings.beside(EVALUATION),
        result.assessment.metrics,
        result.labels,
        calibration_facts(result.assessment, result.calibration),
    )
    write_predictions(
        settings.beside(PREDICTIONS), result.dataset, result.labels, result.calibration
    )
    dataset, evaluation = result.dataset, result.assessment.evaluation
    if result.summaries is not None:
        photos = [dataset.index.photos[row] for row in evaluation.rows.tolist()]
        write_test_summaries(
            result.summaries,
            settings.how_many_training_steps,
            result.assessment.metrics,
            evaluation.probabilities,
            evaluation.truth,
            [dataset.index.full_path(photo) for photo in photos],
            talk,
        )
        if settings.tensorboard_projector:
            sets = dataset.split.sets
            write_projector(
                result.summaries, dataset.features, dataset.index, result.labels, sets, talk
            )
    if settings.page is not None:
        report_run(settings, result, settings.page, talk)


def _check(settings: TrainSettings) -> None:
    """Everything that can be known before the work starts."""
    settings.check_numbers()
    check_percentages(settings.testing_percentage, settings.validation_percentage)
    check_final_tensor_name(settings.final_tensor_name)
    if settings.tfhub_module.lower().endswith(ONNX):
        check_onnx_outputs(settings.tfhub_module, settings.output_graph, settings.saved_model_dir)
    check_file_can_be_written(settings.output_graph, "--output_graph")
    check_file_can_be_written(settings.output_labels, "--output_labels")
    beside = [settings.beside(name) for name in (EVALUATION, PREDICTIONS, RUN_RECORD)]
    for path in (aside_csv(settings), *beside):
        check_file_can_be_written(path, "--output_graph")
    if settings.page is not None:
        check_file_can_be_written(settings.page, "--report")
    check_folder_can_be_written(settings.features_folder, "--bottleneck_dir")
    if settings.compare_with is not None:
        describe_graph(settings.compare_with)
    if settings.saved_model_dir:
        check_saved_model_dir(settings.saved_model_dir)
    if settings.intermediate_store_frequency:
        check_folder_can_be_written(
            settings.intermediate_output_graphs_dir, "--intermediate_output_graphs_dir"
        )
    if settings.checkpoint_path:
        check_file_can_be_written(settings.checkpoint_path, "--checkpoint_path")
    if settings.summaries_dir:
        check_folder_can_be_written(settings.summaries_dir, "--summaries_dir")
    elif settings.tensorboard_projector:
        raise UsageFault("--tensorboard_projector needs a --summaries_dir to write into")


def _check_export(
    settings: TrainSettings, dataset: Dataset, head: Head, evaluation: Evaluation, talk: Talk
) -> Parity:
    """Scores photos through the written file. Test photos, or training photos if there are none."""
    which = TEST if evaluation.count else TRAIN
    tested = np.unique(evaluation.rows) if evaluation.count else dataset.split.rows(TRAIN)
    spread = np.linspace(0, len(tested) - 1, min(PARITY_PHOTOS, len(tested))).astype(int)
    rows = tested[spread]
    pixels = [dataset.read_pixels(row) for row in rows.tolist()]
    expected = head.probabilities(dataset.features.take(rows))
    parity = check_parity(settings.output_graph, pixels, expected)
    said = (
        f"{parity.agree} of {parity.photos} {SETS[which]} photos, read through "
        f"{settings.output_graph.name} itself, get the same answer "
        f"(largest difference of a score: {parity.largest_gap:.1e})"
    )
    if not parity.holds(settings.precision):
        raise RetrainError(
            f"{settings.output_graph.absolute()} does not say what was trained: only {said}; "
            "do not use it, and run again with --engine tensorflow"
        )
    talk.info(f"Checked: {said}")
    return parity
