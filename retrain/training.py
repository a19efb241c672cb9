"""The main job: an image tree in, a frozen graph and its labels out."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from retrain.config import TrainSettings
from retrain.errors import RetrainError
from retrain.evaluation.evaluate import Evaluation, evaluate
from retrain.export.frozen_graph import check_final_tensor_name
from retrain.export.onnx_graph import check_onnx_outputs
from retrain.export.parity import Parity, check_parity
from retrain.export.saved_model import check_saved_model_dir, write_saved_model
from retrain.exporter import Exporter
from retrain.files import check_file_can_be_written, check_folder_can_be_written
from retrain.findings import aside_csv
from retrain.heads.head import Head, write_checkpoint
from retrain.heads.sampling import Sampler
from retrain.heads.sgd import SgdSettings, StepResult, train_head
from retrain.heads.summaries import TrainingSummaries, new_run_folder
from retrain.images.labels import labels_of
from retrain.images.split import SETS, TEST, TRAIN, VALIDATION, check_percentages
from retrain.onnx_graphs import SUFFIX as ONNX
from retrain.preparation import Dataset, prepare
from retrain.progress import Talk

PARITY_PHOTOS = 16


@dataclass(frozen=True)
class TrainResult:
    """What a run made. `summaries`: the folder of its TensorBoard logs, if any."""

    head: Head
    labels: tuple[str, ...]
    dataset: Dataset
    evaluation: Evaluation
    parity: Parity
    summaries: Path | None


def train(settings: TrainSettings, talk: Talk) -> TrainResult:
    """Runs the whole job and writes its outputs. Raises RetrainError."""
    _check(settings)
    outputs = [settings.intermediate_output_graphs_dir, settings.features_folder,
               settings.modules_folder]  # fmt: skip
    outputs += [p for p in (settings.summaries_dir, settings.saved_model_dir) if p is not None]
    dataset = prepare(settings, outputs, talk)
    labels = labels_of(dataset.index.classes, settings.legacy_labels)
    exporter = Exporter(settings, dataset, labels)
    summaries = new_run_folder(settings.summaries_dir) if settings.summaries_dir else None
    head = _train(settings, dataset, exporter, summaries, talk)
    evaluation = _test(settings, dataset, head, talk)
    content = exporter.write_final(head, evaluation)
    if settings.saved_model_dir:
        write_saved_model(content, exporter.manifest(evaluation), settings.saved_model_dir)
    parity = _check_export(settings, dataset, head, evaluation, talk)
    return TrainResult(head, labels, dataset, evaluation, parity, summaries)


def _check(settings: TrainSettings) -> None:
    """Everything that can be known before the work starts."""
    settings.check_numbers()
    check_percentages(settings.testing_percentage, settings.validation_percentage)
    check_final_tensor_name(settings.final_tensor_name)
    if settings.tfhub_module.lower().endswith(ONNX):
        check_onnx_outputs(settings.tfhub_module, settings.output_graph, settings.saved_model_dir)
    check_file_can_be_written(settings.output_graph, "--output_graph")
    check_file_can_be_written(settings.output_labels, "--output_labels")
    check_file_can_be_written(aside_csv(settings), "--output_graph")
    check_folder_can_be_written(settings.features_folder, "--bottleneck_dir")
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


def _train(
    settings: TrainSettings,
    dataset: Dataset,
    exporter: Exporter,
    summaries: Path | None,
    talk: Talk,
) -> Head:
    steps = settings.how_many_training_steps
    with ExitStack() as stack:
        events = stack.enter_context(TrainingSummaries(summaries, steps)) if summaries else None
        meter = (
            stack.enter_context(talk.progress("Training", steps, "steps"))
            if talk.terminal
            else None
        )

        def on_step(step: int, head: Head) -> None:
            if meter is not None:
                meter.advance()
            frequency = settings.intermediate_store_frequency
            if frequency and step > 0 and step % frequency == 0:
                exporter.write_intermediate(head, step, talk)

        def on_evaluation(result: StepResult) -> None:
            if events is not None:
                events.add(result)
            if not talk.terminal or result.step == steps - 1:
                _say_step(result, talk)

        head = train_head(
            dataset.features,
            dataset.labels,
            dataset.training_rows,
            dataset.split.rows(VALIDATION),
            len(dataset.index.classes),
            sgd_settings(settings),
            on_step,
            on_evaluation,
        )
    if settings.checkpoint_path:
        write_checkpoint(settings.checkpoint_path, head, steps)
    return head


def sgd_settings(settings: TrainSettings) -> SgdSettings:
    """What the solver needs to know of a run's settings."""
    return SgdSettings(
        steps=settings.how_many_training_steps,
        learning_rate=settings.learning_rate,
        train_batch_size=settings.train_batch_size,
        validation_batch_size=settings.validation_batch_size,
        eval_step_interval=settings.eval_step_interval,
        sampling=settings.sampling,
        seed=settings.seed,
    )


def _say_step(result: StepResult, talk: Talk) -> None:
    """The ancestor's lines, to the letter: programs read them."""
    start = f"{datetime.now()}: Step {result.step}:"
    talk.info(f"{start} Train accuracy = {result.train.accuracy * 100:.1f}%")
    talk.info(f"{start} Cross entropy = {result.train.cross_entropy:f}")
    checked = result.validation
    if checked is not None:
        talk.info(
            f"{start} Validation accuracy = {checked.accuracy * 100:.1f}% (N={checked.count})"
        )


def _test(settings: TrainSettings, dataset: Dataset, head: Head, talk: Talk) -> Evaluation:
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed).spawn(4)[3])
    sampler = Sampler(dataset.split.rows(TEST), dataset.labels, settings.sampling, rng)
    rows = sampler.draw(settings.test_batch_size)
    evaluation = evaluate(head, dataset.features, dataset.labels, rows)
    if evaluation.count:
        talk.result(
            f"Final test accuracy = {evaluation.accuracy * 100:.1f}% (N={evaluation.count})"
        )
    else:
        talk.warn("there is no test photo, so no test accuracy: see --testing_percentage")
    return evaluation


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
