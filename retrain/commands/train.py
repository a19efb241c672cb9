"""The main job: an image tree in, a frozen graph and its labels out."""

import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from retrain.artifacts.photo_record import NAME as RECORD
from retrain.artifacts.photo_record import write_record
from retrain.artifacts.safety.verdict import unsafe_allowed
from retrain.backbones.sources.local import source_of
from retrain.commands.audit import audit_of, audit_wanted
from retrain.commands.folds import curve_of
from retrain.commands.graph_check import check_graph, photos_for_exports
from retrain.commands.graph_writer import Exporter
from retrain.commands.preflight import check_before, own_folders
from retrain.commands.release import compared, fault_of, missed_gates
from retrain.commands.replaced import say_replaced
from retrain.commands.report import report_run
from retrain.commands.result import TrainResult
from retrain.commands.run_record import RecordedPhotos, write_run_record
from retrain.commands.strategies import (
    fine_tuned,
    from_scratch,
    with_hidden_layer,
)
from retrain.config import TrainConfig
from retrain.data.class_names import labels_of
from retrain.data.decoding.augment import distortions_of
from retrain.data.summary import ASIDE_CSV
from retrain.evaluation.assessment import assess, calibrate
from retrain.evaluation.audit.listing import audit_counts, write_audit_csv
from retrain.evaluation.gates import check_recall_labels
from retrain.export.export import (
    all_agree,
    drafted_exports,
    publish_exports,
)
from retrain.features.dataset import Dataset, prepare
from retrain.reporting.records import (
    AUDIT_CSV,
    EVALUATION,
    PREDICTIONS,
    audit_facts,
    calibration_facts,
    fold_facts,
    write_evaluation,
    write_predictions,
)
from retrain.reporting.tensorboard.projector import write_projector
from retrain.reporting.tensorboard.summaries import write_test_summaries
from retrain.training.finetune.checks import check_can_be_tuned
from retrain.training.head import write_checkpoint
from retrain.training.solver import train_on
from retrain.training.tensorboard import new_run_folder
from retrain.utils.files import run_folder
from retrain.utils.logs import print_result

log = logging.getLogger(__name__)


def train(
    config: TrainConfig,
    sources: Mapping[str, str] | None = None,
    recorded: RecordedPhotos | None = None,
) -> TrainResult:
    """Run the whole job, write its outputs and return the result; raise RetrainError.

    `sources`: where each setting came from, for `run.json`. `recorded`: the photos of the run whose
    settings these are; a warning says if the photos are other ones now.
    """
    check_before(config)
    with (
        unsafe_allowed(allowed=config.extract.allow_unsafe_module, warn=log.warning),
        run_folder(beside=config.graph.output_graph) as scratch,
    ):
        outputs = own_folders(config)
        return _train(config, outputs, scratch, sources=sources or {}, recorded=recorded)


def _train(
    config: TrainConfig,
    outputs: list[Path],
    scratch: Path,
    *,
    sources: Mapping[str, str],
    recorded: RecordedPhotos | None,
) -> TrainResult:
    """Do the work of `train`.

    `scratch`: for a backbone that is trained here and lives on in the exported graph only.
    """
    laps = _Laps()
    data, network = config.data, config.network
    logs = config.report.summaries_dir
    summaries = new_run_folder(logs) if logs else None
    tuning, exporter = None, None
    if config.extract.from_scratch:
        dataset, head, curve = from_scratch(config, outputs, summaries, folder=scratch)
        audited = None
        labels = _labels_of(config, dataset, recorded)
    else:
        dataset = audited = prepare(
            data,
            config.extract,
            outputs,
            aside_csv=config.graph.beside(ASIDE_CSV),
            csv_safe=config.report.csv_safe,
            distortions=distortions_of(config.augment, config.batches.seed),
            looks=audit_wanted(config),
        )
        labels = _labels_of(config, dataset, recorded)
        laps.end("features")
        if network.fine_tune is not None:
            check_can_be_tuned(source_of(dataset.backbone))
        if config.head.hidden_units:
            dataset, head, curve = with_hidden_layer(
                config, dataset, len(labels), summaries=summaries, folder=scratch
            )
        else:
            exporter = Exporter(config, dataset, labels)  # writes graphs on the way
            head, curve = train_on(
                config.head,
                config.batches,
                dataset,
                classes=len(labels),
                on_step=exporter.after_step,
                summaries=summaries,
            )
            if config.snapshots.checkpoint_path:
                steps = curve[-1].step + 1 if curve else 0
                write_checkpoint(config.snapshots.checkpoint_path, head, steps)
        if network.fine_tune is not None:
            laps.end("head")
            dataset, head, tuning = fine_tuned(config, dataset, head)
            if tuning is not None:
                print_result(tuning.sentence())
    laps.end("training")
    if exporter is None or exporter.dataset is not dataset:  # the backbone was trained, too
        exporter = Exporter(config, dataset, labels)
    calibration = calibrate(config.evaluation, dataset, head, labels=labels)
    assessment = assess(config.batches, dataset, labels, head=head, calibration=calibration)
    judged = (calibration, assessment)
    with ExitStack() as drafts:  # nothing that stands is replaced before all is judged
        graph = drafts.enter_context(exporter.drafted(*judged))
        parity = check_graph(config, graph, dataset, judged=judged)
        laps.end("test and export")
        # Features trained on these labels would hide their mistakes.
        audit = audit_of(config, audited, outputs)
        laps.end("audit")
        folds = curve_of(config, dataset, audit) if config.page is not None else None
        laps.end("folds")
        comparison = compared(config, dataset, labels, assessment=assessment)
        faults = missed_gates(config, assessment, audit=audit, comparison=comparison)
        manifest = exporter.manifest(judged)
        others = drafts.enter_context(
            drafted_exports(
                config.exports,
                graph,
                manifest,
                photos=photos_for_exports(dataset, assessment.evaluation),
            )
        )
        if others:
            laps.end("other formats")
        places = config.rejected() if faults or not all_agree(others) else config
        exporter.publish(graph, places.graph)
        counts = None if audit is None else audit_counts(audit)
        exports = publish_exports(others, places.exports, manifest, audit=counts)
    result = TrainResult(
        head=head,
        labels=labels,
        dataset=dataset,
        calibration=calibration,
        assessment=assessment,
        parity=parity,
        exports=exports,
        curve=tuple(curve),
        folds=folds,
        audit=audit,
        comparison=comparison,
        tuning=tuning,
        summaries=summaries,
        seconds=tuple(laps.seconds),
        places=places,
        aside_csv=config.graph.beside(ASIDE_CSV),
        fault=fault_of(exports, faults, places),
    )
    write_run_record(config, sources, result)
    _write_records(places, result)
    return result


def _labels_of(
    config: TrainConfig, dataset: Dataset, recorded: RecordedPhotos | None
) -> tuple[str, ...]:
    """Return the labels of the photos, in class order; raise UsageFault for gates of others.

    Says if the photos differ from those of the run that is repeated, and what is replaced.
    """
    difference = recorded.difference(dataset) if recorded is not None else None
    if difference is not None:
        log.warning(difference)
    labels = labels_of(dataset.index.classes, legacy=config.data.legacy_labels)
    check_recall_labels(config.gates.assert_recall, labels)
    say_replaced(config.graph.output_graph, dataset, labels)
    return labels


class _Laps:
    """How long the parts of a run took."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []
        self._start = time.monotonic()

    def end(self, what: str) -> None:
        """Record the time of a part that ends now."""
        now = time.monotonic()
        self.seconds.append((what, now - self._start))
        self._start = now


def _write_records(config: TrainConfig, result: TrainResult) -> None:
    """Write what people and programs look at.

    That is: figures, predictions, TensorBoard's pictures, the page.
    """
    write_evaluation(
        config.graph.beside(EVALUATION),
        result.assessment.metrics,
        result.labels,
        more={
            **calibration_facts(result.assessment, result.calibration),
            **fold_facts(result.folds, result.labels),
            **audit_facts(result.audit),
            "data": result.dataset.digests,
            "missed": None if result.fault is None else str(result.fault),
        },
    )
    if result.audit is not None:
        write_audit_csv(
            result.audit, config.graph.beside(AUDIT_CSV), csv_safe=config.report.csv_safe
        )
    write_record(config.graph.beside(RECORD), result.dataset.keys, result.dataset.set_names())
    write_predictions(
        config.graph.beside(PREDICTIONS),
        result.dataset,
        result.labels,
        calibration=result.calibration,
        csv_safe=config.report.csv_safe,
    )
    dataset, evaluation = result.dataset, result.assessment.evaluation
    if result.summaries is not None:
        photos = [dataset.index.photos[row] for row in evaluation.rows.tolist()]
        write_test_summaries(
            result.summaries,
            config.head.how_many_training_steps,
            result.assessment.metrics,
            probabilities=evaluation.probabilities,
            truth=evaluation.truth,
            paths=[dataset.index.full_path(photo) for photo in photos],
        )
        if config.report.tensorboard_projector:
            sets = dataset.split.sets
            write_projector(
                result.summaries, dataset.features, dataset.index, labels=result.labels, sets=sets
            )
    if config.page is not None:
        report_run(config, result, config.page)
